"""Measure readings: shares right, errors by rejection, confidences, confusions."""

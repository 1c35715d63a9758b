"""What readings are worth: shares right, errors by rejection, confidences, confusions."""

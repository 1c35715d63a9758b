"""Experiments of ``docs/checks.md``: criteria, trained apart or together, folds, cuts, speed."""

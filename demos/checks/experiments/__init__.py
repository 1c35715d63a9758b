"""What ``docs/checks.md`` measures: criteria, trained apart or together, folds, cuts, speed."""

"""Small complete applications: ``python -m demos.NAME train|evaluate|read``."""

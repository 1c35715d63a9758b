"""Fields that are composed, to train on, of digits of several sources."""

"""Networks that score arcs, and what turns pixels or ink into graphs."""

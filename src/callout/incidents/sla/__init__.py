"""Service levels: how soon an incident is to be acknowledged, written about and resolved, by which calendar."""

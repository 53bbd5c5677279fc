"""The simulator: seeded histories of people, vendors, networks and crashes against the real sync code."""

"""The in-process test provider: a ticketing system in memory, for trying things out and for the conformance suite."""

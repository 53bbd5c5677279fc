"""One folder per vendor; each imports only `callout.ports` and `callout.kit`."""

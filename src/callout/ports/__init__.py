"""The values and protocols between the core and the connectors: frozen data and Protocols only, no behaviour with effects."""

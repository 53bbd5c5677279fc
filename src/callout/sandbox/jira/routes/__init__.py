"""The REST endpoints, one module per resource of the vendor's reference."""

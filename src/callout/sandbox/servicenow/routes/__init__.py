"""The instance's REST APIs, one module each."""

"""Callout: self-hosted incident response, kept in step with chat, ticketing, on-call and publishing."""

__version__ = "0.1.0"

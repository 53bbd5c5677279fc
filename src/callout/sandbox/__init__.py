"""Vendor twins: stateful local stand-ins for the systems Callout talks to.

The sandbox imports nothing of callout outside itself. Its independence is the point: a twin is built from
the vendor's documentation and from what third-party clients expect, never from our connectors.
"""

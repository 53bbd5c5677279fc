"""The dashboard: pages made by the server, kept true by a live stream, with a little plain JavaScript.

Each area is one module with `routes(doors)`. A page is a handler that gets a :class:`~callout.server.dashboard.visit.Visit`; what it
reads, it reads on one snapshot, and what it does, it does in one transaction together with the look at who asks.
"""

from __future__ import annotations

from callout.server.dashboard.routes import dashboard_routes

__all__ = ["dashboard_routes"]

"""Who is called when nobody answers: policies, calls, and what became of each call."""

from __future__ import annotations

from callout.incidents.escalation.service import Escalations

__all__ = ["Escalations"]

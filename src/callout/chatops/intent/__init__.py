"""What people mean when they mention us in plain words. Pure: text in, a command with slots out, or a question, or nothing.

A wrong action is far worse than a question. So a command that acts is taken only when every word of it is understood, and
negations, conditions, reports, quotations and questions about doing never act: no pattern has a place for them.
"""

from __future__ import annotations

from callout.chatops.intent.deciding import understand
from callout.chatops.intent.values import ACTING, COMMANDS, TELLING, Ask, Hearing, Intent, Meaning, Nothing

__all__ = [
    "ACTING",
    "COMMANDS",
    "TELLING",
    "Ask",
    "Hearing",
    "Intent",
    "Meaning",
    "Nothing",
    "understand",
]

"""The explicit list of twins: a new vendor is one folder and one line here."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from callout.sandbox.slack.twin import SlackTwin

if TYPE_CHECKING:
    from callout.sandbox.core.twin import Twin

TWINS: dict[str, type[Twin]] = {"slack": SlackTwin}

if importlib.util.find_spec("callout.sandbox.jira") and importlib.util.find_spec("callout.sandbox.jira.twin"):
    from callout.sandbox.jira.twin import JiraTwin

    TWINS["jira"] = JiraTwin

"""The explicit list of twins: a new vendor is one folder and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira.twin import JiraTwin
from callout.sandbox.pagerduty.twin import PagerDutyTwin
from callout.sandbox.servicenow.twin import ServiceNowTwin
from callout.sandbox.slack.twin import SlackTwin

if TYPE_CHECKING:
    from callout.sandbox.core.twin import Twin

TWINS: dict[str, type[Twin]] = {
    "jira": JiraTwin,
    "pagerduty": PagerDutyTwin,
    "servicenow": ServiceNowTwin,
    "slack": SlackTwin,
}

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.ports.values import Person, Priority
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, RemoteContract, TicketingContract
from tests.connectors.jira.site import JiraSite

ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "ann@example.com")

JIRA_MAKES: Mapping[str, tuple[Any, Any]] = {
    "title": (" one line\nand another ", "one line and another"),
    "description": ("*one*\n\n* a\n* b  ", "_one_\n\n- a\n- b"),
    "priority": (Priority.CRITICAL, Priority.URGENT),
    "due_date": (datetime(2026, 5, 1, 15, 30, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)),
}
"""A title is one line, a text is a document, there are five priorities, and a date is a day."""


def harness_of(site: JiraSite, project: str = "TST", **settings: object) -> Harness:
    return Harness(
        site.provider(**settings),  # type: ignore[arg-type]
        site,
        project=project,
        other_project="OPS" if project == "TST" else "TST",
        person=ANN,
        custom=("reference", "R-1"),
        index_lag=timedelta(seconds=30),
        normalised=JIRA_MAKES,
        faults=site.faults,
        wrong=site.provider(secret="revoked"),
        write_path=r"/rest/api/3/issue$",
        comment_path=r"/comment$",
        lag_control=lambda seconds: site.set(search_lag=seconds),
        time_control=site.pass_time,
        extra={
            "child_type": "Sub-task",
            "another_process": site.provider,
            "unreachable": lambda: site.provider(url="http://127.0.0.1:9"),
        },
    )


class TestJira(TicketingContract, LagContract, RemoteContract):
    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        return harness_of(site)


class TestJiraWithRequiredResolution(TicketingContract):
    """Project OPS asks for a resolution on the way to Done."""

    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        return harness_of(site, "OPS")

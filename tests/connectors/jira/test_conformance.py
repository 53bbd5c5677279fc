from __future__ import annotations

from datetime import datetime

import pytest

from callout.ports.values import Person
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, RemoteContract, TicketingContract
from tests.connectors.jira.site import JiraSite

ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "ann@example.com")


class TestJira(TicketingContract, LagContract, RemoteContract):
    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        return Harness(
            site.provider(),
            TwinClock(site),
            project="TST",
            other_project="OPS",
            person=ANN,
            custom=("reference", "R-1"),
            faults=site.twin.faults,
            wrong=site.provider(secret="revoked"),
            write_path=r"/rest/api/3/issue$",
            comment_path=r"/comment$",
            lag_control=lambda seconds: setattr(site.twin, "search_lag_seconds", seconds),
            time_control=site.pass_time,
            extra={
                "child_type": "Sub-task",
                "another_process": site.provider,
                "unreachable": lambda: site.provider(url="http://127.0.0.1:9"),
            },
        )


class TwinClock:
    """The twin's own time, which the tests move."""

    def __init__(self, site: JiraSite) -> None:
        self._site = site

    def now(self) -> datetime:
        return self._site.twin.clock.utc()

    def monotonic(self) -> float:
        return self._site.clock.monotonic()

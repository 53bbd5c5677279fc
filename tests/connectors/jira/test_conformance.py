from __future__ import annotations

import pytest

from callout.ports.values import Person
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, RemoteContract, TicketingContract
from tests.connectors.jira.site import JiraSite

ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "ann@example.com")


def harness_of(site: JiraSite, project: str = "TST", **settings: object) -> Harness:
    return Harness(
        site.provider(**settings),  # type: ignore[arg-type]
        site,
        project=project,
        other_project="OPS" if project == "TST" else "TST",
        person=ANN,
        custom=("reference", "R-1"),
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

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callout.ports.values import Person
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, RemoteContract, TicketingContract
from tests.connectors.jira.site import JiraSite
from tests.connectors.jira.test_conformance import JIRA_MAKES
from tests.connectors.jira_service_management.desk import provider_of

ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "ann@example.com")


def harness_of(
    site: JiraSite,
    *,
    write_path: str = r"/rest/api/3/issue$",
    comment_path: str = r"/rest/servicedeskapi/request/\w+/comment$",
    **settings: Any,
) -> Harness:
    site.act("create_project", key="DESK", name="Second desk", type="service_desk")
    return Harness(
        provider_of(site, **settings),
        site,
        project="HELP",
        other_project="DESK",
        person=ANN,
        custom=("reference", "R-1"),
        customers_read=True,
        files_read_by_customers=True,
        index_lag=timedelta(seconds=30),
        normalised=JIRA_MAKES,
        faults=site.faults,
        wrong=provider_of(site, secret="revoked", **settings),
        write_path=write_path,
        comment_path=comment_path,
        lag_control=lambda seconds: site.set(search_lag=seconds),
        time_control=site.pass_time,
        extra={
            "child_type": "Sub-task",
            "another_process": lambda: provider_of(site, **settings),
            "unreachable": lambda: provider_of(site, url="http://127.0.0.1:9", **settings),
        },
    )


class TestServiceManagement(TicketingContract, LagContract, RemoteContract):
    """Without a request type: issues of a service project."""

    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        return harness_of(site)


class TestRequestsByForm(TicketingContract, LagContract, RemoteContract):
    """Every new ticket goes through a form, whose fields are few and never hold our mark."""

    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        write_path = r"/rest/servicedeskapi/request$"
        return harness_of(site, write_path=write_path, default_request_type="Report a system problem")


class TestRequestsByAFormWithLabels(TicketingContract, LagContract, RemoteContract):
    """A form that asks for labels takes our mark at once."""

    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        return harness_of(site, write_path=r"/rest/servicedeskapi/request$", default_request_type="11")


class TestIssuesThatAreNoRequests(TicketingContract, LagContract, RemoteContract):
    """A site where an issue without a request type is unknown to the service desk's API."""

    @pytest.fixture
    def harness(self, site: JiraSite) -> Harness:
        site.set(untyped_requests=False)
        return harness_of(site, comment_path=r"/rest/api/3/issue/\w+/comment$")

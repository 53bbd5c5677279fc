from __future__ import annotations

import pytest

from callout.connectors.servicenow.columns import CUT_TEXT
from callout.ports.values import Person, Priority
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, RemoteContract, TicketingContract
from tests.connectors.servicenow.instance import Instance


def person(instance: Instance, user_name: str) -> Person:
    users = instance.control.get("credentials").json()["users"]
    sys_id = next(user["sys_id"] for user in users if user["username"] == user_name)
    return Person(sys_id, user_name, f"{user_name}@example.com")


def harness_of(instance: Instance, *, sir: bool = False, **settings: object) -> Harness:
    settings = {"sir": sir, **settings}
    return Harness(
        instance.provider(**settings),  # type: ignore[arg-type]
        instance,
        project="sn_si_incident" if sir else "incident",
        other_project="incident" if sir else "problem",
        person=person(instance, "sam.sec" if sir else "ann.lee"),
        statuses=("Draft", "Analysis", "Closed") if sir else ("New", "In Progress", "Resolved"),
        custom=("reference", "Email" if sir else "R-1"),
        faults=instance.faults,
        wrong=instance.provider(secret="revoked", sir=sir),
        write_path=r"/table/[a-z_]+$",
        comment_path=r"/table/[a-z_]+/[0-9a-f]{32}$",
        comment_method="PATCH",
        customers_read=True,
        normalised={
            "title": ("two  spaces\nand " + "x" * 200, "two spaces and " + "x" * 144 + "…"),
            "description": ("d" * 5000, "d" * 3960 + CUT_TEXT),
            "priority": (Priority.MEDIUM, Priority.MODERATE),
            "tags": (("b", "a", "b"), ("b", "a")),
        },
        lag_control=lambda seconds: instance.set(search_lag=seconds),
        time_control=instance.pass_time,
        extra={
            "another_process": lambda: instance.provider(**settings),  # type: ignore[arg-type]
            "unreachable": lambda: instance.provider(url="http://127.0.0.1:9", sir=sir),
        },
    )


class TestServiceNow(TicketingContract, LagContract, RemoteContract):
    @pytest.fixture
    def harness(self, instance: Instance) -> Harness:
        return harness_of(instance)


class TestSecurityIncidentResponse(TicketingContract, LagContract, RemoteContract):
    @pytest.fixture
    def harness(self, instance: Instance) -> Harness:
        # Security incidents of the twin have no column of the customer's own: a choice stands for it.
        choice = {"name": "reference", "project_id": "*", "provider_field_path": "contact_type"}
        return harness_of(instance, sir=True, custom_field_mappings=[choice])

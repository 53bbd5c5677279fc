from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.connectors.mock_ticketing.config import MockTicketingConfig
from callout.connectors.mock_ticketing.manifest import MANIFEST
from callout.connectors.mock_ticketing.store import Store
from callout.connectors.mock_ticketing.ticketing import MockTicketing
from callout.kit.clock import ManualClock
from callout.ports.values import Person
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, TicketingContract
from tests.conformance.twoway import TwoWayContract

CUSTOM = {"name": "effort", "project_id": "*", "provider_field_path": "fields.effort"}


def harness_of(**settings: object) -> Harness:
    config = MockTicketingConfig.model_validate({"custom_field_mappings": [CUSTOM], **settings})
    clock = ManualClock(datetime(2026, 4, 1, 12, 30, 15, 250_000, tzinfo=UTC))
    store = Store()
    provider = MockTicketing(config, clock, store)
    assert MANIFEST.provider_class is MockTicketing
    return Harness(
        provider,
        clock,
        project="TST",
        other_project="OPS",
        person=Person("ann@example.com", "Ann", "ann@example.com"),
        custom=("effort", 3.5),
        exact_priorities=True,
        lag_control=lambda _seconds: None,  # lags by configuration, for all of its life
        extra={"another_process": lambda: MockTicketing(config, clock, store)},
    )


class TestMock(TicketingContract):
    @pytest.fixture
    def harness(self) -> Harness:
        return harness_of()


class TestMockThatNormalises(TicketingContract):
    @pytest.fixture
    def harness(self) -> Harness:
        harness = harness_of(normalise_text=True, three_statuses=True)
        harness.normalised = {
            "title": ("two  spaces\n", "two spaces"),
            "description": ("a  \nb\n\n", "a\nb"),
            "tags": (("b", "a", "b"), ("b", "a")),
        }
        return harness


class TestMockThatLags(LagContract, TwoWayContract):
    @pytest.fixture
    def harness(self) -> Harness:
        harness = harness_of(index_lag_seconds=60)
        harness.index_lag = timedelta(seconds=60)
        return harness

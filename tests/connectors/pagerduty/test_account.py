from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.manifest import MANIFEST
from callout.kit.clock import ManualClock
from callout.ports.errors import (
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.provider import operations_of
from tests.connectors.pagerduty.site import CHECKOUT, PagerDutySite

# The account


async def test_what_it_can_do_is_what_the_contract_asks() -> None:
    offered = operations_of(MANIFEST.provider_class or object)
    assert offered == {
        "query_tickets",
        "get_ticket",
        "create_ticket",
        "patch_ticket",
        "list_comments",
        "create_comment",
        "delete_comment",
        "list_projects",
        "list_remote_fields",
        "query_escalation_policies",
        "list_on_call",
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"default_creator": ""}, "belongs to no user"),
        ({"default_creator": "nobody@example.com"}, "is no user of this account"),
        ({"default_project": "PNOSUCH"}, "no service 'PNOSUCH'"),
    ],
)
async def test_the_connection_check_warns_with_a_next_step(
    site: PagerDutySite, settings: dict[str, str], words: str
) -> None:
    report = await site.provider(**settings).check_connection()
    assert any(words in warning for warning in report.warnings), report.warnings


async def test_a_clock_that_is_off_is_told(site: PagerDutySite) -> None:
    report = await site.provider().check_connection()
    assert (report.warnings, report.time_zone) == ((), "Europe/Berlin")
    site.clock = ManualClock(datetime.now(UTC) - timedelta(minutes=10))
    report = await site.provider().check_connection()
    assert timedelta(minutes=9) < report.clock_skew < timedelta(minutes=11)
    assert any("clocks differ" in warning for warning in report.warnings)


async def test_the_catalogue_tells_choices(site: PagerDutySite) -> None:
    provider = site.provider()
    catalogue = await provider.field_catalogue("Checkout", "major_incident")
    assert (catalogue.project, catalogue.issue_type) == (CHECKOUT, "major_incident")
    assert [option.name for option in catalogue.priorities] == ["P1", "P2", "P3", "P4", "P5"]
    environment = next(field for field in catalogue.fields if field.path == "custom_fields.environment")
    assert (environment.kind, [option.name for option in environment.options]) == (
        "enum",
        ["production", "staging"],
    )
    with pytest.raises(RejectedError) as caught:
        await provider.field_catalogue(CHECKOUT, "nonsense")
    assert "major_incident" in caught.value.message
    site.set(priorities=False)
    assert {o.name for o in (await site.provider().field_catalogue(CHECKOUT, "")).priorities} == {
        "high",
        "low",
    }


async def test_an_unknown_incident_is_not_found_by_any_operation(site: PagerDutySite) -> None:
    provider = site.provider()
    for call in (
        provider.snooze("PNOSUCH", timedelta(hours=1)),
        provider.escalate("PNOSUCH"),
        provider.publish_status("PNOSUCH", "x"),
        provider.list_transitions("PNOSUCH"),
        provider.delete_comment("PNOSUCH", "PN"),
        provider.list_on_call("PNOSUCH"),
    ):
        with pytest.raises(RecordNotFoundError):
            await call


def test_settings_are_checked_with_words() -> None:
    for wrong in (
        {"url": "api.pagerduty.com"},
        {"url": "https://a:b@x.test"},
        {"default_creator": "Ann"},
        {"region": "mars"},
    ):
        with pytest.raises(ValueError, match=r"full address|credentials|e-mail|'us' or 'eu'"):
            PagerDutyConfig.model_validate(wrong)


def test_regions_have_their_addresses() -> None:
    eu = PagerDutyConfig(region="eu")
    assert (eu.rest_url, eu.events_base) == (
        "https://api.eu.pagerduty.com",
        "https://events.eu.pagerduty.com",
    )
    us = PagerDutyConfig()
    assert (us.rest_url, us.events_base) == ("https://api.pagerduty.com", "https://events.pagerduty.com")
    twin = PagerDutyConfig(url="http://127.0.0.1:9100/pagerduty/")
    assert twin.rest_url == twin.events_base == "http://127.0.0.1:9100/pagerduty"

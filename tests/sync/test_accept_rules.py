"""Which tickets become incidents by rule, how wrong rules are refused, and what a connector's defaults bring."""

from __future__ import annotations

from typing import Any

import pytest

from callout.bootstrap.registry import MANIFESTS
from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import Change, ChangeKind, StatusCategory, Ticket
from callout.ports.values import Person, Priority
from callout.sync.accept import may_be_accepted
from callout.sync.context import Target
from callout.sync.mapping import FieldMappings
from callout.sync.merge import SyncDirection
from callout.sync.rules import accepting_rule
from callout.sync.settings import check, effective

ANN = Person("u1", "Ann Onduty", "ann@example.com")
DEFAULTS = FieldMappings()


def ticket(**fields: Any) -> Ticket:  # a ticket's own
    values: dict[str, Any] = {
        "status": "In Progress",
        "status_category": StatusCategory.ACTIVE,
        "priority": Priority.URGENT,
        "priority_name": "1 - Critical",
        "project": "OPS",
        "issue_type": "Incident",
        "assignee": ANN,
        "tags": ("prod",),
        **fields,
    }
    return Ticket("1", "OPS-1", values.pop("title", "Mail is DOWN"), **values)


DONE = {"status": "Closed", "status_category": StatusCategory.DONE}


@pytest.mark.parametrize(
    ("accept", "about", "wanted"),
    [
        (False, ticket(), False),
        (True, ticket(), True),
        (True, ticket(**DONE), False),
        ([], ticket(), False),
        ([{}], ticket(), True),
        ([{}], ticket(**DONE), False),
        ([{"status": ["closed"]}], ticket(**DONE), True),
        ([{"status": ["category:done"]}], ticket(**DONE), True),
        ([{"status": ["category:active"]}], ticket(**DONE), False),
        ([{"project": ["ops", "it"], "type": ["INCIDENT"]}], ticket(), True),
        ([{"project": ["OPS"], "type": ["Task"]}], ticket(), False),
        ([{"priority": ["1 - critical"]}], ticket(), True),
        ([{"priority": ["URGENT"]}], ticket(), True),
        ([{"priority": ["LOW"]}], ticket(), False),
        ([{"severity": ["sev1"]}], ticket(), True),
        ([{"severity": ["SEV-1"]}], ticket(priority=None, priority_name=""), False),
        ([{"assignee": ["ANN@example.com"]}], ticket(), True),
        ([{"assignee": ["ann@example.com"]}], ticket(assignee=None), False),
        ([{"tag": ["PROD"]}], ticket(), True),
        ([{"title_contains": ["outage", "down"]}], ticket(), True),
        ([{"title_contains": ["outage"]}], ticket(), False),
        ([{"type": ["Task"]}, {"tag": ["prod"]}], ticket(), True),
    ],
)
def test_which_tickets_become_incidents(accept: object, about: Ticket, wanted: bool) -> None:
    settings = {"accept": accept}
    check(settings)
    assert (accepting_rule(about, settings, DEFAULTS) is not None) is wanted


def test_the_first_rule_that_fits_says_what_to_set() -> None:
    rules = [{"tag": ["test"]}, {"tag": ["prod"], "set": {"team": "ops"}}, {"set": {"team": "others"}}]
    check({"accept": rules})
    assert accepting_rule(ticket(), {"accept": rules}, DEFAULTS) == rules[1]


@pytest.mark.parametrize(
    ("accept", "place"),
    [
        ("always", "/sync/accept"),
        (["SEV-1"], "/sync/accept/0"),
        ([{}, {"color": ["red"]}], "/sync/accept/1"),
        ([{"project": "OPS"}], "/sync/accept/0/project"),
        ([{"tag": []}], "/sync/accept/0/tag"),
        ([{"title_contains": [""]}], "/sync/accept/0/title_contains"),
        ([{"severity": ["bad"]}], "/sync/accept/0/severity"),
        ([{"status": ["category:over"]}], "/sync/accept/0/status"),
        ([{"set": ["x"]}], "/sync/accept/0/set"),
        ([{"set": {"title": "x"}}], "/sync/accept/0/set"),
        ([{"set": {"tags": "x"}}], "/sync/accept/0/set/tags"),
    ],
)
def test_wrong_rules_are_refused_at_their_place(accept: object, place: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check({"accept": accept})
    assert list(refused.value.fields) == [place]
    assert refused.value.message


def test_a_part_of_a_ticket_rules_out_only_what_it_tells() -> None:
    target = Target("i", "default", "i", "I", {"accept": [{"severity": ["SEV-1"], "tag": ["prod"]}]})
    minor = ticket(priority=Priority.LOW, tags=())

    def told(about: Ticket | None, known: frozenset[str] = frozenset(), **more: Any) -> bool:
        change = Change(ChangeKind.UPDATED, "1", ticket=about, known=known, **more)
        return may_be_accepted(change, target, DEFAULTS, trusted=True)

    assert told(None)
    assert told(minor)
    assert not told(minor, frozenset({"priority"}))
    assert not told(minor, partial=False)
    assert told(ticket(), frozenset({"priority", "tags"}))
    assert not told(ticket(marks=("callout-inc-1-0123456789ab",)))
    assert told(ticket(marks=("a key of somebody else",)))
    hint = Change(ChangeKind.UPDATED, "1", ticket=minor, partial=False)
    assert may_be_accepted(hint, target, DEFAULTS, trusted=False), "a hint may rule nothing out"
    gone = Change(ChangeKind.DELETED, "1")
    assert not may_be_accepted(gone, target, DEFAULTS, trusted=True)


def test_what_the_operator_wrote_lies_over_the_defaults_key_by_key() -> None:
    defaults = {"accept": True, "fields": {"description": {"direction": "none"}}, "statuses": {"open": "a"}}
    own = {"accept": [{}], "fields": {"title": {"direction": "inbound"}}, "statuses": {"closed": "z"}}
    assert effective(defaults, own) == {
        "accept": [{}],
        "fields": {"description": {"direction": "none"}, "title": {"direction": "inbound"}},
        "statuses": {"open": "a", "closed": "z"},
    }
    assert effective(defaults, {"fields": {"description": {"direction": "outbound"}}})["fields"] == {
        "description": {"direction": "outbound"}
    }
    assert effective(defaults, {}) == defaults


@pytest.mark.parametrize("provider", sorted(name for name in MANIFESTS if name.startswith("ticketing_")))
def test_every_connectors_defaults_are_settings_that_hold(provider: str) -> None:
    check(effective(MANIFESTS[provider].mapping_defaults, {}))


@pytest.mark.parametrize("provider", sorted(name for name in MANIFESTS if name.startswith("ticketing_")))
@pytest.mark.parametrize("table", ["severities", "severities_in", "statuses", "statuses_in"])
def test_no_connector_repeats_what_sync_starts_from_anyway(provider: str, table: str) -> None:
    brought = MANIFESTS[provider].mapping_defaults.get(table, {})
    before = getattr(FieldMappings(), table)
    assert not brought or any(before.get(name) != value for name, value in brought.items())
    mapped = getattr(FieldMappings.from_settings({table: brought}), table)
    assert mapped == {**before, **brought}


def test_pagerduty_brings_that_its_description_stays_and_its_incidents_are_ours() -> None:
    settings = effective(MANIFESTS["ticketing_pagerduty"].mapping_defaults, {})
    mappings = FieldMappings.from_settings(settings)
    rules = mappings.rules("i")
    assert rules["description"].direction is SyncDirection.NONE
    assert rules["status"].encode("mitigated") == "acknowledged"
    assert accepting_rule(ticket(), settings, mappings) is not None
    assert not effective(MANIFESTS["ticketing_pagerduty"].mapping_defaults, {"accept": False})["accept"]


def test_servicenow_brings_its_own_priorities_and_takes_no_ticket_unasked() -> None:
    settings = effective(MANIFESTS["ticketing_servicenow"].mapping_defaults, {})
    mappings = FieldMappings.from_settings(settings)
    assert mappings.rules("i")["severity"].encode("SEV-1") == Priority.CRITICAL
    assert accepting_rule(ticket(), settings, mappings) is None


def test_watch_webhooks_is_true_or_false() -> None:
    check({"watch_webhooks": False})
    with pytest.raises(InvalidRequestError, match="watch_webhooks"):
        check({"watch_webhooks": "no"})

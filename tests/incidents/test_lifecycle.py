"""The life cycle as pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from callout.incidents import ACTIONS, Incident, path, perform
from callout.ports.errors import IllegalTransitionError
from callout.ports.values import Audience, Severity, Status

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def incident(status: Status) -> Incident:
    return Incident("i", "a", 7, "t", Severity(1), status, NOW, NOW)


@pytest.mark.parametrize(("action", "status"), list(product(ACTIONS, Status)))
def test_every_move_is_legal_or_refused_by_name(action: str, status: Status) -> None:
    sources, target = ACTIONS[action]
    if status in sources:
        assert perform(incident(status), action, NOW).status is target
    else:
        with pytest.raises(IllegalTransitionError) as refused:
            perform(incident(status), action, NOW)
        assert action in refused.value.message
        assert status.value in refused.value.message
        assert refused.value.remediation


@pytest.mark.parametrize(("start", "target"), list(product(Status, Status)))
def test_every_status_can_reach_every_other(start: Status, target: Status) -> None:
    state = incident(start)
    for action in path(start, target):
        state = perform(state, action, NOW)
    assert state.status is target


def test_an_unknown_action_is_refused_with_the_known_ones() -> None:
    with pytest.raises(IllegalTransitionError) as refused:
        perform(incident(Status.OPEN), "explode", NOW)
    assert "acknowledge" in refused.value.remediation


def test_reopening_forgets_when_it_was_resolved() -> None:
    resolved = perform(incident(Status.OPEN), "resolve", NOW)
    assert resolved.resolved_at == NOW
    assert perform(resolved, "reopen", NOW).resolved_at is None


@pytest.mark.parametrize(
    ("text", "readers", "allowed"),
    [
        (Audience.INTERNAL, Audience.INTERNAL, True),
        (Audience.INTERNAL, Audience.RESPONDERS, False),
        (Audience.INTERNAL, Audience.CUSTOMER, False),
        (Audience.RESPONDERS, Audience.INTERNAL, True),
        (Audience.RESPONDERS, Audience.RESPONDERS, True),
        (Audience.RESPONDERS, Audience.CUSTOMER, False),
        (Audience.CUSTOMER, Audience.CUSTOMER, True),
        (Audience.CUSTOMER, Audience.INTERNAL, True),
    ],
)
def test_a_text_reaches_no_wider_circle_than_its_audience(
    text: Audience, readers: Audience, allowed: bool
) -> None:
    assert text.may_reach(readers) is allowed


@pytest.mark.parametrize("text", ["SEV-1", "sev1", "1", " Severity 1 ", "S1"])
def test_severities_are_read_as_people_write_them(text: str) -> None:
    assert str(Severity.parse(text)) == "SEV-1"


@pytest.mark.parametrize("text", ["", "SEV-0", "high", "SEV-", "SEV-1x", "²"])
def test_what_is_no_severity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SEV-1"):
        Severity.parse(text)

"""Events that an older version wrote are read by the present one, those of a newer one are left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from callout.ports import events
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, Channel, Origin

ONE = EventEnvelope(
    id="1",
    kind="incident.declared",
    account_id="a",
    subject="i",
    occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    origin=Origin(Channel.CLI, Actor.system("tests")),
    data={"title": "down"},
)


def test_every_older_version_has_its_way_up() -> None:
    assert sorted(events.UPCASTS) == list(range(1, events.VERSION))


def test_an_envelope_without_a_version_is_of_the_first() -> None:
    data = ONE.to_json()
    del data["version"]
    assert EventEnvelope.from_json(data).data == {"title": "down"}


def test_the_trace_is_told_where_there_is_one_and_nobody_misses_it() -> None:
    assert "trace" not in ONE.to_json()
    assert EventEnvelope.from_json(ONE.to_json()) == ONE
    traced = replace(ONE, trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert EventEnvelope.from_json(traced.to_json()) == traced


def test_old_envelopes_go_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def rename(data: dict[str, Any]) -> dict[str, Any]:
        seen.append(1)
        return {**data, "data": {"name": data["data"]["title"]}}

    def shout(data: dict[str, Any]) -> dict[str, Any]:
        seen.append(2)
        return {**data, "data": {"name": data["data"]["name"].upper()}}

    monkeypatch.setattr(events, "VERSION", 3)
    monkeypatch.setattr(events, "UPCASTS", {1: rename, 2: shout})
    read = EventEnvelope.from_json(ONE.to_json())
    assert (read.version, read.data, seen) == (3, {"name": "DOWN"}, [1, 2])
    again = EventEnvelope.from_json({**ONE.to_json(), "version": 3})
    assert (again.data, seen) == ({"title": "down"}, [1, 2])  # what is up to date stays as it is


def test_an_envelope_of_a_newer_version_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="newer than this process"):
        EventEnvelope.from_json({**ONE.to_json(), "version": events.VERSION + 1})

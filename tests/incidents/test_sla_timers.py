"""Service levels with real timers, on both databases: told once, in the commit that checks whether it still holds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from callout.incidents import DeclareIncident, timers
from callout.incidents.sla.clock import ClockKind
from callout.jobs import JobAdmin
from callout.kit.clock import ManualClock
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.ports.values import Audience, Severity
from callout.storage import AccountTx, Database
from callout.storage.schema import micros
from tests.incidents.response_lab import ANN, Idle, ResponseLab

RULE = {"severity": "SEV-1", "acknowledge": "15m", "update": "1h", "resolve": "4h"}


@pytest.fixture
async def lab(database: Database, clock: ManualClock) -> ResponseLab:
    lab = ResponseLab(database, clock)
    await lab.member("ann")
    return lab


async def test_what_is_built_in_holds_from_the_start(lab: ResponseLab) -> None:
    await lab.declare()
    assert await lab.later(minutes=12) == ["sla_warning"]
    assert await lab.later(minutes=3) == ["sla_breached"]
    assert [event.data["clock"] for event in lab.told] == ["acknowledge", "acknowledge"]
    assert [line.kind for line in await lab.timeline()] == ["declared", "sla_warning", "sla_breached"]
    assert await lab.later(minutes=33) == ["sla_warning"]
    assert await lab.later(minutes=12) == ["sla_breached"]


async def test_in_time_nothing_is_told(lab: ResponseLab) -> None:
    await lab.declare()
    await lab.later(minutes=10)
    await lab.act("acknowledge")
    for _ in range(4):
        assert await lab.later(minutes=40) == []
        await lab.tx(lambda tx: lab.incidents.add_note(tx, "INC-1", "still at it", Audience.RESPONDERS, ANN))
    await lab.act("resolve")
    assert await lab.later(days=3) == []
    assert await lab.timers() == []
    assert {one.state(lab.clock.now()) for one in (await lab.clocks()).values()} == {"met"}


async def test_after_hours_of_downtime_each_clock_is_told_once_with_true_times(lab: ResponseLab) -> None:
    declared = (await lab.declare()).created_at
    assert sorted(await lab.later(hours=3, minutes=30)) == ["sla_breached", "sla_breached", "sla_warning"]
    by_clock = {event.data["clock"]: event.data for event in lab.told}
    assert by_clock["acknowledge"]["due_at"] == (declared + timedelta(minutes=15)).isoformat()
    assert by_clock["acknowledge"]["late_seconds"] == (3 * 60 + 15) * 60
    assert by_clock["update"]["late_seconds"] == (2 * 60 + 30) * 60
    assert await lab.later() == []


async def test_a_late_acknowledgement_tells_what_was_missed_in_its_own_commit(lab: ResponseLab) -> None:
    await lab.declare()
    lab.clock.advance(timedelta(minutes=20))  # nobody works on the timers
    await lab.act("acknowledge")
    assert [line.kind for line in await lab.timeline()] == ["declared", "changed", "sla_breached"]
    assert await lab.later() == ["sla_breached"]
    assert (await lab.clocks())[ClockKind.ACKNOWLEDGE].state(lab.clock.now()) == "breached"


async def test_a_timer_that_fires_again_tells_nothing(lab: ResponseLab) -> None:
    incident = await lab.declare()
    await lab.later(minutes=15)
    assert await lab.tx(lambda tx: lab.levels.due(tx, incident.id)) == []
    assert len([line for line in await lab.timeline() if line.kind == "sla_breached"]) == 1


async def test_every_incident_has_one_timer(lab: ResponseLab) -> None:
    await lab.declare()
    await lab.declare()
    for severity in ("SEV-2", "SEV-3", "SEV-1"):
        changed = {"severity": severity}
        await lab.tx(lambda tx, changed=changed: lab.incidents.patch(tx, "INC-1", changed, ANN))  # type: ignore[misc]
    await lab.tx(lambda tx: lab.incidents.add_note(tx, "INC-1", "hm", Audience.INTERNAL, ANN))
    assert await lab.timers() == ["incident.clock", "incident.clock"]


async def test_what_changes_nothing_of_it_costs_no_timer(lab: ResponseLab) -> None:
    await lab.declare()
    before = await lab.clocks()
    await lab.tx(lambda tx: lab.incidents.patch(tx, "INC-1", {"title": "worse", "tags": ["eu"]}, ANN))
    assert await lab.clocks() == before


async def test_an_incident_of_the_past_is_held_to_nothing(lab: ResponseLab) -> None:
    async def imported(tx: object) -> None:
        batch = await lab.incidents.importing(tx, 1)  # type: ignore[arg-type]
        batch.add({"title": "old", "severity": Severity(1)}, origin=ANN, began_at=None, told={})
        await batch.save(ANN)

    await lab.tx(imported)
    assert await lab.clocks() == {}
    await lab.tx(lambda tx: lab.incidents.add_note(tx, "INC-1", "hm", Audience.INTERNAL, ANN))
    await lab.act("acknowledge")
    assert await lab.clocks() == {}
    assert await lab.timers() == []


async def test_many_at_once_are_set_by_one_commit(lab: ResponseLab) -> None:
    async def many(tx: object) -> None:
        drafts = [(DeclareIncident(f"n {n}", Severity(n % 4 + 1)), ANN) for n in range(20)]
        edits = await lab.incidents.begin(tx, drafts)  # type: ignore[arg-type]
        await lab.incidents.save_new(tx, edits)  # type: ignore[arg-type]

    await lab.tx(many)
    assert len(await lab.timers()) == 20
    assert len(await lab.clocks("INC-7")) == 3


async def test_rules_of_a_service_come_first_and_hours_are_the_calendars(lab: ResponseLab) -> None:
    office = {"time_zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}
    await lab.rules(
        RULE,
        {"team": "payments", "acknowledge": "1h"},
        {"service": "Checkout", "acknowledge": "2h", "hours": "office"},
        calendars={"office": office},
    )
    await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "payments"}, ANN))
    await lab.tx(lambda tx: lab.catalogue.add_service(tx, {"name": "ledger", "team": "payments"}, ANN))
    sunday = lab.clock.now()
    await lab.declare(service="checkout")
    await lab.declare(service="ledger")
    await lab.declare(service="unheard of")
    due = [(await lab.clocks(f"INC-{n}"))[ClockKind.ACKNOWLEDGE].due_at for n in (1, 2, 3)]
    assert due == [
        sunday.replace(hour=11) + timedelta(days=1),
        sunday + timedelta(hours=1),
        sunday + timedelta(minutes=15),
    ]


async def test_new_rules_hold_for_what_comes_after(lab: ResponseLab) -> None:
    await lab.declare()
    before = await lab.clocks()
    await lab.rules()
    assert await lab.clocks() == before
    await lab.declare()
    assert await lab.clocks("INC-2") == {}


async def test_whoever_read_old_rules_does_not_overwrite_new_ones(lab: ResponseLab) -> None:
    document = {"rules": [RULE]}
    await lab.tx(lambda tx: lab.levels.set_rules(tx, document, ANN, version=0))
    with pytest.raises(ConflictError, match="at version 1, not 0"):
        await lab.tx(lambda tx: lab.levels.set_rules(tx, document, ANN, version=0))
    with pytest.raises(InvalidRequestError):
        await lab.tx(lambda tx: lab.levels.set_rules(tx, {"rules": [{"ack": "1m"}]}, ANN))
    assert (await lab.tx(lab.settings.load)).rules_version == 1


@pytest.mark.parametrize("version", [None, 0])
async def test_two_who_write_the_first_rules_at_once(lab: ResponseLab, version: int | None) -> None:
    document = {"rules": [RULE]}
    writing = [lab.tx(lambda tx: lab.levels.set_rules(tx, document, ANN, version=version)) for _ in range(5)]
    results = await asyncio.gather(*writing, return_exceptions=True)
    refused = [one for one in results if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == ([] if version is None else [ConflictError] * 4)
    assert (await lab.tx(lab.settings.load)).rules_version == 5 - len(refused)


async def test_a_timer_that_was_given_up_is_tried_again(lab: ResponseLab) -> None:
    await lab.declare()
    admin = JobAdmin(Idle(), clock=lab.clock)
    dies = "UPDATE job SET state = 'dead', dead_at = {0} WHERE kind = 'incident.clock'"
    now = micros(lab.clock.now())
    await lab.tx(lambda tx: tx.system.driver_all(dies.format("?"), dies.format("$1"), (now,)))

    async def revive(tx: AccountTx) -> int:
        before = lab.clock.now() - timers.REVIVED_AFTER
        return await admin.replay_kinds(tx.system, timers.KINDS, before=before)

    assert await lab.later(minutes=59) == []
    assert await lab.tx(revive) == 0
    assert await lab.later(minutes=2) == []
    assert await lab.tx(revive) == 1
    assert set(await lab.later(seconds=0)) == {"sla_breached"}


async def test_a_breach_begins_an_escalation_that_ends_with_the_update(lab: ResponseLab) -> None:
    await lab.rules({"severity": "SEV-1", "update": "1h", "warn_at": 0})
    steps = [{"targets": ["ann"]}, {"after": "30m", "targets": ["#incidents"]}]
    await lab.policies({"quiet": {"steps": steps, "triggers": ["sla_breached"]}}, SEV_1="quiet")
    await lab.declare()
    await lab.act("acknowledge")
    assert await lab.later(minutes=60) == ["sla_breached", "escalated"]
    assert lab.told[-1].data["reason"] == "an update within 1h was missed"
    await lab.later(minutes=10)
    await lab.tx(lambda tx: lab.incidents.add_note(tx, "INC-1", "sorry", Audience.RESPONDERS, ANN))
    assert await lab.later(minutes=40) == []
    assert await lab.later(minutes=40) == ["sla_breached", "escalated"]


async def test_a_breach_does_not_begin_what_is_under_way(lab: ResponseLab) -> None:
    await lab.rules({"severity": "SEV-1", "acknowledge": "15m", "warn_at": 0})
    steps = [{"targets": ["ann"]}, {"after": "30m", "targets": ["#incidents"]}]
    await lab.policies({"urgent": {"steps": steps}}, SEV_1="urgent")
    await lab.declare()
    assert await lab.later() == ["escalated"]
    assert await lab.later(minutes=15) == ["sla_breached"]
    assert await lab.later(minutes=15) == ["escalated"]
    assert lab.told[-1].data["step"] == 2

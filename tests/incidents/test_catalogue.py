"""Teams and services, on both databases."""

from __future__ import annotations

from functools import partial

import pytest

from callout.incidents import DeclareIncident
from callout.incidents.response_tables import catalogue_team
from callout.kit.clock import ManualClock
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Severity
from callout.storage import Database
from tests.incidents.response_lab import ANN, ResponseLab


@pytest.fixture
async def lab(database: Database, clock: ManualClock) -> ResponseLab:
    lab = ResponseLab(database, clock)
    for name in ("ann", "bob"):
        await lab.member(name)
    return lab


async def test_a_team_knows_its_members_by_name_and_by_mail(lab: ResponseLab) -> None:
    values = {"name": " Payments ", "members": ["ann", "BOB@example.com", "ann"], "channel": "#pay"}
    team = await lab.tx(lambda tx: lab.catalogue.add_team(tx, values, ANN))
    assert (team.name, team.channel) == ("Payments", "pay")
    people = await lab.tx(lambda tx: lab.catalogue.members_of(tx, team))
    assert [one.name for one in people] == ["ann", "bob"]
    assert await lab.tx(lambda tx: lab.catalogue.team(tx, "PAYMENTS")) == team


async def test_a_member_who_is_gone_is_left_out(lab: ResponseLab) -> None:
    team = await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "x", "members": ["ann", "bob"]}, ANN))
    await lab.tx(lambda tx: lab.members.delete(tx.system, "ann", actor=ANN.actor))
    assert [one.name for one in await lab.tx(lambda tx: lab.catalogue.members_of(tx, team))] == ["bob"]


async def test_names_are_unique_whatever_their_case(lab: ResponseLab) -> None:
    await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "Payments"}, ANN))
    await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "other"}, ANN))
    with pytest.raises(ConflictError, match="'payments' already"):
        await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "payments"}, ANN))
    with pytest.raises(ConflictError, match="'PAYMENTS' already"):
        await lab.tx(lambda tx: lab.catalogue.change_team(tx, "other", {"name": "PAYMENTS"}, ANN))


async def test_no_name_is_spelled_like_the_id_of_another(lab: ResponseLab) -> None:
    first = await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "first"}, ANN))
    other = await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "other"}, ANN))
    with pytest.raises(ConflictError, match="already"):
        await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": first.id.upper()}, ANN))
    # One of an older version, which allowed it: an id means whose it is.
    named = {"name": first.id.upper(), "folded": first.id}
    await lab.tx(
        lambda tx: tx.execute(
            tx.update(catalogue_team).where(catalogue_team.c.id == other.id).values(**named)
        )
    )
    for spelled in (first.id, first.id.upper()):
        assert await lab.tx(partial(lab.catalogue.team, name=spelled)) == first
    assert (await lab.tx(lambda tx: lab.catalogue.team(tx, other.id))).name == first.id.upper()


async def test_a_team_is_changed_and_removed(lab: ResponseLab) -> None:
    await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "x", "members": ["ann"]}, ANN))
    changed = await lab.tx(lambda tx: lab.catalogue.change_team(tx, "x", {"name": "y", "members": []}, ANN))
    assert (changed.name, changed.members) == ("y", ())
    await lab.tx(lambda tx: lab.catalogue.remove_team(tx, "y", ANN))
    with pytest.raises(NotFoundError):
        await lab.tx(lambda tx: lab.catalogue.team(tx, "y"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": ""}, "the name is empty"),
        ({"name": "x" * 101}, "longer than 100"),
        ({"name": 7}, "name must be text"),
        ({"name": "x", "members": "ann"}, "must be a list"),
        ({"name": "x", "members": ["anm"]}, "there is no member 'anm'"),
        ({"name": "x", "colour": "red"}, "no such field: colour"),
        ({"name": "x", "policy": "urgent"}, "there is no escalation policy 'urgent'"),
    ],
)
async def test_what_is_no_team_is_refused(lab: ResponseLab, values: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await lab.tx(lambda tx: lab.catalogue.add_team(tx, values, ANN))
    assert said in caught.value.message
    assert await lab.tx(lab.catalogue.teams) == []


async def test_an_incident_begins_with_what_its_service_says(lab: ResponseLab) -> None:
    await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "Payments"}, ANN))
    values = {"name": "Checkout", "team": "payments", "severity": "sev1"}
    service = await lab.tx(lambda tx: lab.catalogue.add_service(tx, values, ANN))
    assert (service.team, service.severity) == ("Payments", Severity(1))

    async def filled(draft: DeclareIncident, *, severity_given: bool) -> DeclareIncident:
        return await lab.tx(lambda tx: lab.catalogue.filled(tx, draft, severity_given=severity_given))

    one = await filled(DeclareIncident("x", service="checkout"), severity_given=False)
    assert (one.service, one.team, one.severity) == ("Checkout", "Payments", Severity(1))
    one = await filled(DeclareIncident("x", service="checkout", team="mine"), severity_given=True)
    assert (one.team, one.severity) == ("mine", Severity(3))
    free = DeclareIncident("x", service="unheard of")
    assert await filled(free, severity_given=False) == free


async def test_the_team_of_a_service_has_to_be_there(lab: ResponseLab) -> None:
    await lab.tx(lambda tx: lab.catalogue.add_team(tx, {"name": "Payments"}, ANN))
    with pytest.raises(InvalidRequestError) as caught:
        await lab.tx(lambda tx: lab.catalogue.add_service(tx, {"name": "x", "team": "paymets"}, ANN))
    assert "Did you mean Payments?" in caught.value.remediation
    await lab.tx(lambda tx: lab.catalogue.add_service(tx, {"name": "x"}, ANN))
    changed = await lab.tx(lambda tx: lab.catalogue.change_service(tx, "X", {"severity": None}, ANN))
    assert changed.severity is None
    await lab.tx(lambda tx: lab.catalogue.remove_service(tx, "x", ANN))
    assert await lab.tx(lab.catalogue.services) == []

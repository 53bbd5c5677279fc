"""`callout export --incident`: one incident for those who are going to read it, and nothing that is not for them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import open_core, prepare_database
from callout.cli import main
from callout.cli.bench.installation import Installation, at_home
from callout.incidents import DeclareIncident
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin

ORIGIN = Origin(Channel.CLI, Actor(ActorKind.MEMBER, "m", "Ann | Ek"))
SAID = {
    Audience.INTERNAL: "the customer pays late",
    Audience.RESPONDERS: "the cache is full\n# no heading of ours",
    Audience.CUSTOMER: "we are working on it",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with one incident of more lines than a page of the timeline has."""
    folder = tmp_path_factory.mktemp("one")
    one = at_home(folder, f"sqlite:///{folder / 'callout.db'}")
    asyncio.run(_told(one))
    return one


async def _told(place: Installation) -> None:
    await prepare_database(place.settings())
    async with open_core(place.settings()) as core:
        account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))

        async def unit(tx: Any) -> None:
            scoped, incidents = tx.account(account.id), core.incidents
            one = await incidents.declare(scoped, DeclareIncident("checkout is down"), ORIGIN)
            for audience, text in SAID.items():
                await incidents.add_note(scoped, one.id, text, audience=audience, origin=ORIGIN)
            for number in range(210):
                await incidents.patch(scoped, one.id, {"title": f"checkout is down ({number})"}, ORIGIN)
            await incidents.tasks.add(scoped, one.id, "call the vendor", ORIGIN)
            await incidents.act(scoped, one.id, "acknowledge", ORIGIN)

        await core.database.transaction(unit)


def said(place: Installation, *words: str) -> Result:
    return CliRunner().invoke(main, ["export", "--incident", "INC-1", *words], env=place.environment)


@pytest.mark.parametrize(
    ("audience", "told"),
    [
        ("internal", set(SAID.values())),
        ("responders", {SAID[Audience.RESPONDERS], SAID[Audience.CUSTOMER]}),
        ("customer", {SAID[Audience.CUSTOMER]}),
    ],
)
def test_everybody_reads_what_is_for_them(place: Installation, audience: str, told: set[str]) -> None:
    answer = said(place, "--audience", audience, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert {note["text"] for note in found["notes"]} == told
    plain = said(place, "--audience", audience).stdout
    for text in SAID.values():
        first = text.splitlines()[0]
        assert (first in plain, first in answer.stdout) == (text in told, text in told)
    assert ("call the vendor" in plain) == (audience != "customer")


def test_it_is_whole_and_readable(place: Installation) -> None:
    text = said(place).stdout
    assert text.startswith("# INC-1: checkout is down (209)\n")
    assert text.count("checkout is down (") > 210  # more than one page of the timeline
    assert "> # no heading of ours" in text
    assert "- [ ] call the vendor" in text
    assert "| Acknowledged | " in text


def test_it_never_takes_the_place_of_another_file(place: Installation, tmp_path: Path) -> None:
    target = tmp_path / "INC-1.md"
    assert said(place, str(target)).exit_code == 0
    written = target.read_text()
    assert written.startswith("# INC-1")
    again = said(place, str(target))
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert said(place, str(tmp_path / "nowhere" / "x.md")).exit_code == 1
    assert target.read_text() == written


def test_without_a_file_and_without_an_incident_it_says_what_is_missing(place: Installation) -> None:
    answer = CliRunner().invoke(main, ["export"], env=place.environment)
    assert answer.exit_code == 2
    assert "--incident" in answer.stderr

"""`callout incident task|role|join|leave|who`: who does what at an incident, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.in_account import in_account
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.incidents import Participant, RoleHolder, Task
    from callout.ports.values import Origin, Person
    from callout.storage import AccountTx


async def _person(core: Core, tx: AccountTx, named: str) -> Person:
    """Return the member of that name or e-mail; of anybody else their words, as a ticketing system may know them."""
    from callout.ports.errors import NotFoundError
    from callout.ports.values import Person

    member = await core.members.by_email(tx.system, named) if "@" in named else None
    if member is None:
        try:
            member = await core.members.get(tx.system, named)
        except NotFoundError:
            return Person(named, named, named if "@" in named else "")
    return Person(f"member:{member.id}", member.fullname or member.name, member.email or "")


def _called(person: Person | None) -> str:
    return "nobody" if person is None else person.name or person.email or person.id


@click.group()
def task() -> None:
    """Add, list and tick off the tasks of an incident."""


def _show(one: Task, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(one.to_json()))
        return
    due = "" if one.due is None else f", by {one.due:%Y-%m-%d %H:%M} UTC"
    who = "" if one.assignee is None else f", for {_called(one.assignee)}"
    click.echo(f"{'[x]' if one.done else '[ ]'} {one.number} {one.title}{who}{due}")


@task.command("add")
@click.argument("key")
@click.argument("title")
@click.option("--for", "assignee", default="", help="Who is to do it: name or e-mail of a member.")
@click.option("--due", default="", help="By when: 2h, 14:30 (UTC) or 2026-01-31T12:00Z.")
@account_option
@data_option
@json_option
def add(
    key: str,
    title: str,
    assignee: str,
    due: str,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Add a task to incident KEY."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Task:
        from callout.chatops.periods import due_at

        return await core.incidents.tasks.add(
            tx,
            key,
            title,
            origin,
            assignee=await _person(core, tx, assignee) if assignee else None,
            due=due_at(due, core.clock.now()) if due else None,
        )

    _show(in_account(data_dir, account, work), as_json=as_json)


@task.command("list")
@click.argument("key")
@account_option
@data_option
@json_option
def listing(key: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the tasks of incident KEY in their order."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[Task]:
        return await core.incidents.tasks.of(tx, key)

    found = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    for one in found:
        _show(one, as_json=False)
    if not found:
        click.echo(f'none; add one with: callout incident task add {key} "check the replica lag"')


@task.command("done")
@click.argument("key")
@click.argument("number", type=int)
@click.option("--reopen", is_flag=True, help="It is not done after all.")
@account_option
@data_option
@json_option
def done(
    key: str, number: int, account: str | None, data_dir: Path | None, *, reopen: bool, as_json: bool
) -> None:
    """Tick off the task with that NUMBER."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Task:
        return await core.incidents.tasks.finish(tx, key, number, origin, done=not reopen)

    _show(in_account(data_dir, account, work), as_json=as_json)


@task.command("move")
@click.argument("key")
@click.argument("number", type=int)
@click.argument("position", type=int)
@account_option
@data_option
@json_option
def move(
    key: str, number: int, position: int, account: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Put the task with that NUMBER at another POSITION of the order, from 1."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> list[Task]:
        return await core.incidents.tasks.move(tx, key, number, position, origin)

    found = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    for one in found:
        _show(one, as_json=False)


@click.command()
@click.argument("key")
@click.argument("name")
@click.argument("person")
@account_option
@data_option
@json_option
def role(
    key: str, name: str, person: str, account: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Give the role NAME of incident KEY to PERSON: name or e-mail of a member, or `nobody`."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> list[RoleHolder]:
        who = None if person == "nobody" else await _person(core, tx, person)
        await core.incidents.roles.set(tx, key, name, who, origin)
        return await core.incidents.roles.holders(tx, key)

    found = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    for one in found:
        click.echo(f"{one.role}: {_called(one.person)}")
    if not found:
        click.echo("nobody has a role")


@click.command()
@click.argument("key")
@click.argument("person")
@account_option
@data_option
def join(key: str, person: str, account: str | None, data_dir: Path | None) -> None:
    """Put PERSON (name or e-mail of a member) on incident KEY."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Person:
        who = await _person(core, tx, person)
        await core.incidents.participants.join(tx, key, who, origin)
        return who

    click.echo(f"{_called(in_account(data_dir, account, work))} is on {key}")


@click.command()
@click.argument("key")
@click.argument("person")
@account_option
@data_option
def leave(key: str, person: str, account: str | None, data_dir: Path | None) -> None:
    """Take PERSON (name or e-mail of a member) off incident KEY."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> tuple[Person, bool]:
        who = await _person(core, tx, person)
        return who, await core.incidents.participants.leave(tx, key, who, origin)

    who, was = in_account(data_dir, account, work)
    click.echo(f"{_called(who)} {'is no longer' if was else 'was not'} on {key}")


@click.command()
@click.argument("key")
@click.option("--history", is_flag=True, help="Those who had a role or took part before, too.")
@account_option
@data_option
@json_option
def who(key: str, account: str | None, data_dir: Path | None, *, history: bool, as_json: bool) -> None:
    """Show who is on incident KEY: roles and who takes part."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> tuple[list[RoleHolder], list[Participant]]:
        held = await core.incidents.roles.history(tx, key)
        return held, await core.incidents.participants.of(tx, key, gone=history)

    held, people = in_account(data_dir, account, work)
    held = [one for one in held if history or one.until is None]
    if as_json:
        shown: dict[str, Any] = {
            "roles": [one.to_json() for one in held],
            "participants": [one.to_json() for one in people],
        }
        click.echo(json.dumps(shown))
        return
    for one in held:
        until = "" if one.until is None else f" until {one.until:%Y-%m-%d %H:%M}"
        click.echo(f"{one.role}: {_called(one.person)}, since {one.since:%Y-%m-%d %H:%M}{until} UTC")
    for other in people:
        left = "" if other.left_at is None else f", left {other.left_at:%Y-%m-%d %H:%M} UTC"
        click.echo(f"takes part: {_called(other.person)}, since {other.joined_at:%Y-%m-%d %H:%M} UTC{left}")
    if not held and not people:
        click.echo(f"nobody; for instance: callout incident role {key} commander ann@example.com")


COMMANDS: tuple[click.Command, ...] = (task, role, join, leave, who)
"""To be put into the group `callout incident`."""

"""`callout incident`: incidents from the command line, also when chat and the network are down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.in_account import in_account, in_wired_account
from callout.cli.incident_messages import COMMANDS as MESSAGES
from callout.cli.incident_messages import line_of
from callout.cli.incident_needs import field_option
from callout.cli.incident_needs import needs as needs_command
from callout.cli.incident_work import COMMANDS
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.bootstrap.core import Core
    from callout.bootstrap.wiring import Wired
    from callout.incidents import Attachment, Incident
    from callout.ports.values import Origin
    from callout.storage import AccountTx

MOST_READ = 201 * 1024 * 1024
"""More than may be attached, so that a file too large is known as such without being read whole."""


@click.group()
def incident() -> None:
    """Declare, read and move incidents; say who does what; decide about their tickets."""


for _command in (*COMMANDS, *MESSAGES):
    incident.add_command(_command)
incident.add_command(needs_command)


def _show(one: Incident, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(one.to_json()))
        return
    assignee = one.assignee.name if one.assignee else "nobody"
    click.echo(f"{one.key}  {one.severity}  {one.status.value:<12}  {assignee:<16}  {one.title}")


@incident.command()
@click.argument("title")
@click.option("--severity", help="That of the service, else SEV-3, where it is not given.")
@click.option("--description", default="")
@click.option("--service", default="")
@click.option("--team", default="")
@click.option("--tag", "tags", multiple=True)
@account_option
@data_option
@json_option
def declare(
    title: str,
    severity: str | None,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
    **more: Any,
) -> None:
    """Declare an incident."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Incident:
        from callout.incidents import DeclareIncident

        # The incident's own check reads the severity and says what is wrong with it.
        draft = DeclareIncident(title, severity=severity or "SEV-3", **more)  # type: ignore[arg-type]
        known = await core.responding.catalogue.filled(tx, draft, severity_given=severity is not None)
        return await core.incidents.declare(tx, known, origin)

    _show(in_account(data_dir, account, work), as_json=as_json)


@incident.command("list")
@click.option("--status", "statuses", multiple=True, help="Only these; repeat for several.")
@click.option("--limit", default=50, show_default=True)
@account_option
@data_option
@json_option
def listing(
    statuses: tuple[str, ...], limit: int, account: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """List incidents, newest first."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[Incident]:
        from callout.incidents import IncidentFilter
        from callout.ports.values import Status

        wanted = IncidentFilter(statuses=tuple(Status(status) for status in statuses))
        found, _ = await core.incidents.search(tx, wanted, limit=limit)
        return found

    found = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    for one in found:
        _show(one, as_json=False)
    if not found:
        click.echo('none; declare one with: callout incident declare "the database is down" --severity SEV-2')


@incident.command()
@click.argument("key")
@account_option
@data_option
@json_option
def show(key: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show an incident with its tickets, its messages in chat, and its timeline."""
    from callout.incidents import wording

    async def work(
        wired: Wired, tx: AccountTx, _origin: Origin
    ) -> tuple[Incident, list[Any], list[Any], list[Any]]:
        from callout import sync
        from callout.chatops.sent import SentMessages

        incidents = wired.core.incidents
        one = await incidents.get(tx, key)
        links, said = await sync.of_incident(tx, one.id), await SentMessages(wired.chat).of(tx, one.id)
        return one, links, said, await incidents.timeline(tx, one.id)

    one, links, said, lines = in_wired_account(data_dir, account, work)
    if as_json:
        tickets = [
            {
                "ticket": link.ticket_key,
                "state": link.status.value,
                "problem": link.problem and link.problem.to_json(),
            }
            for link in links
        ]
        timeline = [{"at": line.at.isoformat(), "kind": line.kind, "data": dict(line.data)} for line in lines]
        told = {"tickets": tickets, "messages": [each.to_json() for each in said], "timeline": timeline}
        click.echo(json.dumps({**one.to_json(), **told}))
        return
    _show(one, as_json=False)
    for link in links:
        click.echo(f"  ticket {link.ticket_key or '(being created)'}: {link.status.value}")
        if link.problem is not None:
            click.echo(f"    {link.problem.message}\n    → {link.problem.remediation}")
    for each in said:
        click.echo(f"  {line_of(each)}")
    for line in lines:
        click.echo(
            f"  {line.at:%H:%M:%S}  {line.origin.actor.name or 'Callout'}: {wording.said(line.kind, line.data)}"
        )


@incident.command()
@click.argument("key")
@click.argument("action", type=click.Choice(["acknowledge", "mitigate", "resolve", "close", "reopen"]))
@field_option
@account_option
@data_option
@json_option
def act(
    key: str,
    action: str,
    given: Mapping[str, str],
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Acknowledge, mitigate, resolve, close or reopen an incident."""

    async def work(wired: Wired, tx: AccountTx, origin: Origin) -> Incident:
        from callout.sync.needs import Needs

        return await Needs(wired.sync).act(tx, key, action, origin, given)

    _show(in_wired_account(data_dir, account, work), as_json=as_json)


@incident.command()
@click.argument("key")
@click.argument("text")
@click.option("--audience", type=click.Choice(["internal", "responders", "customer"]), default="responders")
@account_option
@data_option
def note(key: str, text: str, audience: str, account: str | None, data_dir: Path | None) -> None:
    """Write a note for an audience."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> None:
        from callout.ports.values import Audience

        await core.incidents.add_note(tx, key, text, Audience(audience), origin)

    in_account(data_dir, account, work)
    click.echo("noted")


@incident.command()
@click.argument("key", required=False)
@account_option
@data_option
@json_option
def conflicts(key: str | None, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the fields that an incident and a ticket changed differently and that wait for a person: of KEY, or of all."""

    async def work(wired: Wired, tx: AccountTx, _origin: Origin) -> list[Any]:
        from callout.sync.conflicts import Conflicts

        open_ones = Conflicts(wired.sync)
        return await open_ones.of_incident(tx, key) if key else await open_ones.of_account(tx)

    found = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    from callout.sync.conflicts import words_of

    for one in found:
        means = "" if one.theirs_here is None else f" (which is {words_of(one.theirs_here)} here)"
        click.echo(
            f"{one.incident.key}  {one.field}: here {words_of(one.ours)}, "
            f"in {one.integration} {one.link.ticket_key} {words_of(one.theirs)}{means}"
        )
        click.echo(
            f"  → callout incident resolve-conflict {one.incident.key} {one.field} --take ours|theirs"
            f" --integration {one.integration} --seen {one.seen}"
        )
    if not found:
        click.echo("no conflict waits for a person")


@incident.command("resolve-conflict")
@click.argument("key")
@click.argument("field")
@click.option("--take", type=click.Choice(["ours", "theirs"]), help="Whose value is to hold.")
@click.option("--value", help="A value of your own instead; an empty one for no assignee.")
@click.option(
    "--integration", default="", help="Which ticket, where several are in conflict about the field."
)
@click.option("--seen", default="", help="Refuse when either value is not the one listed with this mark.")
@account_option
@data_option
@json_option
def resolve_conflict(
    key: str,
    field: str,
    take: str | None,
    value: str | None,
    integration: str,
    seen: str,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Resolve the conflict of incident KEY about FIELD: keep ours, take theirs, or set a value of your own."""
    if (take is None) == (value is None):
        raise click.UsageError("give either --take ours|theirs or --value")

    async def work(wired: Wired, tx: AccountTx, origin: Origin) -> Any:
        from callout.sync.conflicts import Choice, Conflicts, Decision

        service = Conflicts(wired.sync)
        own: Any = None if field == "assignee" and not value else value
        decision = Decision(Choice.VALUE if take is None else Choice(take), own, seen)
        one = await service.find(tx, key, field, integration=integration)
        return await service.resolve(tx, one.link.id, field, decision, origin, incident=key)

    done = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(done.to_json()))
        return
    from callout.sync.conflicts import words_of

    one = done.conflict
    click.echo(
        f"{one.incident.key}  {field} is {words_of(done.value)}: here was {words_of(one.ours)}, "
        f"in {one.integration} {one.link.ticket_key} {words_of(one.theirs)}"
    )
    if not done.agreed:
        click.echo(f"  {one.link.ticket_key} gets it as soon as {one.integration} can be reached")


@incident.command()
@click.argument("key")
@click.argument("action", type=click.Choice(["stop", "resume", "retry", "create"]))
@click.option("--integration", default="", help="Which ticket, where the incident has several.")
@account_option
@data_option
@json_option
def link(
    key: str, action: str, integration: str, account: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Leave the ticket of incident KEY alone (stop), start again (resume), try again now (retry), or have it made (create).

    The last is for a ticket that perhaps exists, where nobody but a person could look.
    """

    async def work(wired: Wired, tx: AccountTx, origin: Origin) -> Any:
        from callout.sync.link_actions import LinkAction, LinkActions

        service = LinkActions(wired.sync)
        found = await service.find(tx, key, integration=integration)
        return await service.act(tx, found.id, LinkAction(action), origin, incident=key)

    done = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps({"id": done.id, "state": done.status.value, "ticket_key": done.ticket_key}))
        return
    ticket = done.ticket_key or "the ticket"
    words = {
        "stop": f"{ticket} is left alone until: callout incident link {key} resume",
        "resume": f"{ticket} is kept in step again; both sides' changes meet now",
        "retry": f"{ticket} is tried again now",
        "create": f"{ticket} is made now",
    }
    click.echo(words[action])


@incident.command()
@click.argument("key")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--audience",
    type=click.Choice(["internal", "responders", "customer"]),
    default="responders",
    show_default=True,
    help="Whom the file is for; it goes to no ticket where more people would read it.",
)
@click.option("--integration", help="Instead of a file: name of the integration that has a ticket.")
@click.option("--ticket", help="Key or id of that ticket there, such as OPS-31.")
@click.option(
    "--prefer",
    type=click.Choice(["ask", "incident", "ticket"]),
    default="ask",
    show_default=True,
    help="Whose values hold where incident and ticket differ.",
)
@account_option
@data_option
@json_option
def attach(
    key: str,
    file: Path | None,
    audience: str,
    integration: str | None,
    ticket: str | None,
    prefer: str,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Attach FILE to incident KEY; or, with --integration and --ticket, link a ticket that exists.

    A file goes to the incident's tickets; a ticket is read as soon as the other system can be reached.
    """
    if (file is None) == (ticket is None) or (ticket is None) != (integration is None):
        raise click.UsageError("give either a FILE, or --integration and --ticket")
    if file is not None:
        _attach_file(key, file, audience, account, data_dir, as_json=as_json)
        return

    async def work(wired: Wired, tx: AccountTx, origin: Origin) -> Any:
        from callout.sync.attach import TicketLinks

        service = TicketLinks(wired.sync)
        return await service.attach(
            tx, key, integration=integration or "", ticket=ticket or "", prefer=prefer, origin=origin
        )

    made = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps({"id": made.id, "state": made.status.value, "ticket_key": made.ticket_key}))
        return
    click.echo(f"{key} gets {made.ticket_key} of {integration}; see: callout incident show {key}")


def _attach_file(
    key: str, file: Path, audience: str, account: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    import mimetypes

    with file.open("rb") as opened:
        content = opened.read(MOST_READ)

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Attachment:
        from callout.incidents import NewFile
        from callout.ports.values import Audience

        found = NewFile(file.name, mimetypes.guess_type(file.name)[0] or "", content=content)
        return await core.incidents.attach(tx, key, found, Audience(audience), origin)

    made = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(_file_json(made)))
        return
    click.echo(f"{key} has {made.name} ({_size(made)}), for {made.audience.value}")


@incident.command()
@click.argument("key")
@account_option
@data_option
@json_option
def files(key: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the files of incident KEY, and how each stands to its tickets."""

    async def work(
        core: Core, tx: AccountTx, _origin: Origin
    ) -> tuple[list[Attachment], dict[str, list[str]]]:
        from callout import sync
        from callout.sync import files as sync_files

        one = await core.incidents.get(tx, key)
        tickets = {link.id: link.ticket_key for link in await sync.of_incident(tx, one.id)}
        shown = await sync_files.shown(core.incidents, tx, one.id, list(tickets))
        told: dict[str, list[str]] = {}
        for link_id, entries in shown.items():
            for entry in entries:
                why = f": {entry['why']}" if entry["why"] else ""
                line = f"{tickets[link_id]}: {entry['state'].replace('_', ' ')}{why}"
                told.setdefault(entry["attachment_id"], []).append(line)
        return await core.incidents.attachments(tx, one.id), told

    found, told = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([{**_file_json(one), "tickets": told.get(one.id, [])} for one in found]))
        return
    for one in found:
        click.echo(
            f"{one.name}  {_size(one)}  for {one.audience.value}  {one.added_at:%Y-%m-%d %H:%M}  {one.id}"
        )
        if one.why:
            click.echo(f"  {one.why}")
        for line in told.get(one.id, []):
            click.echo(f"  {line}")
    if not found:
        click.echo(f"none; attach one with: callout incident attach {key} FILE")


def _size(one: Attachment) -> str:
    from callout.incidents.attachments import size_words

    return "of unknown size" if one.size is None else size_words(one.size)


def _file_json(one: Attachment) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "media_type": one.media_type,
        "size": one.size,
        "sha256": one.sha256,
        "audience": one.audience.value,
        "added_at": one.added_at.isoformat(),
        "state": one.state.value,
        "why": one.why,
    }


@incident.command()
@click.argument("key")
@click.option("--integration", default="", help="Which ticket, where the incident has several.")
@account_option
@data_option
@json_option
def detach(key: str, integration: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Take the ticket off incident KEY: both stay as they are, and no rule makes an incident of it again."""

    async def work(wired: Wired, tx: AccountTx, origin: Origin) -> Any:
        from callout.sync.attach import TicketLinks

        return await TicketLinks(wired.sync).detach(tx, key, origin, integration=integration)

    gone = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps({"id": gone.id, "ticket_key": gone.ticket_key}))
        return
    click.echo(f"{gone.ticket_key or 'the ticket'} is no longer a ticket of {key}")


__all__ = ["in_account", "in_wired_account", "incident"]

"""What a person does about one incident, each in a form of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from callout.incidents import NewFile
from callout.incidents.attachments import check_size
from callout.incidents.edit import author_of
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience
from callout.server.dashboard import incident as pages
from callout.server.dashboard.incidents import severity_of, tags_of
from callout.server.dashboard.people import person_of
from callout.sync.conflicts import Choice, Decision
from callout.sync.link_actions import LinkAction
from callout.sync.needs import ENDS_BY
from callout.sync.why import revert

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

DONE: Final = {
    "acknowledge": "Acknowledged.",
    "mitigate": "Mitigated.",
    "resolve": "Resolved.",
    "close": "Closed.",
    "reopen": "Reopened.",
}
_FIELD: Final = "field."
"""Fields of tickets stand in a form by this and their name."""
DIGITS: Final = 9
"""Of a number that people give, so that it fits into 32 bits."""
_PREFERENCES: Final[Mapping[str, Literal["incident", "ticket", "ask"]]] = {
    "incident": "incident",
    "ticket": "ticket",
}


def _home(visit: Visit, part: str = "") -> str:
    return f"/incidents/{visit.argument('incident')}{part}"


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise InvalidRequestError(f"{text[:20]!r} is no number", fields={field: "must be a number"})
    return int(text)


def _audience(text: str) -> Audience | None:
    """Return the audience that was chosen, None for none."""
    return Audience(text) if text in list(Audience) else None


async def _submit(
    visit: Visit,
    unit: Callable[[Scope], Awaitable[Any]],
    *,
    done: str,
    part: str = "",
    permission: str = "incident.write",
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Carry out a small form of the incident's page; with what is wrong it is shown there again."""

    async def allowed(scope: Scope) -> None:
        scope.require(permission)
        await unit(scope)

    return await visit.submit(
        allowed, again=lambda: pages.show(visit), to=_home(visit, part), done=done, fields=fields
    )


async def act(visit: Visit) -> Response:
    """Move the incident along its life cycle, with what its tickets need for that."""
    form = visit.form
    action = form.text("action")
    given = {
        name.removeprefix(_FIELD): form.text(name)
        for name in form.names()
        if name.startswith(_FIELD) and form.text(name)
    }

    async def unit(scope: Scope) -> None:
        scope.require("incident.write")
        if action not in DONE:
            raise InvalidRequestError("there is no such action", fields={"action": "not known"})
        if note := form.text("note"):
            await visit.services.incidents.add_note(
                scope.tx, visit.argument("incident"), note, Audience.RESPONDERS, scope.origin
            )
        await visit.services.needs.act(scope.tx, visit.argument("incident"), action, scope.origin, given)

    async def again() -> Response:
        if action in ENDS_BY and "ending" in form:
            return await pages.ending(visit, action)
        return await pages.show(visit)

    fields = {name: _FIELD + name for name in given}
    return await visit.submit(unit, again=again, to=_home(visit), done=DONE.get(action, ""), fields=fields)


async def change(visit: Visit) -> Response:
    """Change the incident's fields; refused when somebody else was quicker."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        scope.require("incident.write")
        values: dict[str, Any] = {
            name: form.text(name) for name in ("title", "description", "service", "team") if name in form
        }
        if "severity" in form:
            values["severity"] = severity_of(form.text("severity"))
        if "tags" in form:
            values["tags"] = tags_of(form.text("tags"))
        for name in ("assignee", "commander"):
            if name in form and form.text(name) != form.text(f"{name}_was"):
                values[name] = await person_of(visit.services, scope, form.text(name), field=name)
        await visit.services.incidents.patch(
            scope.tx,
            visit.argument("incident"),
            values,
            scope.origin,
            expected_version=_number(form.text("version"), "version") if "version" in form else None,
        )

    return await visit.submit(unit, again=lambda: pages.edit(visit), to=_home(visit), done="Changed.")


async def note(visit: Visit) -> Response:
    """Write a note for an audience."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        audience = _audience(form.text("audience"))
        if audience is None:
            raise InvalidRequestError("choose who may read the note", fields={"audience": "choose one"})
        scope.require("incident.note.internal" if audience is Audience.INTERNAL else "incident.note")
        await visit.services.incidents.add_note(
            scope.tx, visit.argument("incident"), form.text("text"), audience, scope.origin
        )

    return await _submit(
        visit, unit, done="Noted.", part="#notes", permission="incident.note", fields={"note": "text"}
    )


async def attach(visit: Visit) -> Response:
    """Attach a file for an audience."""
    await visit.enter("incident.note")
    form = visit.form
    audience = _audience(form.text("file_audience"))
    if audience is None:
        form.wrong("file_audience", "choose one")
    if form.file is None:
        form.wrong("file", "choose a file")

    async def unit(scope: Scope) -> None:
        scope.require("incident.note.internal" if audience is Audience.INTERNAL else "incident.note")
        assert form.file is not None  # noqa: S101  # noted above, and then nothing runs
        assert audience is not None  # noqa: S101  # as above
        check_size(len(form.file.content), visit.services.incidents.attachment_limit)
        file = NewFile(form.file.name, form.file.kind, content=form.file.content)
        await visit.services.incidents.attach(
            scope.tx, visit.argument("incident"), file, audience, scope.origin
        )

    return await visit.submit(
        unit,
        again=lambda: pages.show(visit),
        to=_home(visit, "#files"),
        done="Attached.",
        fields={"content": "file", "name": "file"},
    )


async def correct(visit: Visit) -> Response:
    """Correct a line of the timeline by a later one."""

    async def unit(scope: Scope) -> None:
        await visit.services.incidents.correct(
            scope.tx,
            visit.argument("incident"),
            visit.form.text("entry"),
            visit.form.text("correction"),
            scope.origin,
        )

    return await _submit(visit, unit, done="Corrected.", part="#timeline", fields={"note": "correction"})


async def add_task(visit: Visit) -> Response:
    """Add a task at the end."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        assignee = await person_of(visit.services, scope, form.text("task_assignee"), field="task_assignee")
        await visit.services.incidents.tasks.add(
            scope.tx, visit.argument("incident"), form.text("task"), scope.origin, assignee=assignee
        )

    return await _submit(visit, unit, done="Task added.", part="#tasks", fields={"title": "task"})


async def finish_task(visit: Visit) -> Response:
    """Tick a task off, or open it again."""

    async def unit(scope: Scope) -> None:
        await visit.services.incidents.tasks.finish(
            scope.tx,
            visit.argument("incident"),
            _number(visit.argument("task"), "task"),
            scope.origin,
            done=visit.form.flag("finished"),
        )

    return await _submit(visit, unit, done="", part="#tasks")


async def take_part(visit: Visit) -> Response:
    """Join the incident, or leave it."""

    async def unit(scope: Scope) -> None:
        me = author_of(scope.origin)
        if me is None:
            raise InvalidRequestError("only a person can join")
        people = visit.services.incidents.participants
        step = people.join if visit.form.flag("join") else people.leave
        await step(scope.tx, visit.argument("incident"), me, scope.origin)

    return await _submit(visit, unit, done="", part="#people")


async def give_role(visit: Visit) -> Response:
    """Give a role to somebody, or to nobody."""

    async def unit(scope: Scope) -> None:
        person = await person_of(visit.services, scope, visit.form.text("person"), field="person")
        await visit.services.incidents.roles.set(
            scope.tx, visit.argument("incident"), visit.form.text("role"), person, scope.origin
        )

    return await _submit(visit, unit, done="", part="#people")


async def call_people(visit: Visit) -> Response:
    """Take the next step of the escalation, or call somebody now."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        escalations = visit.services.responding.escalations
        if target := form.text("target"):
            await escalations.page(
                scope.tx,
                visit.argument("incident"),
                target=target,
                origin=scope.origin,
                reason=form.text("reason"),
            )
        else:
            await escalations.escalate(
                scope.tx,
                visit.argument("incident"),
                origin=scope.origin,
                policy="",
                reason=form.text("reason"),
            )

    return await _submit(
        visit, unit, done="They are being called.", part="#calls", fields={"policy": "target"}
    )


async def settle(visit: Visit) -> Response:
    """Decide a conflict: keep ours, take theirs, or a value of one's own; about the values that were looked at."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        try:
            choice = Choice(form.text("choice"))
        except ValueError:
            raise InvalidRequestError(
                "choose whose value is to hold", fields={"choice": "choose one"}
            ) from None
        value = form.text("value") if choice is Choice.VALUE else None
        await visit.services.conflicts.resolve(
            scope.tx,
            visit.argument("link"),
            visit.argument("field"),
            Decision(choice, value, form.text("seen")),
            scope.origin,
            incident=visit.argument("incident"),
        )

    return await _submit(visit, unit, done="Decided.", part="#tickets", permission="conflict.resolve")


async def act_on_link(visit: Visit) -> Response:
    """Stop, start again or retry a link, or take its ticket off."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        if form.text("action") == "detach":
            await visit.services.ticket_links.detach(
                scope.tx, visit.argument("incident"), scope.origin, link_id=visit.argument("link")
            )
            return
        try:
            action = LinkAction(form.text("action"))
        except ValueError:
            raise InvalidRequestError("there is no such action", fields={"action": "not known"}) from None
        await visit.services.link_actions.act(
            scope.tx, visit.argument("link"), action, scope.origin, incident=visit.argument("incident")
        )

    return await _submit(visit, unit, done="", part="#tickets", permission="link.write")


async def attach_ticket(visit: Visit) -> Response:
    """Link a ticket that exists."""
    form = visit.form

    async def unit(scope: Scope) -> None:
        wanted = form.text("prefer")
        await visit.services.ticket_links.attach(
            scope.tx,
            visit.argument("incident"),
            integration=form.text("integration"),
            ticket=form.text("ticket"),
            prefer=_PREFERENCES.get(wanted, "ask"),
            origin=scope.origin,
        )

    return await _submit(
        visit, unit, done="The ticket is being read.", part="#tickets", permission="link.write"
    )


async def take_back(visit: Visit) -> Response:
    """Set a field back to the value that the current one replaced."""

    async def unit(scope: Scope) -> None:
        scope.require("incident.write")
        await revert(
            visit.services.incidents,
            scope.tx,
            visit.argument("incident"),
            visit.argument("field"),
            scope.origin,
            change_id=visit.form.text("change_id"),
        )

    return await visit.submit(unit, again=lambda: pages.explain(visit), to=_home(visit), done="Taken back.")


async def repost(visit: Visit) -> Response:
    """Send a message of chat again."""

    async def unit(scope: Scope) -> None:
        await visit.services.chat_messages.repost(
            scope.tx, visit.argument("incident"), visit.argument("message"), scope.origin
        )

    return await _submit(visit, unit, done="It is being sent again.", part="#messages")


def is_upload(path: str) -> bool:
    """Return whether a path takes a form with a file, whose size has a limit of its own."""
    return path.startswith("/incidents/") and path.endswith("/files")


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    one = "/incidents/{incident}"
    return [
        doors.action(f"{one}/actions", act),
        doors.action(f"{one}/edit", change),
        doors.action(f"{one}/notes", note),
        doors.upload(f"{one}/files", attach),
        doors.action(f"{one}/corrections", correct),
        doors.action(f"{one}/tasks", add_task),
        doors.action(f"{one}/tasks/{{task}}", finish_task),
        doors.action(f"{one}/participation", take_part),
        doors.action(f"{one}/roles", give_role),
        doors.action(f"{one}/calls", call_people),
        doors.action(f"{one}/conflicts/{{link}}/{{field}}", settle),
        doors.action(f"{one}/links/{{link}}", act_on_link),
        doors.action(f"{one}/links", attach_ticket),
        doors.action(f"{one}/why/{{field}}", take_back),
        doors.action(f"{one}/messages/{{message}}", repost),
    ]

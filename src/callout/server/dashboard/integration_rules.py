"""Rules of a ticketing integration: which incidents become tickets there, which tickets become incidents, and two words beside.

Each rule is a row of the form, each condition a field with the words that fit, with commas between them. What is chosen as the connector
has it is not stored.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.access.stamps import refuse_stale
from callout.ports.errors import CalloutError, InvalidRequestError
from callout.server.dashboard.forms import Form
from callout.server.dashboard.integration import check_sync, found, framed, home, own_sync
from callout.server.dashboard.integrations import REFUSALS
from callout.sync.rules import ACCEPT_CONDITIONS, ACCEPT_SETS, CONDITIONS

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

MOST_RULES: Final = 100
LONGEST: Final = 5_000
"""Of one field, in characters."""
EVERY: Final = "every"
READERS: Final = ("responders", "customer")
LABELS: Final[Mapping[str, str]] = {
    "severity": "Severity",
    "service": "Service",
    "team": "Team",
    "tag": "Tag",
    "project": "Project",
    "type": "Type",
    "priority": "Priority",
    "status": "Status",
    "assignee": "Assignee",
    "creator": "Creator",
    "title_contains": "Title contains",
}


@dataclass(frozen=True, slots=True)
class Direction:
    """One of the two lists of rules. `usual` is what holds where nobody and no connector says anything."""

    name: str
    conditions: tuple[str, ...]
    sets: tuple[str, ...]
    usual: bool


DIRECTIONS: Final = (
    Direction("create", CONDITIONS, (), usual=True),
    Direction("accept", tuple(ACCEPT_CONDITIONS), ACCEPT_SETS, usual=False),
)


def words_in(text: str) -> list[str]:
    """Return the words between commas; one that holds a comma stands in quotes. Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST} characters")
    if "\r" in text:
        raise ValueError("holds a line end")
    try:
        rows = list(csv.reader(text.split("\n"), skipinitialspace=True, strict=True))
    except csv.Error:
        raise ValueError('has a quote too few: write "down, again" for a word that holds a comma') from None
    return [word.strip() for row in rows for word in row if word.strip()]


def text_of(words: object) -> str:
    """Return words as they stand in a field."""
    if isinstance(words, str):
        words = [words]
    if not isinstance(words, Sequence):
        return ""
    return ", ".join(
        '"' + one.replace('"', '""') + '"' if "," in one or '"' in one else one for one in map(str, words)
    )


def values_of(sync: Mapping[str, Any], one: Integration) -> dict[str, str]:
    """Return what stands in the form at first."""
    filled = {"seen": one.updated_at.isoformat()}
    for way in DIRECTIONS:
        given = sync.get(way.name, way.usual)
        rules = given if isinstance(given, list) else []
        filled[way.name] = "rules" if rules else "all" if given else "none"
        for number, rule in enumerate(rules):
            place = f"{way.name}.{number}"
            filled |= {f"{place}.{name}": text_of(rule.get(name, ())) for name in way.conditions}
            also = rule.get("set", {})
            filled |= {f"{place}.set.{name}": text_of(also.get(name, "")) for name in way.sets}
            filled[f"{place}.{EVERY}"] = "" if any(name != "set" for name in rule) else "1"
    filled["file_readers"] = str(sync.get("file_readers") or "")
    filled["watch_webhooks"] = "1" if sync.get("watch_webhooks", True) else ""
    return filled


def numbers(form: Form, name: str) -> list[int]:
    """Return the numbers of the rows of a form in which something stands, and of an empty one more."""
    filled = [field.split(".") for field in form.names() if form.text(field)]
    known = {int(parts[1]) for parts in filled if _is_row(parts, name)}
    return [*sorted(known), max(known, default=-1) + 1]


def _is_row(parts: Sequence[str], name: str) -> bool:
    return (
        len(parts) > 2  # noqa: PLR2004  # name, number, condition
        and parts[0] == name
        and parts[1].isascii()
        and parts[1].isdigit()
        and len(parts[1]) <= len(str(MOST_RULES))
    )


async def show(visit: Visit) -> Response:
    """Show the rules."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("integration.read")
        frame = await framed(visit, scope)
        _refuse_other(frame["one"])
        return frame

    frame = await visit.look(unit)
    if visit.request.method == "GET":
        _fill(visit, frame["one"])
    return visit.page(
        "integrations/rules.html",
        status=200 if visit.form.ok else 422,
        ways={way.name: way for way in DIRECTIONS},
        rows={way.name: numbers(visit.form, way.name) for way in DIRECTIONS},
        labels=LABELS,
        readers=READERS,
        **frame,
    )


def _fill(visit: Visit, one: Integration) -> None:
    """Have the form show the rules in force; the connector's own where what is stored says what cannot be."""
    try:
        visit.form = Form(values=values_of(visit.services.oversight.sync(one), one))
    except InvalidRequestError as error:
        usual = visit.services.manage.integrations.manifest_of(one).mapping_defaults
        visit.form = Form(values=values_of(usual, one))
        visit.form.refused(error)


def _refuse_other(one: Integration) -> None:
    if one.category != "ticketing":
        raise InvalidRequestError(f"{one.name} is no ticketing system, so it has no rules for tickets")


async def change(visit: Visit) -> Response:
    """Store the rules."""
    await visit.enter("integration.write")
    form = visit.form
    places: dict[str, str] = {}
    read = {way.name: _typed(form, way, places) for way in DIRECTIONS}
    readers = form.text("file_readers")
    if readers and readers not in READERS:
        form.wrong("file_readers", "choose one of the list")

    async def unit(scope: Scope) -> None:
        scope.require("integration.write")
        scope.require("rule.write")
        one = await found(visit, scope)
        _refuse_other(one)
        refuse_stale(_moment(form), one.updated_at)
        usual = visit.services.manage.integrations.manifest_of(one).mapping_defaults
        own = own_sync(one)
        for way in DIRECTIONS:
            _put(own, way.name, read[way.name], usual.get(way.name, way.usual))
        _put(own, "file_readers", readers or None, usual.get("file_readers"))
        _put(own, "watch_webhooks", form.flag("watch_webhooks"), usual.get("watch_webhooks", True))
        check_sync(visit, one, own)
        await visit.services.manage.integrations.update(
            scope.tx,
            one.id,
            changes={"settings": {**one.settings, "sync": own}},
            actor=scope.caller.actor,
            origin=scope.origin,
        )

    if form.ok:
        try:
            await visit.act(unit)
        except REFUSALS as error:
            _refuse(form, error, places)
    if not form.ok:
        return await show(visit)
    visit.services.manage.changed()
    return visit.go(home(visit, "/rules"), "Saved. It holds for what happens from now on.")


def _put(own: dict[str, Any], name: str, value: object, usual: object) -> None:
    if value == usual:
        own.pop(name, None)
    else:
        own[name] = value


def _moment(form: Form) -> datetime | None:
    try:
        return datetime.fromisoformat(form.text("seen")) if form.text("seen") else None
    except ValueError:
        raise InvalidRequestError("the form is damaged", remediation="Load the page again.") from None


def _typed(form: Form, way: Direction, places: dict[str, str]) -> bool | list[dict[str, Any]]:
    """Return what a list of rules is to be; `places` learns which row stands for which rule. What is wrong is noted in the form."""
    chosen = form.text(way.name)
    if chosen in {"all", "none"}:
        return chosen == "all"
    if chosen != "rules":
        form.wrong(way.name, "choose one of the list")
        return way.usual
    rules: list[dict[str, Any]] = []
    for number in numbers(form, way.name)[:-1]:
        rule = _rule(form, way, f"{way.name}.{number}")
        if rule is not None:
            places[f"/sync/{way.name}/{len(rules)}"] = f"{way.name}.{number}"
            rules.append(rule)
    if len(rules) > MOST_RULES:
        form.wrong(way.name, f"has more than {MOST_RULES} rules")
    if not rules:
        form.wrong(way.name, "write at least one rule, or choose all or none")
    return rules


def _rule(form: Form, way: Direction, place: str) -> dict[str, Any] | None:
    """Return the rule of a row, None for an empty one."""
    rule: dict[str, Any] = dict(_words(form, place, way.conditions))
    if form.flag(f"{place}.{EVERY}") and rule:
        form.wrong(f"{place}.{EVERY}", "takes no conditions: empty them, or untick this")
    given = dict(_words(form, f"{place}.set", way.sets))
    for name in ("service", "team"):
        if name in given:
            given[name] = form.text(f"{place}.set.{name}")
    if given:
        rule["set"] = given
        if len(rule) == 1 and not form.flag(f"{place}.{EVERY}"):
            form.wrong(f"{place}.{EVERY}", "tick this, or write a condition: what is it that gets these?")
    return rule if rule or form.flag(f"{place}.{EVERY}") else None


def _words(form: Form, place: str, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name in names:
        try:
            words = words_in(form.text(f"{place}.{name}"))
        except ValueError as error:
            form.wrong(f"{place}.{name}", str(error))
            continue
        if words:
            yield name, words


def _refuse(form: Form, error: CalloutError, places: Mapping[str, str]) -> None:
    """Note why the rules were refused, beside the field that a pointer such as `/sync/accept/0/severity` means."""
    fields = {}
    for pointer in error.fields:
        rule, rest = "/".join(pointer.split("/")[:4]), pointer.split("/")[4:]
        if rule in places:
            fields[pointer] = ".".join([places[rule], *rest])
    form.refused(error, fields=fields)


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    path = "/integrations/{integration}/rules"
    return [doors.page(path, show), doors.action(path, change)]

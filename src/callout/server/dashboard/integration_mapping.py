"""The mapping of a ticketing integration, edited with the fields, statuses and priorities that the live instance has.

What is typed is laid over what the connector brings: only what differs from that is stored, so that a later version's better defaults
reach whoever did not choose otherwise. The instance is asked outside of any transaction; where it cannot be, names are typed freely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.access.stamps import refuse_stale
from callout.ports.errors import CalloutError, InvalidRequestError
from callout.ports.ticketing import StatusCategory
from callout.ports.values import Priority, Severity, Status
from callout.server.dashboard.forms import Form
from callout.server.dashboard.integration import check_sync, found, framed, home, own_sync
from callout.server.dashboard.integrations import REFUSALS
from callout.server.kept_secrets import guard_secrets
from callout.server.oversight import Offered
from callout.sync import needs_store
from callout.sync.mapping import SYNCED_FIELDS, TICKET_FIELD, FieldMappings
from callout.sync.merge import Resolution, SyncDirection

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from callout.integrations import Integration
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit
    from callout.sync.needs_store import Known

SEVERITIES: Final = tuple(str(Severity(rank)) for rank in range(1, 5))
CUSTOM: Final = "custom_field_mappings"
MORE_ROWS: Final = 2
"""Empty rows for further custom fields."""
MOST_CUSTOM: Final = 200
TABLES: Final = ("severities", "severities_in", "statuses", "statuses_in")
DIRECTIONS: Final = (
    (SyncDirection.BIDIRECTIONAL.value, "both ways"),
    (SyncDirection.OUTBOUND.value, "from here to there"),
    (SyncDirection.INBOUND.value, "from there to here"),
    (SyncDirection.NONE.value, "not at all"),
)
RESOLUTIONS: Final = (
    (Resolution.MERGE.value, "merge the two"),
    (Resolution.LOCAL.value, "the incident holds"),
    (Resolution.EXTERNAL.value, "the ticket holds"),
    (Resolution.MANUAL.value, "ask a person"),
)
CATEGORIES: Final = tuple(
    (f"category:{one.value}", f"any status that means {one.value}")
    for one in StatusCategory
    if one is not StatusCategory.UNKNOWN
)


@dataclass(frozen=True, slots=True)
class Editor:
    """What the form is made of: the mapping in force, what the instance offers, and what its moves were found to ask for."""

    one: Integration
    mappings: FieldMappings
    offered: Offered
    known: Known

    def theirs(self) -> list[tuple[str, str]]:
        """Return the instance's statuses with what they mean; without the instance those that the mapping names."""
        if self.offered.place is not None and self.offered.place.statuses:
            return [(name, kind.value) for name, kind in self.offered.place.statuses]
        named = {*self.mappings.statuses.values(), *self.mappings.statuses_in}
        return [(name, "") for name in sorted(named) if not name.startswith("category:")]

    def targets(self) -> list[tuple[str, str]]:
        """Return what a status of ours may become there."""
        own = [(name, f"{name} ({kind})" if kind else name) for name, kind in self.theirs()]
        return [*CATEGORIES, *own]

    def moves(self) -> list[dict[str, Any]]:
        """Return the fields that moves to an ending status ask for, with the instance's own choices."""
        rows = []
        for status, asked in self.known.asked.items():
            target = self.mappings.statuses[status]
            given = self.mappings.transition_fields.get(target, {})
            rows += [
                {
                    "name": f"move.{status.value}.{number}",
                    "status": status.value,
                    "target": target,
                    "id": needed.id,
                    "label": needed.label,
                    "required": needed.required,
                    "choices": [name for _, name in needed.choices],
                    "default": needed.default,
                    "value": str(given.get(needed.id, given.get(needed.label, "")) or ""),
                }
                for number, needed in enumerate(asked.fields)
            ]
        return rows

    def custom(self) -> list[dict[str, str]]:
        """Return the rows of custom fields, the empty ones among them."""
        entries = [each for each in self.one.provider_config.get(CUSTOM) or () if isinstance(each, Mapping)]
        rows = [(str(each.get("name") or ""), _path(each)) for each in entries]
        rows += [("", "")] * MORE_ROWS
        return [
            {"number": str(number), "name": name, "path": path} for number, (name, path) in enumerate(rows)
        ]

    def paths(self) -> list[tuple[str, str]]:
        """Return the instance's fields that a custom field can be kept in."""
        return [(one.path or one.id, f"{one.name} ({one.path or one.id})") for one in self.offered.fields]

    def carriers(self) -> dict[str, str]:
        """Return our synced fields with the name of the instance's field that carries each; empty where it has none."""
        if self.offered.place is None:
            return {}
        there = {one.carries: one.name for one in self.offered.place.fields if one.carries}
        return {name: there.get(TICKET_FIELD[name], "") for name in SYNCED_FIELDS}

    def values(self) -> dict[str, str]:
        """Return what stands in the form at first."""
        rules = self.mappings.rules(self.one.id)
        filled = {"seen": self.one.updated_at.isoformat()}
        for name in SYNCED_FIELDS:
            filled[f"direction.{name}"] = rules[name].direction.value
            filled[f"resolution.{name}"] = rules[name].resolution.value
        filled["comments"], filled["files"] = self.mappings.comments.value, self.mappings.files.value
        for severity in SEVERITIES:
            filled[f"severities.{severity}"] = str(self.mappings.severities.get(severity, ""))
        for priority in Priority:
            filled[f"severities_in.{priority.value}"] = str(self.mappings.severities_in.get(priority, ""))
        for status in Status:
            filled[f"statuses.{status.value}"] = self.mappings.statuses[status]
        for number, (name, _) in enumerate(self.theirs()):
            filled[f"statuses_in.{number}.name"] = name
            filled[f"statuses_in.{number}"] = str(self.mappings.statuses_in.get(name, ""))
        for category, _ in CATEGORIES:
            filled[f"statuses_in.{category}"] = str(self.mappings.statuses_in.get(category, ""))
        filled |= {row["name"]: row["value"] for row in self.moves()}
        for row in self.custom():
            filled |= {
                f"custom.{row['number']}.name": row["name"],
                f"custom.{row['number']}.path": row["path"],
            }
        return filled


def _path(entry: Mapping[str, Any]) -> str:
    return str(entry.get("provider_field_path") or entry.get("project_field_path") or "")


async def show(visit: Visit) -> Response:
    """Show the editor, with the choices of the live instance."""

    async def unit(scope: Scope) -> tuple[dict[str, Any], Known]:
        scope.require("integration.verify")
        frame = await framed(visit, scope)
        one: Integration = frame["one"]
        _refuse_other(one)
        project = str(one.provider_config.get("default_project") or "")
        return frame, await needs_store.of_place(scope.tx, one.id, project)

    frame, known = await visit.look(unit)
    one: Integration = frame["one"]
    offered, unread, remedy = Offered(), "", ""
    try:
        offered = await visit.services.oversight.offered(one)
    except CalloutError as error:
        unread, remedy = error.message, error.remediation
    editor = Editor(one, _mappings(visit, one), offered, known)
    if visit.request.method == "GET":
        visit.form = Form(values=editor.values())
    return visit.page(
        "integrations/mapping.html",
        status=200 if visit.form.ok else 422,
        editor=editor,
        place=offered.place,
        unread=unread,
        remedy=remedy,
        synced=SYNCED_FIELDS,
        directions=DIRECTIONS,
        resolutions=RESOLUTIONS,
        severities=SEVERITIES,
        priorities=[one.value for one in Priority],
        statuses=[one.value for one in Status],
        categories=CATEGORIES,
        has_custom=CUSTOM in visit.services.manage.integrations.manifest_of(one).config.model_fields,
        **frame,
    )


def _refuse_other(one: Integration) -> None:
    if one.category != "ticketing":
        raise InvalidRequestError(f"{one.name} is no ticketing system, so there is nothing to map")


def _mappings(visit: Visit, one: Integration) -> FieldMappings:
    """Return the mapping in force; the connector's own where what is stored says what cannot be."""
    try:
        return FieldMappings.from_settings(visit.services.oversight.sync(one))
    except InvalidRequestError as error:
        visit.form.refused(error)
        return _defaults(visit, one)


def _defaults(visit: Visit, one: Integration) -> FieldMappings:
    return FieldMappings.from_settings(visit.services.manage.integrations.manifest_of(one).mapping_defaults)


async def change(visit: Visit) -> Response:
    """Store the mapping and lead on to what the plan says of it."""
    form = visit.form

    async def unit(scope: Scope) -> str | None:
        scope.require("integration.write")
        scope.require("rule.write")
        one = await found(visit, scope)
        _refuse_other(one)
        refuse_stale(_moment(form), one.updated_at)
        own = _own(form, _defaults(visit, one), own_sync(one))
        check_sync(visit, one, own)
        changes: dict[str, Any] = {"settings": {**one.settings, "sync": own}}
        if any(name.startswith("custom.") for name in form.names()):
            config = {**one.provider_config, CUSTOM: _custom(form, one.provider_config.get(CUSTOM) or ())}
            guard_secrets(scope.caller, scope.tx.account_id, one.provider_config, config)
            changes["provider_config"] = config
        await visit.services.manage.integrations.update(
            scope.tx, one.id, changes=changes, actor=scope.caller.actor, origin=scope.origin
        )
        may_plan = scope.caller.may("incident.read", scope.tx.account_id)
        return home(visit, "/plan") if may_plan else None

    try:
        where = await visit.act(unit)
    except REFUSALS as error:
        _refuse(form, error)
        return await show(visit)
    visit.services.manage.changed()
    return visit.go(where or home(visit, "/mapping"), "Saved. This is what the live instance says to it:")


def _moment(form: Form) -> datetime | None:
    try:
        return datetime.fromisoformat(form.text("seen")) if form.text("seen") else None
    except ValueError:
        raise InvalidRequestError("the form is damaged", remediation="Load the page again.") from None


def _own(form: Form, defaults: FieldMappings, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operator's own settings: as they were, with what the form says where that differs from the connector's."""
    own = dict(before)
    rules = defaults.rules("")
    fields: dict[str, dict[str, str]] = {}
    for name in SYNCED_FIELDS:
        chosen = {
            "direction": (form.text(f"direction.{name}"), rules[name].direction.value),
            "resolution": (form.text(f"resolution.{name}"), rules[name].resolution.value),
        }
        differs = {key: value for key, (value, usual) in chosen.items() if value and value != usual}
        if differs:
            fields[name] = differs
    _put(own, "fields", fields)
    for name, usual in (("comments", defaults.comments.value), ("files", defaults.files.value)):
        value = form.text(name)
        if value:
            _put(own, name, value if value != usual else None)
    for table in TABLES:
        typed = _typed(form, table)
        if typed:
            usual_table: Mapping[str, str] = getattr(defaults, table)
            kept = {key: value for key, value in _object(own, table).items() if key not in typed}
            differs = {key: value for key, value in typed.items() if value and value != usual_table.get(key)}
            _put(own, table, kept | differs)
    _put(own, "transition_fields", _moves(form, _object(own, "transition_fields")))
    return own


def _put(own: dict[str, Any], name: str, value: object) -> None:
    if value:
        own[name] = value
    else:
        own.pop(name, None)


def _object(own: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = own.get(name)
    return value if isinstance(value, Mapping) else {}


def _typed(form: Form, table: str) -> dict[str, str]:
    """Return what was chosen in a table, by its left side; a status of theirs is named beside its choice."""
    typed = {}
    for name in form.names():
        key = name.removeprefix(f"{table}.")
        if key == name or key.endswith(".name"):
            continue
        typed[form.text(f"{name}.name") or key] = form.text(name)
    return typed


def _moves(form: Form, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields given with moves, by the status there; a field that the form does not have stays."""
    made = {target: dict(given) for target, given in before.items() if isinstance(given, Mapping)}
    for name in form.names():
        if not name.startswith("move.") or name.count(".") != 2:  # noqa: PLR2004  # move, status, number
            continue
        target, field = form.text(f"{name}.target"), form.text(f"{name}.id")
        if not target or not field:
            continue
        given = made.setdefault(target, {})
        if value := form.text(name):
            given[field] = value
        else:
            given.pop(field, None)
    return {target: given for target, given in made.items() if given}


def _custom(form: Form, before: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the custom fields; what an entry holds beside its name and path stays. Raises InvalidRequestError."""
    made, wrong = [], {}
    for number in range(MOST_CUSTOM):
        place = f"custom.{number}"
        if f"{place}.name" not in form:
            break
        name, path = form.text(f"{place}.name"), form.text(f"{place}.path")
        if not name and not path:
            continue
        if not name or not path:
            wrong[f"{place}.{'path' if name else 'name'}"] = "is missing"
            continue
        former = before[number] if number < len(before) and isinstance(before[number], Mapping) else {}
        kept = {key: value for key, value in former.items() if key != "project_field_path"}
        made.append({**kept, "name": name, "provider_field_path": path})
    if wrong:
        raise InvalidRequestError("a custom field has a name here and a field there", fields=wrong)
    return made


def _refuse(form: Form, error: CalloutError) -> None:
    """Note why the mapping was refused, beside the field that a pointer such as `/sync/statuses/open` means."""
    if form.too_late(error):
        return
    above = []
    for pointer, what in error.fields.items():
        name = ".".join(pointer.removeprefix("/").removeprefix("sync/").split("/"))
        if name.startswith("fields."):
            _, field, key = (*name.split("."), "direction")[:3]
            name = f"{key}.{field}"
        if name.startswith((CUSTOM, f"provider_config.{CUSTOM}")):
            number = name.rpartition(f"{CUSTOM}.")[2].partition(".")[0]
            name = f"custom.{number}.path"
        if name in form:
            form.wrong(name, what.removeprefix("Value error, "))
        else:
            above.append(f"{pointer}: {what}")
    if above or not error.message.startswith("/"):
        form.error = "; ".join([error.message, *above])
    form.remediation = error.remediation


def routes(doors: Doors) -> list[Route]:
    """Return the routes of this area."""
    path = "/integrations/{integration}/mapping"
    return [doors.page(path, show), doors.action(path, change)]

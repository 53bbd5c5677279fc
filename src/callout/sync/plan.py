"""The plan: an integration's mapping held against the live instance, before anything is written.

Reads only, through the ports alone. What a connector or an instance cannot tell is said as not checked, never passed over.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callout.kit.text import Paragraph, parse_markdown
from callout.kit.text import Text as TextRun
from callout.ports.errors import CalloutError, InvalidRequestError, RejectedError
from callout.ports.provider import (
    ConnectionReport,
    SupportsCatalogue,
    SupportsChanges,
    SupportsComments,
    SupportsPeople,
    SupportsRemoteFields,
    TicketingProvider,
)
from callout.ports.ticketing import FieldCatalogue, FieldOption, RemoteField
from callout.ports.values import Priority, Severity
from callout.sync.mapping import SYNCED_FIELDS, TICKET_FIELD, FieldMappings
from callout.sync.merge import SyncDirection
from callout.sync.needs_reading import Reading, read_needs
from callout.sync.plan_model import SETTINGS, Finding, OwnText, Plan, PlanSubject, Somebody, Verdict
from callout.sync.plan_paths import Moves
from callout.sync.plan_status import check_statuses
from callout.sync.settings import check

if TYPE_CHECKING:
    from callout.kit.clock import Clock

DRAFTED: Final = frozenset(
    {"title", "description", "project", "issue_type", "priority", "assignee", "creator"}
)
"""Fields of a ticket that a creation fills, or that the vendor fills with who we are."""
MOST_PEOPLE: Final = 100
"""People looked up in one plan: a vendor's search for people has a small budget of its own."""
NOTABLE_SKEW: Final = timedelta(seconds=60)
_EQUAL: Final[Mapping[str, frozenset[str]]] = {
    name: group
    for group in (
        frozenset({Priority.URGENT.value, Priority.CRITICAL.value}),
        frozenset({Priority.MEDIUM.value, Priority.MODERATE.value}),
    )
    for name in group
}


class Planner:
    """Makes plans."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def plan(self, subject: PlanSubject, provider: TicketingProvider | CalloutError) -> Plan:
        """Return the plan of one integration; an error in the place of its `provider` says why it could not be opened."""
        findings, needs = list(check_settings(subject)), None
        mappings = None
        if all(found.verdict is not Verdict.REJECTED for found in findings):
            mappings = FieldMappings.from_settings(subject.settings)
            findings = findings or [Finding("settings", "", Verdict.VALID, "every sync setting is known")]
        if isinstance(provider, CalloutError):
            findings.append(_refused("connection", "", provider))
        else:
            live, needs = await self._live(subject, mappings, provider)
            findings += live
        return Plan(subject, self._clock.now(), tuple(findings), needs)

    async def _live(
        self, subject: PlanSubject, mappings: FieldMappings | None, provider: TicketingProvider
    ) -> tuple[list[Finding], Reading | None]:
        try:
            report = await provider.check_connection()
        except CalloutError as error:
            return [_refused("connection", "", error), *_unchecked("nothing else could be asked")], None
        findings, needs = list(_connection(report)), None
        if mappings is None:
            return [*findings, *_unchecked("the sync settings have to be corrected first")], None
        catalogue: FieldCatalogue | None = None
        if not isinstance(provider, SupportsCatalogue):
            findings.append(_unknown("place", "", "the connector cannot describe what the instance offers"))
        else:
            try:
                catalogue = await provider.field_catalogue(
                    subject.default_project, subject.default_issue_type
                )
            except CalloutError as error:
                findings.append(_refused("place", subject.default_project, error))
        if catalogue is not None:
            place = f"{catalogue.project} / {catalogue.issue_type}"
            findings.append(Finding("place", place, Verdict.VALID, f"tickets are made in {place}"))
            findings += check_fields(mappings, catalogue)
            findings += check_severities(subject, mappings, catalogue)
            moves = Moves(provider, catalogue)
            findings += await check_statuses(mappings, moves, catalogue)
            needs = await _needs(mappings, moves, catalogue)
            findings += check_texts(subject.texts, mappings, catalogue)
        findings += await _custom_fields(subject, provider)
        findings += await _people(subject.people, mappings, provider)
        findings += _abilities(mappings, provider)
        return findings, needs


async def _needs(mappings: FieldMappings, moves: Moves, catalogue: FieldCatalogue) -> Reading | None:
    try:
        return await read_needs(mappings, moves, catalogue)
    except CalloutError:
        return None  # the statuses say why


# ------------------------------------------------------------------------------------------------ settings


def check_settings(subject: PlanSubject) -> Iterator[Finding]:
    """Yield what is wrong with the sync settings: each key by itself, so that one slip does not hide another."""
    for key in sorted(set(subject.own) - SETTINGS):
        near = difflib.get_close_matches(key, SETTINGS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(SETTINGS))}."
        yield Finding("settings", key, Verdict.REJECTED, f"there is no sync setting {key!r}", hint)
    for key in sorted(SETTINGS & set(subject.settings)):
        try:
            check({key: subject.settings[key]})
        except InvalidRequestError as error:
            yield _refused("settings", key, error)


# ---------------------------------------------------------------------------------------------- connection


def _connection(report: ConnectionReport) -> Iterator[Finding]:
    who = report.account.name if report.account else "nobody"
    if report.ok:
        said = f"connected to {report.instance or 'it'} as {who}, time zone {report.time_zone}"
        yield Finding("connection", "", Verdict.VALID, said)
    else:
        yield Finding(
            "connection",
            "",
            Verdict.REJECTED,
            f"connected as {who}, who may not do what is needed",
            "See below.",
        )
    for warning in report.warnings:
        words, _, step = warning.partition(": ")
        verdict = Verdict.REJECTED if warning in report.blocking or not report.ok else Verdict.WARNING
        yield Finding("rights", "", verdict, words, step[:1].upper() + step[1:])
    skew = round(report.clock_skew.total_seconds())
    if abs(report.clock_skew) >= NOTABLE_SKEW and not any("clock" in words for words in report.warnings):
        side = "ahead of" if skew > 0 else "behind"
        yield Finding(
            "clock",
            "",
            Verdict.WARNING,
            f"their clock is {abs(skew)} s {side} ours: times of theirs on timelines are off by as much",
            "Set this machine's clock by NTP. Sync itself goes by each side's own order of changes.",
        )


def _abilities(mappings: FieldMappings, provider: TicketingProvider) -> Iterator[Finding]:
    if mappings.comments is not SyncDirection.NONE and not isinstance(provider, SupportsComments):
        yield Finding("comments", "", Verdict.WARNING, "the connector has no comments: notes stay here")
    if not isinstance(provider, SupportsChanges):
        said = "the connector cannot be polled: what a lost webhook would have told is found at the next change only"
        yield Finding("polling", "", Verdict.WARNING, said)


# -------------------------------------------------------------------------------------------------- fields


def check_fields(mappings: FieldMappings, catalogue: FieldCatalogue) -> Iterator[Finding]:
    """Yield which synced fields the place has, and which fields it requires that nothing gives."""
    carried = {field.carries: field for field in catalogue.fields if field.carries}
    rules = mappings.rules("")
    where = f"{catalogue.project} / {catalogue.issue_type}"
    for name in SYNCED_FIELDS:
        direction = rules[name].direction
        if name == "status":
            continue  # by its own check
        if direction is SyncDirection.NONE:
            yield Finding("field", name, Verdict.VALID, "not synced, as the settings say")
        elif not carried:
            yield _unknown("field", name, "the connector does not say which field carries it")
        elif TICKET_FIELD[name] in carried:
            there = carried[TICKET_FIELD[name]]
            yield Finding("field", name, Verdict.VALID, f"{direction.value} with {there.name} ({there.path})")
        else:
            verdict = Verdict.REJECTED if direction.outbound else Verdict.WARNING
            yield Finding(
                "field",
                name,
                verdict,
                f"{where} has no field for {TICKET_FIELD[name]}: {name} cannot be written there",
                f'Add the field to the screen of {where}, or set fields.{name}.direction to "none" in the sync settings.',
            )
    for field in catalogue.fields:
        if field.required and not field.default and field.carries not in DRAFTED:
            choices = ", ".join(option.name for option in field.options)
            yield Finding(
                "field",
                field.name,
                Verdict.REJECTED,
                f"{where} requires {field.name!r} ({field.path}), which nothing gives: no ticket can be created"
                + (f"; allowed: {choices}" if choices else ""),
                "Give it a default there, make it optional, or choose another default_issue_type.",
            )


async def _custom_fields(subject: PlanSubject, provider: TicketingProvider) -> list[Finding]:
    if not subject.custom_fields:
        return []
    if not isinstance(provider, SupportsRemoteFields):
        return [
            _unknown("custom field", name, "its fields cannot be listed") for name in subject.custom_fields
        ]
    try:
        fields = await provider.list_remote_fields()
    except CalloutError as error:
        return [_unknown("custom field", "", error.message, error.remediation)]
    return [_custom_field(name, path, fields) for name, path in subject.custom_fields.items()]


def _custom_field(name: str, path: str, fields: Sequence[RemoteField]) -> Finding:
    plain = path.removeprefix("fields.")
    parts = {plain, plain.split(".")[0], plain.rpartition(".")[2]}
    known = {field.id: field for field in fields} | {field.path: field for field in fields}
    last = {field.path.rpartition(".")[2]: field for field in fields}
    found = next((known[part] for part in (plain, plain.split(".")[0]) if part in known), None)
    found = found or next((last[part] for part in parts if part in last), None)
    if found is not None:
        return Finding("custom field", name, Verdict.VALID, f"{path} is {found.name}")
    near = difflib.get_close_matches(plain, [*known, *(field.name for field in fields)], n=3)
    return Finding(
        "custom field",
        name,
        Verdict.REJECTED,
        f"the instance has no field {path!r}",
        f"Did you mean {', '.join(near)}?"
        if near
        else "Correct custom_field_mappings, or add the field there.",
    )


# ---------------------------------------------------------------------------------------------- severities


def check_severities(
    subject: PlanSubject, mappings: FieldMappings, catalogue: FieldCatalogue
) -> Iterator[Finding]:
    """Yield, for each severity of ours, the priority it becomes there and what that comes back as."""
    rule = mappings.rules("")["severity"]
    if not rule.direction.outbound:
        return
    options = [option for option in catalogue.priorities if option.means]
    chosen = subject.own.get("severities")
    typed = {str(Severity.parse(str(name))) for name in (chosen if isinstance(chosen, Mapping) else {})}
    for severity, priority in sorted(mappings.severities.items()):
        if not options:
            yield _unknown("severity", severity, "the instance does not tell what its priorities mean")
            continue
        there = [one for one in options if one.means in _EQUAL.get(priority, {priority})]
        if there:
            yield _severity(severity, there, mappings)
            continue
        names = ", ".join(option.name for option in catalogue.priorities)
        yield Finding(
            "severity",
            severity,
            Verdict.REJECTED if severity in typed else Verdict.WARNING,
            f"no priority there means {priority}; it has: {names}. The nearest is written, and comes back as another severity",
            f"Set severities.{severity} in the sync settings to a priority that the instance has.",
        )


def _severity(severity: str, there: Sequence[FieldOption], mappings: FieldMappings) -> Finding:
    back = mappings.severities_in.get(there[0].means)
    names = " or ".join(option.name for option in there)
    if back in {severity, None}:
        return Finding("severity", severity, Verdict.VALID, f"becomes {names}")
    said = f"becomes {names}, which means {back} when somebody chooses it there"
    return Finding("severity", severity, Verdict.VALID, said)


# ------------------------------------------------------------------------------------------- people, texts


async def _people(
    people: Sequence[Somebody], mappings: FieldMappings, provider: TicketingProvider
) -> list[Finding]:
    if not mappings.rules("")["assignee"].direction.outbound:
        return []
    if not isinstance(provider, SupportsPeople):
        return [_unknown("people", "", "the connector cannot look people up")]
    findings: list[Finding] = []
    for one in people[:MOST_PEOPLE]:
        try:
            known = await provider.find_person(email=one.email, name="" if one.email else one.name)
        except RejectedError as error:
            findings.append(_unknown("people", one.name, error.message, error.remediation))
        except CalloutError as error:
            return [*findings, _unknown("people", "", error.message, error.remediation)]
        else:
            findings.append(_person(one, None if known is None else known.name or known.id))
    if len(people) > MOST_PEOPLE:
        left = len(people) - MOST_PEOPLE
        findings.append(
            _unknown("people", "", f"{left} more people were not looked up, to spare the vendor's budget")
        )
    return findings


def _person(one: Somebody, known: str | None) -> Finding:
    subject = one.email or one.name
    if known is not None:
        return Finding("people", subject, Verdict.VALID, f"is {known} there")
    if one.assigned:
        return Finding(
            "people",
            subject,
            Verdict.REJECTED,
            f"nobody there, or more than one, is known as {subject}: the assignment of {', '.join(one.assigned)} is refused",
            "Add the person there with this e-mail, make the e-mail visible to the integration's user, or assign somebody else.",
        )
    doing = f" commands {', '.join(one.commands)} and" if one.commands else ""
    return Finding(
        "people",
        subject,
        Verdict.WARNING,
        f"{one.name or subject}{doing} has no counterpart there: an incident assigned to them would not be assigned there",
        "Add the person there with this e-mail, or make the e-mail visible to the integration's user.",
    )


def check_texts(
    texts: Sequence[OwnText], mappings: FieldMappings, catalogue: FieldCatalogue
) -> Iterator[Finding]:
    """Yield which titles and descriptions of open incidents would be cut, or lose their structure."""
    carried = {field.carries: field for field in catalogue.fields if field.carries}
    rules = mappings.rules("")
    for name in ("title", "description"):
        field = carried.get(name)
        if field is None or not rules[name].direction.outbound:
            continue
        if not field.limit:
            yield _unknown("text", name, "its longest length is not known")
        elif all(len(getattr(own, name)) <= field.limit for own in texts):
            yield Finding(
                "text", name, Verdict.VALID, f"nothing open is longer than its {field.limit} characters"
            )
        for own in texts:
            length = len(getattr(own, name))
            if field.limit and length > field.limit:
                said = f"the {name} has {length} characters and would be cut to {field.limit}"
                yield Finding(
                    "text", own.key, Verdict.WARNING, said, "Shorten it, or put the rest into a note."
                )
            lost = structure_of(own.description) if name == "description" and field.plain else ()
            if lost:
                said = f"{field.name} is plain there: {', '.join(lost)} would show as typed"
                yield Finding(
                    "text",
                    own.key,
                    Verdict.WARNING,
                    said,
                    "Nothing is lost here; people there see the Markdown.",
                )


def structure_of(markdown: str) -> tuple[str, ...]:
    """Return what of a text is more than running text, in words."""
    kinds: set[str] = set()
    for block in parse_markdown(markdown).blocks:
        if not isinstance(block, Paragraph):
            kinds.add(_KINDS.get(type(block).__name__, type(block).__name__.lower()))
            continue
        for run in block.inlines:
            if isinstance(run, TextRun) and (run.strong or run.em or run.strike or run.code or run.link):
                kinds.add("emphasis and links")
    return tuple(sorted(kinds))


_KINDS: Final = {
    "BulletList": "lists",
    "OrderedList": "lists",
    "CodeBlock": "code",
    "Heading": "headings",
    "Quote": "quotes",
    "Table": "tables",
    "Rule": "lines",
}


def _refused(part: str, subject: str, error: CalloutError) -> Finding:
    detail = "; ".join(f"{name}: {why}" for name, why in error.fields.items())
    message = f"{error.message} ({detail})" if detail and detail not in error.message else error.message
    return Finding(part, subject, Verdict.REJECTED, message, error.remediation, {"code": error.code})


def _unknown(part: str, subject: str, why: str, remediation: str = "") -> Finding:
    return Finding(part, subject, Verdict.NOT_CHECKED, why, remediation)


def _unchecked(why: str) -> Iterator[Finding]:
    for part in ("place", "field", "severity", "status", "people", "text"):
        yield _unknown(part, "", why)


__all__ = ["Planner", "check_fields", "check_settings", "check_severities", "check_texts", "structure_of"]

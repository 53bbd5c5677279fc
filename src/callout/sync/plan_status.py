"""The statuses of a mapping held against the live workflow: what each becomes there, by which moves, and with which fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from callout.ports.errors import CalloutError
from callout.ports.ticketing import FieldCatalogue, StatusCategory, Transition
from callout.ports.values import Status
from callout.sync.mapping import FieldMappings
from callout.sync.plan_model import Finding, Verdict
from callout.sync.plan_paths import CATEGORY, Moves, Need, Way, meant, needs


async def check_statuses(mappings: FieldMappings, moves: Moves, catalogue: FieldCatalogue) -> list[Finding]:
    """Return, for each status of ours, whether the workflow has what it is mapped to and a way there from a new ticket."""
    rule = mappings.rules("")["status"]
    findings = list(_inbound(mappings, catalogue)) if rule.direction.inbound else []
    if not rule.direction.outbound:
        return findings
    if not catalogue.statuses:
        return [
            *findings,
            Finding("status", "", Verdict.NOT_CHECKED, "the instance does not show its statuses"),
        ]
    try:
        start = await moves.start()
        for status in Status:
            findings.append(await _outbound(status, mappings, moves, start, catalogue))
    except CalloutError as error:
        findings.append(Finding("status", "", Verdict.NOT_CHECKED, error.message, error.remediation))
    return [*findings, *_loose_fields(mappings)]


async def _outbound(
    status: Status, mappings: FieldMappings, moves: Moves, start: str, catalogue: FieldCatalogue
) -> Finding:
    wanted = mappings.statuses[status]
    if not meant(wanted, catalogue.statuses):
        choices = ", ".join(name for name, _ in catalogue.statuses)
        return Finding(
            "status",
            status,
            Verdict.REJECTED,
            f"it is mapped to {wanted!r}, which {catalogue.project} / {catalogue.issue_type} does not have",
            f"Set statuses.{status} to one of: {choices}; or to category:new, category:active or category:done.",
        )
    way = await moves.way(start, wanted)
    if way.moves is None:
        return _no_way(status, wanted, start, way, catalogue)
    given = mappings.transition_fields.get(wanted, {})
    steps = [(move, needs(move, given)) for move in way.moves]
    data = {"from": start, "to": wanted, "path": [_step(move, asked) for move, asked in steps]}
    problem = _problem(steps, wanted)
    if problem is not None:
        return Finding("status", status, Verdict.REJECTED, *problem, data)
    if not steps:
        return Finding("status", status, Verdict.VALID, f"a new ticket is {start!r} already", data=data)
    names = " → ".join([start, *(move.to_status for move, _ in steps)])
    return Finding("status", status, Verdict.VALID, f"by {names}", data=data)


def _no_way(status: Status, wanted: str, start: str, way: Way, catalogue: FieldCatalogue) -> Finding:
    data = {"from": start, "to": wanted, "unread": list(way.unread)}
    if way.unread:
        names = ", ".join(repr(name) for name in way.unread)
        return Finding(
            "status",
            status,
            Verdict.NOT_CHECKED,
            f"no ticket of {catalogue.project} / {catalogue.issue_type} is in {names}, so what follows there cannot be read",
            "Make one there by hand, then plan again.",
            data,
        )
    return Finding(
        "status",
        status,
        Verdict.REJECTED,
        f"no move leads from {start!r} to {wanted!r}",
        f"Add a transition there, grant the right to use it, or map {status} to another status.",
        data,
    )


def _problem(steps: Sequence[tuple[Transition, Sequence[Need]]], wanted: str) -> tuple[str, str] | None:
    for move, asked in steps:
        for need in asked:
            choices = ", ".join(option.name for option in need.field.options)
            place = f'transition_fields["{wanted}"]["{need.field.id}"] in the sync settings'
            if need.missing:
                return (
                    f"the move {move.name!r} to {move.to_status!r} needs {need.field.name!r}, and nothing gives it",
                    f"Set {place}" + (f" to one of: {choices}." if choices else "."),
                )
            if not need.allowed:
                return (
                    f"the move {move.name!r} does not take {need.value!r} for {need.field.name!r}",
                    f"Set {place} to one of: {choices}.",
                )
    return None


def _step(move: Transition, asked: Sequence[Need]) -> dict[str, Any]:
    return {
        "move": move.name,
        "to": move.to_status,
        "requires": [need.to_json() for need in asked],
    }


def _loose_fields(mappings: FieldMappings) -> Iterator[Finding]:
    used = set(mappings.statuses.values())
    for target in mappings.transition_fields:
        if target not in used:
            yield Finding(
                "settings",
                f"transition_fields/{target}",
                Verdict.REJECTED,
                f"no status of ours is mapped to {target!r}, so these fields are never sent",
                f"Name what a status is mapped to: {', '.join(sorted(used))}.",
            )


def _inbound(mappings: FieldMappings, catalogue: FieldCatalogue) -> Iterator[Finding]:
    """Yield which names of `statuses_in` there are not, and which statuses there mean nothing here."""
    if not catalogue.statuses:
        return
    for name in mappings.statuses_in:
        if not name.startswith(CATEGORY) and not meant(name, catalogue.statuses):
            choices = ", ".join(known for known, _ in catalogue.statuses)
            yield Finding(
                "status",
                f"theirs {name}",
                Verdict.REJECTED,
                f"statuses_in names {name!r}, which {catalogue.project} / {catalogue.issue_type} does not have",
                f"Its statuses are: {choices}.",
            )
    for name, category in catalogue.statuses:
        known = name in mappings.statuses_in or f"{CATEGORY}{category.value}" in mappings.statuses_in
        if category is StatusCategory.UNKNOWN and not known:
            yield Finding(
                "status",
                f"theirs {name}",
                Verdict.WARNING,
                f"{name!r} means nothing here: an incident stays as it is while its ticket has it",
                f'Say what it means: statuses_in["{name}"] in the sync settings.',
            )


__all__ = ["check_statuses"]

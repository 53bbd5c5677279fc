"""Why a field of an incident has its value: who set it, when, by which way in, by which rule, and what it replaced.

Told from the timeline, which is never rewritten, and from what each link remembers of its ticket. A value can be set back to the one
it replaced: that is an edit by whoever asks for it, and goes to the tickets as any other edit does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.incidents import Incident, Incidents, TimelineEntry, store
from callout.incidents.model import FIELDS, json_value, person_from_json
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.ports.values import Channel, Origin, Status
from callout.sync import links
from callout.sync.mapping import SYNCED_FIELDS
from callout.sync.merge import NEVER
from callout.sync.provenance import words_of

if TYPE_CHECKING:
    from callout.storage import AccountTx
    from callout.sync.links import Link

EXPLAINED: Final = (*FIELDS, "status")
PEOPLE: Final = frozenset({"commander", "assignee"})
LONGEST_CHAIN: Final = 50
LOOKED_AT: Final = 1_000
"""Changes of an incident that are looked through, the newest first."""


@dataclass(frozen=True, slots=True)
class ValueStep:
    """One value that the field had, and how it came to be.

    `change_id` names the timeline's line. `system` is the integration's name, or `callout`; `cause` what told of it (`webhook:ID`, or
    why the ticket was read). `at` is when it happened by the clock of the system it happened in.
    """

    change_id: str
    value: Any
    at: datetime
    system: str
    channel: str
    actor: Mapping[str, str]
    integration_id: str = ""
    link_id: str = ""
    ticket: str = ""
    cause: str = ""
    rule: str = ""
    rule_words: str = ""
    actions: tuple[str, ...] = ()
    takes_back: str = ""
    declared: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**dataclasses.asdict(self), "at": self.at.isoformat(), "actions": list(self.actions)}


@dataclass(frozen=True, slots=True)
class TicketView:
    """What one linked ticket last said about the field.

    `agreed` holds the values that both sides had when they last agreed, None when they never did; `pending` a write of ours whose
    answer is not known yet; `conflict` two edits between which a person has to choose.
    """

    integration: str
    integration_id: str
    link_id: str
    ticket: str
    state: str
    seen_at: datetime | None
    last_said: Any
    agreed: Mapping[str, Any] | None
    pending: Mapping[str, Any] | None
    conflict: Mapping[str, Any] | None
    problem: Mapping[str, str] | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        seen = None if self.seen_at is None else self.seen_at.isoformat()
        return {**dataclasses.asdict(self), "seen_at": seen}


@dataclass(frozen=True, slots=True)
class Why:
    """The answer: the current value's step first, then the one it replaced, and so on back to the declaration."""

    incident: str
    field: str
    value: Any
    chain: tuple[ValueStep, ...]
    tickets: tuple[TicketView, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        chain = [step.to_json() for step in self.chain]
        return {
            "incident": self.incident,
            "field": self.field,
            "value": self.value,
            "current": chain[0],
            "replaced": chain[1] if len(chain) > 1 else None,
            "chain": chain,
            "tickets": [ticket.to_json() for ticket in self.tickets],
        }


async def why(tx: AccountTx, key: str, field: str, names: Mapping[str, str]) -> Why:
    """Return why `field` of the incident has its value; `names` are the integrations' names by id.

    Raises NotFoundError, InvalidRequestError for a field that incidents do not have.
    """
    _check(field)
    incident = await store.load(tx, key)
    chain = await _chain(tx, incident, field, names)
    found = await links.of_incident(tx, incident.id) if field in SYNCED_FIELDS else []
    return Why(
        incident=incident.key,
        field=field,
        value=json_value(getattr(incident, field)),
        chain=tuple(chain[:LONGEST_CHAIN]),
        tickets=tuple(_ticket(link, field, names) for link in found),
    )


async def revert(
    incidents: Incidents, tx: AccountTx, key: str, field: str, origin: Origin, *, change_id: str = ""
) -> Incident:
    """Set `field` back to the value that its current one replaced, as an edit of `origin`'s actor; return the incident.

    With `change_id` only that change is taken back. Raises NotFoundError, InvalidRequestError; ConflictError when the value has
    changed since, or was never changed.
    """
    _check(field)
    edit = await incidents.edit(tx, key)
    incident = edit.incident
    chain = await _chain(tx, incident, field, {})
    current = chain[0]
    if change_id and change_id != current.change_id:
        raise ConflictError(
            f"{field} of {incident.key} has changed since: it is {_short(current.value)} now",
            remediation=f"Look again with `callout why {incident.key} {field}`, then take back the newest change.",
        )
    if len(chain) == 1:
        raise ConflictError(
            f"{field} of {incident.key} is as it was declared: there is nothing to take back",
            remediation="Change the field to what it should be.",
        )
    about = {"takes_back": current.change_id}
    before = chain[1].value
    if field == "status":
        edit.change({}, status=Status(before), origin=origin, about=about)
    else:
        edit.change({field: _value(field, before)}, origin=origin, about=about)
    return await edit.save()


def _check(field: str) -> None:
    if field not in EXPLAINED:
        raise InvalidRequestError(
            f"an incident has no field {field[:40]!r}",
            fields={"field": "unknown field"},
            remediation=f"Fields: {', '.join(EXPLAINED)}.",
        )


def _value(field: str, value: Any) -> Any:  # noqa: ANN401  # JSON, by field
    return person_from_json(value) if field in PEOPLE else value


def _short(value: Any) -> str:  # noqa: ANN401
    text = str(value.get("name") if isinstance(value, Mapping) else value)
    return repr(text if len(text) <= 60 else text[:60] + "…")  # noqa: PLR2004  # characters of a line


async def _chain(tx: AccountTx, incident: Incident, field: str, names: Mapping[str, str]) -> list[ValueStep]:
    """Return the steps of the field, the newest first; the last is the declaration, or the oldest change that was looked at."""
    entries = await store.entries_of_kinds(tx, incident.id, ("declared", "changed"), limit=LOOKED_AT)
    steps: list[ValueStep] = []
    value = json_value(getattr(incident, field))
    for entry in entries:
        if entry.kind == "declared":
            steps.append(_step(entry, field, value, names))
            continue
        change = entry.data.get("changes", {}).get(field)
        if change is not None:
            steps.append(_step(entry, field, change["after"], names))
            value = change["before"]
    return steps


def _step(entry: TimelineEntry, field: str, value: Any, names: Mapping[str, str]) -> ValueStep:  # noqa: ANN401
    origin, data = entry.origin, entry.data
    told = str(data.get("integration") or "")
    foreign = origin.integration_id and origin.channel in {Channel.SYNC, Channel.CHAT}
    rule = str((data.get("rules") or {}).get(field, ""))
    return ValueStep(
        change_id=entry.id,
        value=value,
        at=entry.at,
        system=names.get(origin.integration_id) or told or origin.integration_id if foreign else "callout",
        channel=origin.channel.value,
        actor={"kind": origin.actor.kind.value, "id": origin.actor.id, "name": origin.actor.name},
        integration_id=origin.integration_id,
        link_id=origin.link_id,
        ticket=str(data.get("ticket") or ""),
        cause=origin.causation,
        rule=rule,
        rule_words=words_of(rule),
        actions=tuple(data.get("actions", ())) if field == "status" else (),
        takes_back=str(data.get("takes_back") or ""),
        declared=entry.kind == "declared",
    )


def _ticket(link: Link, field: str, names: Mapping[str, str]) -> TicketView:
    state = link.merge
    base, pending, conflict = state.bases.get(field), state.pending.get(field), state.conflicts.get(field)
    agreed = base is not None and NEVER not in (base.ours, base.theirs)
    said = conflict.theirs if conflict is not None else None if base is None else base.theirs
    return TicketView(
        integration=names.get(link.integration_id, link.integration_id),
        integration_id=link.integration_id,
        link_id=link.id,
        ticket=link.ticket_key,
        state=link.status.value,
        seen_at=link.seen_at,
        last_said=None if said == NEVER else said,
        agreed={"ours": base.ours, "theirs": base.theirs} if agreed and base is not None else None,
        pending=None if pending is None else {"ours": pending.ours, "sent": pending.sent},
        conflict=None if conflict is None else {"ours": conflict.ours, "theirs": conflict.theirs},
        problem=None if link.problem is None else link.problem.to_json(),
    )


def plain_lines(answer: Mapping[str, Any], *, at_most: int = 10) -> Sequence[str]:
    """Return the answer's JSON form in lines for a person."""
    lines = [f"{answer['incident']} {answer['field']} is {_short(answer['value'])}"]
    for number, step in enumerate(answer["chain"][:at_most]):
        lead = "set" if number == 0 else f"before that {_short(step['value'])}, set"
        how = f"when it was declared by {step['actor']['name']}" if step["declared"] else _how(step)
        lines.append(f"  {lead} {step['at'][:19].replace('T', ' ')} UTC {how}")
    return [*lines, *(_ticket_line(ticket) for ticket in answer["tickets"])]


def _ticket_line(ticket: Mapping[str, Any]) -> str:
    return f"  {ticket['integration']} {ticket['ticket'] or '(no ticket yet)'}: {_says(ticket)}"


def _how(step: Mapping[str, Any]) -> str:
    parts = [f"by {step['actor']['name'] or step['actor']['id']}"]
    if step["channel"] == Channel.SYNC:
        parts.append(f"in {step['system']}" + (f" on {step['ticket']}" if step["ticket"] else ""))
    else:
        parts.append(
            f"by way of {step['channel']}" + (f" ({step['system']})" if step["integration_id"] else "")
        )
    if step["rule_words"]:
        parts.append(f"because {step['rule_words']}")
    if step["cause"]:
        parts.append(f"told by {step['cause']}")
    if step["takes_back"]:
        parts.append("taking back an earlier change")
    return ", ".join(parts)


def _says(ticket: Mapping[str, Any]) -> str:
    if ticket["conflict"] is not None:
        return f"CONFLICT: theirs {_short(ticket['conflict']['theirs'])}, ours {_short(ticket['conflict']['ours'])}"
    said = f"last said {_short(ticket['last_said'])}"
    if ticket["pending"] is not None:
        said += f"; {_short(ticket['pending']['sent'])} is on its way"
    return said + ("" if ticket["problem"] is None else f"; {ticket['problem']['message']}")


__all__ = ["EXPLAINED", "TicketView", "ValueStep", "Why", "plain_lines", "revert", "why"]

"""What an incident's tickets need to be resolved or closed, and what a person gives for it, in the caller's transaction; asks no vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import InvalidRequestError
from callout.ports.values import Status
from callout.sync import links, needs_store
from callout.sync.given import ENDING, sent_fields
from callout.sync.learning import place_of
from callout.sync.links import Link, LinkStatus
from callout.sync.needs_reading import NeededField
from callout.sync.plan_paths import plain_value
from callout.sync.reactions import lane_of, visit

if TYPE_CHECKING:
    from callout.incidents import Incident
    from callout.ports.values import Origin
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext, Target

LONGEST: Final = 4_000
MOST_NAMED: Final = 10
"""Choices that an error names."""
ENDS_BY: Final[Mapping[str, Status]] = {"resolve": Status.RESOLVED, "close": Status.CLOSED}
"""Action → the status whose fields can be given with it."""


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """A field of one ticket. `name` is how people say it (`jira.resolution`), `value` what would be sent now.

    `given_by` says who gives the value: `person`, `settings`, `default` (the connector), or nobody.
    """

    name: str
    field: NeededField
    value: str = ""
    given_by: str = ""

    @property
    def missing(self) -> bool:
        """Whether the move would be refused for want of it."""
        return self.field.required and not self.given_by

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "field": self.field.id,
            "label": self.field.label,
            "kind": self.field.kind,
            "required": self.field.required,
            "choices": [{"value": ident, "label": name} for ident, name in self.field.choices],
            "value": self.value,
            "given_by": self.given_by,
            "missing": self.missing,
        }


@dataclass(frozen=True, slots=True)
class LinkNeeds:
    """What one ticket needs; not `known` where its workflow could not be read yet."""

    link: Link
    integration: str
    known: bool
    learned_at: datetime | None
    fields: tuple[FieldNeed, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "link_id": self.link.id,
            "integration": self.integration,
            "ticket": self.link.ticket_key,
            "url": self.link.ticket_url,
            "known": self.known,
            "learned_at": None if self.learned_at is None else self.learned_at.isoformat(),
            "fields": [one.to_json() for one in self.fields],
        }


@dataclass(frozen=True, slots=True)
class _Offer:
    """A field that a value was given for."""

    needs: LinkNeeds
    need: FieldNeed


class Needs:
    """Tells what tickets need, and takes what people give."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def of_incident(
        self, tx: AccountTx, id_or_key: str, status: Status = Status.RESOLVED
    ) -> list[LinkNeeds]:
        """Return what each ticket of an incident needs to become `status`; nothing for tickets that are there already.

        Raises NotFoundError, and InvalidRequestError for a status that ends nothing.
        """
        if status not in ENDING:
            raise InvalidRequestError(
                "fields are asked for where an incident ends", fields={"status": "resolved or closed"}
            )
        incident = await self._context.incidents.get(tx, id_or_key)
        found: list[LinkNeeds] = []
        for link in await links.of_incident(tx, incident.id):
            target = await self._context.target(tx, link.integration_id)
            if target is not None and link.status in {LinkStatus.ACTIVE, LinkStatus.CREATING}:
                needs = await self._of_link(tx, link, target, status)
                if needs is not None:
                    found.append(needs)
        return found

    async def _of_link(self, tx: AccountTx, link: Link, target: Target, status: Status) -> LinkNeeds | None:
        mappings = target.mappings()
        rule = mappings.rules(target.integration_id)["status"]
        base = link.merge.bases.get("status")
        if not rule.direction.outbound or (
            base is not None and isinstance(base.theirs, str) and rule.same(status.value, base.theirs)
        ):
            return None
        known = await needs_store.of_place(tx, target.integration_id, place_of(link, target))
        asked, wanted = known.asked.get(status), mappings.statuses[status]
        if asked is None or asked.wanted != wanted:
            return LinkNeeds(link, target.name, known=False, learned_at=known.learned_at, fields=())
        would_send = {
            name.casefold(): value for name, value in sent_fields(mappings, wanted, link.given).items()
        }
        fields = tuple(_need(target.name, one, would_send, link.given) for one in asked.fields)
        return LinkNeeds(link, target.name, known=True, learned_at=known.learned_at, fields=fields)

    async def give(self, tx: AccountTx, link_id: str, values: Mapping[str, Any], origin: Origin) -> Link:
        """Keep values for one link's next move to resolved or closed, by field id or label. Raises NotFoundError, InvalidRequestError."""
        link = await links.load(tx, link_id)
        target = await self._context.target(tx, link.integration_id)
        prefix = link.integration_id if target is None else target.name
        named = {f"{prefix}.{field}": value for field, value in values.items()}
        await self.give_all(tx, link.incident_id, named, origin)
        return await links.load(tx, link_id)

    async def give_all(
        self,
        tx: AccountTx,
        id_or_key: str,
        values: Mapping[str, Any],
        origin: Origin,
        *,
        status: Status = Status.RESOLVED,
        demand: bool = False,
    ) -> None:
        """Keep what a person gives for the tickets of an incident. Call it before the move itself, in the same transaction.

        Args:
            tx: the account.
            id_or_key: of the incident.
            values: by `integration.field`, or the ticket's key in the integration's place; an empty one gives nothing.
            origin: who gives it.
            status: what the incident is to become.
            demand: refuse where a field is missing all the same: for forms, which can ask.

        Raises NotFoundError, and InvalidRequestError with an error by each of the names in `values`.
        """
        incident = await self._context.incidents.get(tx, id_or_key)
        offered = await self.of_incident(tx, incident.id, status)
        chosen, wrong = _chosen(offered, values)
        if demand:
            lacking = {
                need.name: "is needed"
                for needs in offered
                for need in needs.fields
                if need.missing and need.name in values and need.field.id not in chosen.get(needs.link.id, {})
            }
            wrong = lacking | wrong
        if wrong:
            said = "; ".join(f"{name}: {why}" for name, why in wrong.items())
            raise InvalidRequestError(f"the tickets do not take this: {said}", fields=wrong)
        told: list[tuple[LinkNeeds, dict[str, Any]]] = []
        # All links first, in one order, then the incident: as visits lock them.
        for needs in sorted(offered, key=lambda one: one.link.id):
            fresh = chosen.get(needs.link.id, {})
            if fresh:
                link = await links.load(tx, needs.link.id, lock=True)
                given = {**link.given, **{field: value for field, (_, value) in fresh.items()}}
                await links.save(tx, replace(link, given=given), self._context.clock.now())
                words = {need.field.label: _words(need.field, value) for need, value in fresh.values()}
                told.append((needs, words))
        if not told:
            return
        edit = await self._context.incidents.edit(tx, incident.id)
        for needs, words in told:
            data = {
                "ticket": needs.link.ticket_key,
                "integration": needs.integration,
                "link_id": needs.link.id,
                "fields": words,
            }
            edit.entry("ticket_fields_given", data, origin=origin)
        await edit.save()
        if incident.status is status:
            # The move was made here already and waits for what was missing there.
            affected = [needs.link for needs, _ in told]
            await visit(
                self._context, tx, affected, lane_of(incident.severity), reason="fields given", origin=origin
            )

    async def act(
        self, tx: AccountTx, id_or_key: str, action: str, origin: Origin, values: Mapping[str, Any]
    ) -> Incident:
        """Make a move of the life cycle with what its tickets need for it; where it was made before, only that is given.

        Raises NotFoundError, IllegalTransitionError, and InvalidRequestError as :meth:`give_all` does.
        """
        if not values:
            return await self._context.incidents.act(tx, id_or_key, action, origin)
        status = ENDS_BY.get(action)
        if status is None:
            raise InvalidRequestError(
                "tickets are asked for fields where an incident is resolved or closed",
                fields={"fields": "leave it out"},
            )
        before = await self._context.incidents.get(tx, id_or_key)
        await self.give_all(tx, before.id, values, origin, status=status)
        if before.status is status:
            return before
        return await self._context.incidents.act(tx, before.id, action, origin)


def _need(
    integration: str, field: NeededField, would_send: Mapping[str, Any], given: Mapping[str, Any]
) -> FieldNeed:
    name = f"{integration}.{field.id}"
    value = would_send.get(field.id.casefold(), would_send.get(field.label.casefold()))
    if value in (None, "", []):
        return FieldNeed(name, field, field.default, "default" if field.default else "")
    by_hand = field.id in given
    return FieldNeed(name, field, _words(field, value), "person" if by_hand else "settings")


def _chosen(
    offered: Sequence[LinkNeeds], values: Mapping[str, Any]
) -> tuple[dict[str, dict[str, tuple[FieldNeed, Any]]], dict[str, str]]:
    """Return the values by link and field, and what is wrong by the name it was given under."""
    chosen: dict[str, dict[str, tuple[FieldNeed, Any]]] = {}
    wrong: dict[str, str] = {}
    for name, value in values.items():
        offer = next(_meant(offered, name), None)
        if offer is None:
            names = [need.name for needs in offered for need in needs.fields]
            wrong[name] = f"no ticket asks for it; asked for: {', '.join(names) or 'nothing'}"
            continue
        try:
            taken = _taken(offer.need.field, value)
        except ValueError as error:
            wrong[name] = str(error)
            continue
        same = offer.need.given_by and _words(offer.need.field, taken) == offer.need.value
        if taken not in ("", []) and not same:
            chosen.setdefault(offer.needs.link.id, {})[offer.need.field.id] = (offer.need, taken)
    return chosen, wrong


def _meant(offered: Sequence[LinkNeeds], name: str) -> Iterator[_Offer]:
    folded = name.casefold()
    for needs in offered:
        for prefix in (needs.integration, needs.link.ticket_key, needs.link.id):
            start = f"{prefix}.".casefold()
            if not prefix or not folded.startswith(start):
                continue
            field = name[len(start) :]
            for need in needs.fields:
                if field.casefold() in {need.field.id.casefold(), need.field.label.casefold()}:
                    yield _Offer(needs, need)
            if field and (not needs.known or needs.link.problem is not None):
                # Rules of theirs that no metadata shows say what they want in their refusal only.
                yield _Offer(needs, FieldNeed(f"{needs.integration}.{field}", NeededField(field, field)))


def _taken(field: NeededField, value: Any) -> Any:  # noqa: ANN401  # any JSON, from a form or a program
    """Return a value as it is sent: the id of the choice, else the text. Raises ValueError in words."""
    if field.kind == "array":
        parts = value if isinstance(value, list) else str(value or "").split("\n")
        return [one for part in parts if (one := _one(field, part))]
    return _one(field, value)


def _one(field: NeededField, value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("write a text")  # noqa: TRY004  # an error of a person's value, not of ours
    text = str(value).strip()
    if not text:
        return ""
    if field.choices:
        for ident, name in field.choices:
            if text == ident or text.casefold() == name.casefold():
                return ident or name
        names = [name for _, name in field.choices]
        more = f" … ({len(names)} in all)" if len(names) > MOST_NAMED else ""
        raise ValueError(f"choose one of: {', '.join(names[:MOST_NAMED])}{more}")
    if len(text) > LONGEST:
        raise ValueError(f"at most {LONGEST} characters")
    if field.kind == "number":
        return _number(text)
    if field.kind == "datetime":
        _day(text)
    return text


def _number(text: str) -> str:
    try:
        float(text)
    except ValueError:
        raise ValueError("write a number") from None
    return text


def _day(text: str) -> None:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        raise ValueError("write a day as YYYY-MM-DD") from None


def _words(field: NeededField, value: Any) -> str:  # noqa: ANN401  # what is sent: ids, words, or an object of an operator's
    names = dict(field.choices)
    parts = [plain_value(one) for one in (value if isinstance(value, list) else [value])]
    return ", ".join(names.get(part, part) for part in parts)


__all__ = ["ENDS_BY", "FieldNeed", "LinkNeeds", "Needs"]

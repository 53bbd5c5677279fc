"""The library's face: one external system as a program uses it, without an installation of Callout around it.

A :class:`Connector` is a :class:`~callout.ports.provider.TicketingProvider` and a :class:`~callout.sync.mapping.FieldMappings`; it
merges by the same pure functions as the product. What the product adds, and this does not, is durability: here the caller keeps the
:class:`~callout.sync.merge.LinkState` that a call returns, and after an error calls again with the state it had before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from callout.kit.clock import Clock, SystemClock
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    OperationNotSupportedError,
    OutcomeUnknownError,
)
from callout.ports.inbound import Ignored, InboundRequest, InboundWebhook, Trust
from callout.ports.provider import ConnectionReport, SupportsFindByKey, SupportsHistory, TicketingProvider
from callout.ports.ticketing import Change, Ticket, TicketDraft, TicketPatch
from callout.sync.accounted import Accounted
from callout.sync.given import sent_fields
from callout.sync.mapping import SYNCED_FIELDS, FieldMappings, patch_values, theirs_of, ticket_value
from callout.sync.merge import (
    NO_MEANING,
    Base,
    Choice,
    FieldConflict,
    FieldRule,
    LinkState,
    MergeResult,
    Overridden,
    Resolved,
    fold,
    merge,
    resolve,
)
from callout.sync.outcomes import begun_before, shown_at, surely_not_done
from callout.sync.overwritten import accounted_for, merge_found, nothing_written, stamped, trace


@dataclass(frozen=True, slots=True)
class ExternalIncident:
    """A record of the other system.

    `values` are its fields in our terms (`title`, `description`, `severity` as `SEV-1`, `status`, `assignee`); a value that has no
    counterpart here is absent. `ticket` is the whole record.
    """

    ticket: Ticket
    values: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The vendor's id."""
        return self.ticket.id

    @property
    def key(self) -> str:
        """What people call it."""
        return self.ticket.key

    @property
    def url(self) -> str:
        """Where people look at it."""
        return self.ticket.url


@dataclass(frozen=True, slots=True)
class IncidentUpdate:
    """New values of ours, by field, to be written to the other system. Raises ValueError for a field that is not synced."""

    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        unknown = set(self.values) - set(SYNCED_FIELDS)
        if unknown:
            msg = f"not synced: {', '.join(sorted(unknown))}; synced fields are {', '.join(SYNCED_FIELDS)}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One change that a verified webhook tells of. `delivery_id` is the same when the vendor sends it again, or empty."""

    change: Change
    delivery_id: str
    signed: bool

    @property
    def ticket_id(self) -> str:
        """The record it is about."""
        return self.change.ticket_id


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did.

    `values` are ours afterwards: store them, together with `state`, which the next sync needs. `pulled` are those of them that came from
    the other side, `pushed` what was written there (in their terms), `conflicts` all that wait for a person, `overridden` edits that a
    rule set aside.
    """

    values: Mapping[str, Any]
    state: LinkState
    external: ExternalIncident
    pulled: Mapping[str, Any] = field(default_factory=dict)
    pushed: Mapping[str, Any] = field(default_factory=dict)
    conflicts: tuple[FieldConflict, ...] = ()
    overridden: tuple[Overridden, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything moved."""
        return bool(self.pulled or self.pushed)


class Connector:
    """One external system, by a name of the caller's choice.

    Args:
        name: tells it from others; also the prefix of ids of people known only there.
        provider: the vendor, as built by its manifest.
        mappings: how fields stand for each other; the defaults do for every vendor.
        inbound: its webhooks' dialect, where it has any.

    All methods raise ConnectorError and its kinds.
    """

    def __init__(
        self,
        name: str,
        provider: TicketingProvider,
        mappings: FieldMappings | None = None,
        *,
        inbound: InboundWebhook | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.provider = provider
        self.mappings = mappings or FieldMappings()
        self._inbound = inbound
        self._clock = clock or SystemClock()
        self._begun: dict[str, datetime] = {}

    @property
    def rules(self) -> Mapping[str, FieldRule]:
        """The merge rules, by field."""
        return self.mappings.rules(self.name)

    async def check(self) -> ConnectionReport:
        """Ask the vendor who we are and what we may do."""
        return await self.provider.check_connection()

    async def fetch(self, ticket_id: str) -> ExternalIncident:
        """Read one record. Raises RecordNotFoundError."""
        return self._external(await self.provider.get_ticket(ticket_id))

    async def create(
        self,
        values: Mapping[str, Any],
        *,
        key: str,
        project: str = "",
        issue_type: str = "",
        begun_at: datetime | None = None,
    ) -> SyncResult:
        """Create the record of an incident, or find the one that an earlier call with the same `key` made.

        Args:
            values: the incident's values by field.
            key: yours and unique; it is put on the record.
            project: where the record goes; empty for the integration's default.
            issue_type: what it becomes; empty for the integration's default.
            begun_at: when an earlier call with this key was made whose outcome you do not know, by another process. This object
                remembers its own.

        Raises OutcomeUnknownError when an answer was lost; and again until the vendor's search must show the record, rather than make
        a second one.
        """
        rules, ticket = self.rules, await self._earlier(key, begun_at or self._begun.get(key))
        known: Mapping[str, Accounted] = {}
        if ticket is None:
            self._begun[key] = self._clock.now()
            sent = {name: rules[name].encode(values[name]) for name in _outbound(rules, values)}
            draft = TicketDraft(
                title=str(values.get("title", "")),
                description=str(sent.get("description", "")),
                project=project,
                issue_type=issue_type,
                priority=ticket_value("severity", sent.get("severity")),
                assignee=ticket_value("assignee", sent.get("assignee")),
                key=key,
            )
            try:
                ticket = await self.provider.create_ticket(draft)
            except CalloutError as error:
                if surely_not_done(error):
                    del self._begun[key]
                else:
                    self._begun[key] = begun_before(self._clock.now())
                raise
            if isinstance(self.provider, SupportsHistory):
                known = nothing_written(ticket, rules)
        self._begun.pop(key, None)
        theirs = theirs_of(ticket)
        # As if both had agreed where they mean the same; what differs is ours to push, by the sync that follows.
        bases = {
            name: Base(values[name] if rules[name].same(values[name], theirs[name]) else None, theirs[name])
            for name in _outbound(rules, values)
        }
        return await self.sync(values, ticket.id, LinkState(bases, accounted=known))

    async def _earlier(self, key: str, begun_at: datetime | None) -> Ticket | None:
        if not isinstance(self.provider, SupportsFindByKey):
            if begun_at is not None:
                raise OutcomeUnknownError(
                    f"a record for {key} may or may not exist in {self.name}, and it cannot be searched for"
                )
            return None
        found = await self.provider.find_by_key(key)
        if found:
            return min(found, key=lambda one: (one.created_at or self._clock.now(), one.id))
        if begun_at is not None:
            shown = shown_at(begun_at, self.provider.effects["create_ticket"])
            if self._clock.now() < shown:
                raise OutcomeUnknownError(
                    f"a record for {key} may exist in {self.name}, whose search does not show it yet",
                    remediation=f"Call again after {shown.isoformat()}.",
                )
        return None

    async def update(
        self, ticket_id: str, update: IncidentUpdate, *, given: Mapping[str, Any] | None = None
    ) -> ExternalIncident:
        """Write values without merging; returns the record as read back. For programs that only ever push.

        `given` are fields for a move to resolved or closed, by their id there: they win over `transition_fields` of the mappings.
        """
        rules = self.rules
        sent = {name: rules[name].encode(update.values[name]) for name in _outbound(rules, update.values)}
        return self._external(await self._write(ticket_id, sent, "", given))

    async def sync(
        self,
        values: Mapping[str, Any],
        ticket_id: str,
        state: LinkState | None = None,
        *,
        given: Mapping[str, Any] | None = None,
    ) -> SyncResult:
        """Bring both sides together: read, merge, write what is ours to write, read back.

        Args:
            values: our current values by field; a field that is absent is left alone.
            ticket_id: the record there.
            state: what the last sync of this pair returned; None for the first one, in which what differs is a conflict, or as the
                field's resolution says.
            given: fields for a move to resolved or closed, by their id there: they win over `transition_fields` of the mappings.
        """
        before = state or LinkState()
        ticket = await self.provider.get_ticket(ticket_id)
        merged = merge(before, values, theirs_of(ticket), self.rules)
        after = stamped(merged.state, merged.to_theirs, ticket)
        if merged.to_theirs:
            ticket = await self._write(ticket_id, merged.to_theirs, ticket.version, given)
            found = trace(ticket, after, merged.to_theirs.keys(), self.rules, done=True)
            sent = merged.to_theirs.keys() - found.idle
            back = {name: value for name, value in theirs_of(ticket).items() if name in sent}
            # What somebody wrote in the very moment of our write, and it took the place of, is merged as if it had been read in time.
            late = merge_found(
                fold(after, back, self.rules, moved=found.moved),
                {**values, **merged.to_ours},
                found,
                after,
                self.rules,
            )
            after = accounted_for(late.state, ticket, merged.to_theirs.keys())
            merged = replace(
                merged,
                to_ours={**merged.to_ours, **late.to_ours},
                overridden=(*merged.overridden, *late.overridden),
            )
        return self._result(values, ticket, merged, after)

    def resolve(
        self,
        result_or_state: SyncResult | LinkState,
        field_name: str,
        choice: Choice,
        *,
        ours: Any,  # noqa: ANN401  # a value of the field
        value: Any = None,  # noqa: ANN401
    ) -> Resolved:
        """Decide a conflict; the next :meth:`sync` with the returned value and state carries it over. Raises KeyError."""
        state = result_or_state.state if isinstance(result_or_state, SyncResult) else result_or_state
        return resolve(state, self.rules[field_name], ours, choice, value)

    def receive(self, request: InboundRequest) -> Sequence[WebhookEvent]:
        """Verify a webhook over its raw bytes, then read it. Raises AuthFailedError, ValueError for what the vendor does not send."""
        if self._inbound is None:
            raise OperationNotSupportedError(f"{self.name} was given no webhook dialect")
        verdict = self._inbound.verify(request)
        if verdict.trust is Trust.REFUSED:
            raise AuthFailedError(f"the webhook was refused: {verdict.reason}")
        parsed = self._inbound.parse(request)
        if isinstance(parsed, Ignored):
            return ()
        delivery, signed = self._inbound.delivery_id(request), verdict.trust is Trust.SIGNED
        return tuple(WebhookEvent(change, delivery, signed) for change in parsed)

    async def _write(
        self,
        ticket_id: str,
        to_theirs: Mapping[str, Any],
        version: str,
        given: Mapping[str, Any] | None,
    ) -> Ticket:
        status = str(to_theirs.get("status", ""))
        patch = TicketPatch(
            patch_values(to_theirs),
            transition_fields=sent_fields(self.mappings, status, given or {}),
            expected_version=version,
        )
        return await self.provider.patch_ticket(ticket_id, patch)

    def _external(self, ticket: Ticket) -> ExternalIncident:
        rules = self.rules
        meant = {name: rules[name].decode(value) for name, value in theirs_of(ticket).items()}
        return ExternalIncident(
            ticket, {name: value for name, value in meant.items() if value is not NO_MEANING}
        )

    def _result(
        self, values: Mapping[str, Any], ticket: Ticket, merged: MergeResult, state: LinkState
    ) -> SyncResult:
        return SyncResult(
            values={**values, **merged.to_ours},
            state=state,
            external=self._external(ticket),
            pulled=merged.to_ours,
            pushed=merged.to_theirs,
            conflicts=tuple(state.conflicts.values()),
            overridden=merged.overridden,
        )


def _outbound(rules: Mapping[str, FieldRule], values: Mapping[str, Any]) -> list[str]:
    return [name for name, rule in rules.items() if name in values and rule.direction.outbound]

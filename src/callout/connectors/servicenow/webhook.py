"""What our business rule posts: verified over its raw bytes, then read. ServiceNow has no webhook of its own (see `script.py`)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import orjson

from callout.connectors.servicenow import mapping
from callout.connectors.servicenow.client import SYS_ID
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.mapping import AUDIENCES, entry_parts, link_to
from callout.connectors.servicenow.wire import HookBody
from callout.connectors.servicenow.zone import moment
from callout.kit.signing import equal, hmac_sha256_hex
from callout.ports.inbound import Ignored, InboundRequest, Reply, Trust, Verdict, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket
from callout.ports.values import Person

SIGNATURE_HEADER: Final = "x-sn-signature"
HUB_HEADER: Final = "x-hub-signature"
MAX_AGE: Final = timedelta(hours=1)
"""A request is sent once and never again; the queue of a busy instance may hold it up for some minutes."""
MAX_AHEAD: Final = timedelta(minutes=5)
OPERATIONS: Final[Mapping[str, ChangeKind]] = {
    "insert": ChangeKind.CREATED,
    "update": ChangeKind.UPDATED,
    "delete": ChangeKind.DELETED,
}
_TOLD: Final = frozenset({"title", "description", "marks", "project"})
"""What raw values tell without the instance's own labels."""
_TEXTS: Final = (
    "event",
    "event_id",
    "sent_at",
    "table",
    "sys_id",
    "number",
    "operation",
    "sys_updated_on",
    "sys_updated_by",
)


class ServiceNowWebhook:
    """The webhook dialect of one ServiceNow integration."""

    def __init__(self, config: ServiceNowConfig, secrets: WebhookSecrets) -> None:
        self._config = config
        self._keys = tuple(key.reveal().encode() for key in secrets.keys if key)
        self._configured = bool(secrets.keys)

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge the signature first, then the age of what it vouches for."""
        if not self._configured:
            return Verdict(Trust.HINT, "no signing key is configured")
        given = request.headers.get(SIGNATURE_HEADER, "").strip()
        hub = request.headers.get(HUB_HEADER, "").strip()
        if not given and not hub:
            return Verdict(Trust.REFUSED, "no signature")
        good = self._matches(given, request.body) if given else self._hub_matches(hub, request.body)
        if not good:
            return Verdict(Trust.REFUSED, "wrong signature")
        return _age(request)

    def _matches(self, given: str, body: bytes) -> bool:
        """Whether it is the Base64 that `generateMac` makes of exactly these bytes with one of the keys."""
        return any(equal(base64.b64encode(hmac.digest(key, body, "sha256")), given) for key in self._keys)

    def _hub_matches(self, given: str, body: bytes) -> bool:
        method, _, digest = given.partition("=")
        if method.lower() != "sha256":
            return False
        return any(equal(hmac_sha256_hex(key, body), digest.lower()) for key in self._keys)

    def delivery_id(self, request: InboundRequest) -> str:
        """Return the id of the event: a rule that fires twice, or an update saved twice, says the same."""
        try:
            body = orjson.loads(request.body)
        except ValueError:
            return ""
        found = body.get("event_id") if isinstance(body, dict) else None
        return found[:200] if isinstance(found, str) else ""

    def reply(self, request: InboundRequest) -> Reply | None:
        """The script needs no answer but a 2xx."""
        return None

    def parse(self, request: InboundRequest) -> Sequence[Change] | Ignored:
        """Return the changes that the rule tells of. Raises ValueError when the body is not what it posts."""
        body = _body(request.body)
        table, sys_id, operation = body.get("table", ""), body.get("sys_id", ""), body.get("operation", "")
        event = body.get("event", "") or f"{table}.{operation}"
        if not table or not SYS_ID.fullmatch(sys_id):
            raise ValueError("table or sys_id is missing: this is not what our business rule posts")
        if operation not in OPERATIONS:
            return Ignored(event, f"unknown operation {operation[:40]!r}")
        if table == "sys_attachment":
            return _of_file(body, event)
        return self._of_record(body, event, OPERATIONS[operation])

    def entity_date(self, request: InboundRequest) -> str:
        """Return when the record changed, as the instance wrote it; of one that was deleted, when that was told."""
        body = _body(request.body)
        gone = OPERATIONS.get(body.get("operation", "")) is ChangeKind.DELETED
        return str((not gone and body.get("sys_updated_on")) or body.get("sent_at") or "")

    def _of_record(self, body: HookBody, event: str, kind: ChangeKind) -> list[Change]:
        record = body.get("record") or {}
        occurred = moment(body.get("sys_updated_on")) or moment(body.get("sent_at"))
        if kind is ChangeKind.DELETED:
            # A delete does not touch the time of change: the last one would put it before what happened since.
            occurred = moment(body.get("sent_at")) or occurred
        actor = _actor(body)
        ticket = None if kind is ChangeKind.DELETED else self._ticket(body, record)
        comments = [] if kind is ChangeKind.DELETED else _comments(body, actor, occurred)

        def change(kind: ChangeKind, comment: Comment | None = None, told: Ticket | None = None) -> Change:
            return Change(
                kind=kind,
                ticket_id=body["sys_id"],
                ticket_key=body.get("number", ""),
                occurred_at=occurred,
                actor=actor,
                ticket=told,
                partial=True,
                known=frozenset() if told is None else _TOLD,
                comment=comment,
                vendor_event=event,
            )

        # Without its id nobody could tell an entry from the same text read later, and by a login alone its author would be another
        # person than the one read later: then it is a hint to read.
        said = [
            change(ChangeKind.COMMENTED, comment if comment.id and _identified(body) else None)
            for comment in comments
        ]
        return [change(kind, told=ticket), *said]

    def _ticket(self, body: HookBody, record: Mapping[str, str]) -> Ticket:
        """Return as much as raw values tell: what its numbers mean only the instance knows.

        The time of change is left out: it is what says that a ticket was told well enough not to be read again.
        """
        key = record.get("correlation_id", "")
        return Ticket(
            id=body["sys_id"],
            key=body.get("number", ""),
            title=record.get("short_description", ""),
            description=record.get("description", ""),
            project=body["table"],
            url=link_to(self._config.url, body["table"], body["sys_id"]),
            version=mapping.version_of(record),
            marks=(key,) if key else (),
        )


def _identified(body: HookBody) -> bool:
    return SYS_ID.fullmatch(str((body.get("actor") or {}).get("sys_id") or "")) is not None


def _actor(body: HookBody) -> Person | None:
    """Return who did it: by sys_id where the rule tells it, else by login."""
    actor, login = body.get("actor") or {}, body.get("sys_updated_by", "")
    if _identified(body):
        return Person(actor["sys_id"], str(actor.get("name") or login), str(actor.get("email") or ""))
    return Person(login, login) if login else None


def _comments(body: HookBody, actor: Person | None, occurred: datetime | None) -> list[Comment]:
    found: list[Comment] = []
    for item in body.get("journal") or []:
        element = str(item.get("element") or "")
        if element not in AUDIENCES:
            continue
        content, mark = entry_parts(str(item.get("value") or ""))
        sys_id = str(item.get("sys_id") or "")
        found.append(
            Comment(
                id=sys_id if SYS_ID.fullmatch(sys_id) else "",
                ticket_id=body["sys_id"],
                content=content,
                audience=AUDIENCES[element],
                author=actor,
                created_at=occurred,
                mark=mark,
                unmapped={"element": element},
            )
        )
    return found


def _of_file(body: HookBody, event: str) -> Sequence[Change] | Ignored:
    record = body.get("record") or {}
    ticket_id = str(record.get("table_sys_id") or "")
    if not SYS_ID.fullmatch(ticket_id):
        return Ignored(event, "a file of no record")
    kind = ChangeKind.ATTACHED if body.get("operation") == "insert" else ChangeKind.UPDATED
    occurred = moment(body.get("sent_at")) or moment(body.get("sys_updated_on"))
    return [Change(kind=kind, ticket_id=ticket_id, occurred_at=occurred, vendor_event=event)]


def _age(request: InboundRequest) -> Verdict:
    try:
        body = orjson.loads(request.body)
    except ValueError:
        body = None
    sent = moment(body.get("sent_at")) if isinstance(body, dict) else None
    if sent is None:
        return Verdict(Trust.HINT, "signed, but without sent_at: a replay could not be told", covered=True)
    if request.received_at - sent > MAX_AGE:
        return Verdict(Trust.REFUSED, "signed more than an hour ago")
    if sent - request.received_at > MAX_AHEAD:
        return Verdict(Trust.REFUSED, "signed in the future")
    return Verdict(Trust.SIGNED, is_json=True)


def _body(raw: bytes) -> HookBody:
    data: Any = orjson.loads(raw)  # its error is a ValueError; it refuses bodies nested too deeply
    if not isinstance(data, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004  # a bad value, whatever its type
    for name in _TEXTS:
        if not isinstance(data.get(name, ""), str):
            raise ValueError(f"{name} is not text")  # noqa: TRY004  # as above
    record, journal = data.get("record", {}), data.get("journal", [])
    if not isinstance(data.get("actor", {}), dict):
        raise ValueError("actor is not an object")  # noqa: TRY004  # as above
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        raise ValueError("record does not hold raw values")
    if not isinstance(journal, list) or not all(isinstance(item, dict) for item in journal):
        raise ValueError("journal is not a list of entries")
    return cast("HookBody", data)

"""What Slack sends us: verified over the raw bytes, then read. Pure: no I/O, the request carries its own time."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

from callout.connectors.slack.events import event_of
from callout.connectors.slack.payloads import MalformedError, interaction, slash_command, text_of
from callout.connectors.slack.views import reply_bytes
from callout.kit.secrets import Secret
from callout.ports.chat import Answer, ChatInput
from callout.ports.inbound import InboundRequest, Reply, Trust, Verdict

MAX_SKEW_SECONDS: Final = 300
_FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 100
_MAX_DEPTH_ERROR: Final = "the JSON is nested too deeply"


def signature_is_good(*, secret: bytes, body: bytes, timestamp: bytes, signature: bytes) -> bool:
    """True when `signature` (`v0=` and hex) covers exactly these bytes. An empty secret signs nothing."""
    if not secret:
        return False
    mac = hmac.new(secret, b"v0:" + timestamp + b":" + body, sha256)
    return hmac.compare_digest(b"v0=" + mac.hexdigest().encode(), signature)


class SlackInbound:
    """Slack's request dialect, for one integration. `keys` are its signing secrets, the newest first."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._keys = tuple(keys)

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge the raw bytes and their age. Slack always signs: without a key nothing is believed."""
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not self._keys:
            return Verdict(Trust.REFUSED, "no signing secret is configured")
        if not timestamp or not signature:
            return Verdict(Trust.REFUSED, "the signature headers are missing")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004  # int() of a huge number is slow
            return Verdict(Trust.REFUSED, "the timestamp is not a number")
        if abs(request.received_at.timestamp() - int(timestamp)) > MAX_SKEW_SECONDS:
            return Verdict(Trust.REFUSED, "the timestamp is more than five minutes off")
        sent, stamp = signature.encode("utf-8", "surrogateescape"), timestamp.encode()
        for key in self._keys:
            if signature_is_good(
                secret=key.reveal().encode(), body=request.body, timestamp=stamp, signature=sent
            ):
                return Verdict(Trust.SIGNED)
        return Verdict(Trust.REFUSED, "the signature does not fit the body")

    def reply(self, request: InboundRequest) -> Reply | None:
        """Return the answer to `url_verification` and to the certificate probe, else None. Called after :meth:`verify`."""
        if _is_form(request):
            try:  # only what may be one is read here, since it is read again
                fields = _form(request.body) if b"ssl_check" in request.body else {}
            except ValueError:
                return None
            return Reply(store=False) if fields.get("ssl_check") == "1" else None
        if b"url_verification" not in request.body:
            return None
        try:
            data = _json_object(request.body)
        except ValueError:
            return None
        challenge = data.get("challenge")
        if data.get("type") != "url_verification" or not isinstance(challenge, str):
            return None
        return Reply(body=challenge.encode("utf-8", "replace"), store=False)

    def parse(self, request: InboundRequest) -> ChatInput | None:
        """Return what the person did, or None when it is nothing for us. Raises ValueError for a malformed body."""
        if not _is_form(request):
            return event_of(_json_object(request.body))
        fields = _form(request.body)
        if "payload" in fields:
            return interaction(_json_object(fields["payload"]))
        if fields.get("ssl_check") == "1":
            return None
        return slash_command(fields)

    def delivery_id(self, request: InboundRequest) -> str:
        """Return `event_id` for events and `trigger_id` for commands and interactions: the same on every retry."""
        try:
            if not _is_form(request):
                return text_of(_json_object(request.body), "event_id")
            fields = _form(request.body)
            if "payload" in fields:
                return text_of(_json_object(fields["payload"]), "trigger_id")
        except ValueError:
            return ""
        return fields.get("trigger_id", "")

    def render_answer(self, answer: Answer, given: ChatInput) -> tuple[bytes, str]:
        """Return the JSON that answers a command or a submitted form; an empty answer is Slack's silent acknowledgement."""
        return reply_bytes(given, answer)


def _is_form(request: InboundRequest) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _form(body: bytes) -> dict[str, str]:
    pairs = parse_qsl(
        body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
    )
    return dict(pairs)


def _json_object(source: bytes | str) -> dict[str, Any]:
    try:
        data = json.loads(source)
    except RecursionError:
        raise MalformedError(_MAX_DEPTH_ERROR) from None
    if not isinstance(data, dict):
        raise MalformedError("the body is not a JSON object")
    return data

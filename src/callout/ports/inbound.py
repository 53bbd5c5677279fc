"""What a vendor sends us over HTTP: raw request in, verdict and parsed values out. Pure: no I/O, the clock is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from callout.kit.secrets import Secret
from callout.ports.ticketing import Change


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """One HTTP request exactly as it arrived. Header names are lower case; `body` is the raw bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict, repr=False)


class Trust(StrEnum):
    """How far a request may be believed."""

    SIGNED = "signed"
    """The vendor's signature covers these bytes."""
    HINT = "hint"
    """Only our own hook secret admitted it: read the record again before acting."""
    REFUSED = "refused"
    """A signature is missing, wrong or stale: answer 401 and store nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of verification; `reason` is for the operator's counter and log, never for the sender."""

    trust: Trust
    reason: str = ""
    covered: bool = False
    """A hint whose bytes a signature covers although it cannot be believed: admitted without our hook secret."""
    is_json: bool = False
    """The body was read as JSON on the way to the verdict, so that nobody needs to try again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the vendor must be told in the answer itself (a challenge, an empty 200)."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain"
    store: bool = True
    """False for a request that carries no event (a challenge, a certificate probe)."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A request that is valid but carries nothing for us; kept, counted, answered 2xx."""

    event: str
    reason: str = ""


class InboundWebhook(Protocol):
    """A vendor's webhook dialect, for one integration (its secrets are given at construction)."""

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge the raw bytes against the integration's secrets and `request.received_at`."""
        ...

    def delivery_id(self, request: InboundRequest) -> str:
        """Return the vendor's id of this delivery, the same on every retry, or empty when it sends none."""
        ...

    def reply(self, request: InboundRequest) -> Reply | None:
        """Return the answer that the vendor needs at once, or None for our plain 2xx. Called only after :meth:`verify`."""
        ...

    def parse(self, request: InboundRequest) -> Sequence[Change] | Ignored:
        """Return the changes that a verified request tells of. Raises ValueError when the body is not what the vendor sends."""
        ...


@runtime_checkable
class SaysWhen(Protocol):
    """A dialect that can quote when what a request tells of happened."""

    def entity_date(self, request: InboundRequest) -> str:
        """Return that time stamp exactly as the vendor wrote it; empty when there is none. Raises what :meth:`parse` raises."""
        ...


@dataclass(frozen=True, slots=True)
class HookSetup:
    """What an operator is to be told of: the address `url` of the integration's hook, and its signing key in words.

    `key` is the key itself only when the operator asked to see it.
    """

    url: str
    integration_id: str
    key: str


@dataclass(frozen=True, slots=True)
class HookGuide:
    """How webhooks are set up at the vendor's: what to do, in order; where something has to be pasted, the text by name."""

    steps: tuple[str, ...]
    scripts: Mapping[str, str] = field(default_factory=dict)
    own_key: bool = True
    """False where the vendor makes the signing key itself."""


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """The keys an integration's webhooks are verified with: the newest first, older ones while a rotation lasts."""

    keys: tuple[Secret, ...] = ()
    client_secret: Secret | None = None
    client_id: str = ""

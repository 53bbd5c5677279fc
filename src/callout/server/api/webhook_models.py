"""What the routes of webhooks and deliveries take and answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from callout.kit.redaction import redact_text
from callout.server.answers import Shown
from callout.webhooks.outbound import FILTERS, Attempt, Delivery, Endpoint, standard_secret

FILTERS_WORDS: Final = "Events it is told of: " + ", ".join(f"`{name}`" for name in FILTERS) + "."
Environment = Literal["prod", "test"]
RawFormat = Literal["object", "string"]


class WebhookBody(BaseModel):
    """A new webhook of an account, or of one of its integrations."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2000, description="Where deliveries go; https, and a public address.")
    filters: list[str] = Field(
        [],
        max_length=50,
        description=FILTERS_WORDS
        + " None: every ticket and incident event of the account, every ticket event of the integration.",
    )
    integration: str | None = Field(
        None, max_length=200, description="Id or name of the integration whose tickets it is told of."
    )
    name: str | None = Field(None, max_length=100)
    fullname: str | None = Field(None, max_length=255)
    secret: str | None = Field(
        None, max_length=200, description="24 to 64 bytes, or `whsec_` and base64; made when absent."
    )
    raw_payload_format: RawFormat = "object"


class WebhookChanges(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=2000)
    filters: list[str] | None = Field(None, max_length=50, description=FILTERS_WORDS)
    name: str | None = Field(None, max_length=100)
    fullname: str | None = Field(None, max_length=255)
    raw_payload_format: RawFormat | None = None

    def changes(self) -> dict[str, Any]:
        """Return the new values by field."""
        return renamed(self.model_dump(exclude_none=True))


class RotationBody(BaseModel):
    """A new secret."""

    model_config = ConfigDict(extra="forbid")

    secret: str | None = Field(None, max_length=200, description="Made when absent.")
    overlap_hours: float = Field(
        24, ge=0, le=168, description="For so long deliveries are signed with the secret before it, too."
    )


class EnableBody(BaseModel):
    """Switching on."""

    model_config = ConfigDict(extra="forbid")

    send_held: Annotated[
        bool, Field(description="Whether to send what was held back meanwhile, in its order.")
    ] = True


class WebhookOut(BaseModel):
    """A webhook as it stands. Its secret is in the answer that made it alone."""

    id: str
    name: str
    fullname: str
    scope: Literal["integration", "account", "organization"]
    integration_id: str | None
    source: str = Field(description="`config` when the settings of its integration name it.")
    url: str
    filters: list[str]
    raw_payload_format: RawFormat
    state: Literal["enabled", "disabled"]
    disabled_why: str | None
    disabled_at: datetime | None
    failures: int = Field(description="Attempts that failed since the last one that did not.")
    failing_since: datetime | None
    paused_until: datetime | None = Field(description="Its circuit is open: nothing is sent before.")
    last_success_at: datetime | None
    last_failure_at: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


class SecretWebhookOut(WebhookOut):
    """A webhook with its secret, shown this once."""

    secret: str = Field(description="What `Synqly-Signature` is made with: the text's own bytes.")
    standard_webhooks_secret: str = Field(description="The same for libraries of Standard Webhooks.")


class OneWebhook(BaseModel):
    """A webhook."""

    result: WebhookOut


class OneSecretWebhook(BaseModel):
    """A webhook with its secret."""

    result: SecretWebhookOut


class ManyWebhooks(BaseModel):
    """Webhooks."""

    result: list[WebhookOut]


class DeliveryOut(BaseModel):
    """One event on its way to one webhook."""

    id: str
    webhook_id: str
    webhook: str
    message_id: str = Field(description="The `webhook-id`: the same however often it is sent.")
    event_type: str
    subject: str = Field(description="Deliveries of one subject reach a webhook in their order.")
    state: Literal["pending", "delivered", "dead", "held", "cancelled"]
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    test: bool
    redelivery_of: str | None


class AttemptOut(BaseModel):
    """One request to the endpoint."""

    number: int
    at: datetime
    took_ms: float
    status: int | None = Field(description="Of the answer; null where there was none.")
    error: str
    answer: str = Field(description="The first 2 kB of it.")


class DeliveryDetailOut(DeliveryOut):
    """A delivery with all that was tried. `body` is null for whom it is not, and when it was removed."""

    attempt_list: list[AttemptOut]
    body: str | None


class OneDelivery(BaseModel):
    """A delivery."""

    result: DeliveryOut


class OneDeliveryDetail(BaseModel):
    """A delivery in detail."""

    result: DeliveryDetailOut


class ManyDeliveries(BaseModel):
    """A page of deliveries, the newest first; an empty cursor means that it was the last."""

    result: list[DeliveryOut]
    cursor: str


class RangeBody(BaseModel):
    """Which deliveries to send again."""

    model_config = ConfigDict(extra="forbid")

    webhook: str | None = Field(None, max_length=200, description="Id or name; all when absent.")
    state: Literal["dead", "delivered", "cancelled"] = "dead"
    event_type: str | None = Field(None, max_length=100)
    since: datetime | None = None
    until: datetime | None = None
    after: int = Field(0, ge=0, description="`after` of the answer before, to go on with a large range.")


class RangeResult(BaseModel):
    """How many were set going again; with `after`, there are more."""

    count: int
    after: int | None


class OneRange(BaseModel):
    """A range that was sent again."""

    result: RangeResult


def webhook_out(one: Endpoint) -> dict[str, Any]:
    """Return a webhook as the API shows it."""
    return {
        "id": one.id,
        "name": one.name,
        "fullname": one.fullname,
        "scope": one.scope,
        "integration_id": one.integration_id or None,
        "source": one.source,
        "url": one.url,
        "filters": list(one.filters),
        "raw_payload_format": one.raw_format,
        "state": "enabled" if one.enabled else "disabled",
        "disabled_why": one.disabled_why or None,
        "disabled_at": one.disabled_at,
        "failures": one.failures,
        "failing_since": one.failing_since,
        "paused_until": one.open_until,
        "last_success_at": one.last_success_at,
        "last_failure_at": one.last_failure_at,
        "previous_secret_until": one.previous_until,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def secrets_of(one: Endpoint) -> dict[str, Shown]:
    """Return what is shown once beside a webhook."""
    secret = one.secrets[0]
    return {"secret": Shown(secret), "standard_webhooks_secret": Shown(standard_secret(secret))}


def delivery_out(one: Delivery) -> dict[str, Any]:
    """Return a delivery as the API shows it."""
    return {
        "id": one.id,
        "webhook_id": one.endpoint_id,
        "webhook": one.endpoint_name,
        "message_id": one.message_id,
        "event_type": one.event_type,
        "subject": one.subject,
        "state": one.state.value,
        "attempts": one.attempts,
        "next_attempt_at": one.next_at,
        "created_at": one.created_at,
        "finished_at": one.finished_at,
        "test": one.test,
        "redelivery_of": one.redelivery_of,
    }


def attempt_out(one: Attempt) -> dict[str, Any]:
    """Return an attempt as the API shows it; what looks like a secret in the answer is masked."""
    return {
        "number": one.number,
        "at": one.at,
        "took_ms": round(one.took * 1000, 1),
        "status": one.status,
        "error": one.error,
        "answer": redact_text(one.answer.decode("utf-8", "replace")).replace("\x00", "\ufffd"),
    }


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return new values by the names that the service has for them."""
    return {("raw_format" if name == "raw_payload_format" else name): value for name, value in values.items()}

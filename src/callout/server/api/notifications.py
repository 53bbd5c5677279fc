"""REST for notifications: messages to people, over a chat platform."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.server.api.ticketing_call import ERRORS, CreatingCall, ThisCall, identifier, nothing
from callout.ticketing import READ, WRITE
from callout.ticketing.notifications import CATEGORY

router = APIRouter(prefix="/v1/notifications", tags=["notifications"], responses=ERRORS)
NotificationId = Annotated[str, identifier("notification")]


class CreateNotificationBody(BaseModel):
    """A message to be sent; with a summary alone it is posted as it is."""

    model_config = ConfigDict(extra="ignore")

    summary: str
    name: str | None = Field(None, deprecated=True)
    priority: str | None = None
    project: str | None = None
    status: str | None = None
    description: str | None = Field(None, description="Markdown.")
    issue_type: str | None = None
    creator: str | None = None
    assignee: str | None = None
    contact: str | None = None
    tags: list[str] | None = None


class NotificationOut(BaseModel):
    """A message."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    summary: str
    created_at: str
    updated_at: str
    notification_status: Literal["OPEN", "CLOSED"]


class OneNotification(BaseModel):
    """One message."""

    result: NotificationOut


@router.post("/create", response_model=OneNotification, summary="Send a notification")
async def create_message(body: CreateNotificationBody, call: CreatingCall) -> Response:
    """Send a message, once per `Idempotency-Key`."""
    opened = await call.open("send_notice", WRITE, category=CATEGORY)
    given: dict[str, Any] = body.model_dump()
    return call.made(
        await call.services.notifications.create(opened, given, digest=await call.digest(), key=call.key)
    )


@router.get("/get/{notification}", response_model=OneNotification, summary="Read a notification")
async def get_message(notification: NotificationId, call: ThisCall) -> Response:
    """Read a message by its id."""
    opened = await call.open("read_notice", READ, category=CATEGORY)
    return call.answer(await call.services.notifications.get(opened, notification))


@router.post("/clear/{notification}", status_code=204, summary="Clear a notification")
async def clear_message(notification: NotificationId, call: ThisCall) -> Response:
    """Mark a message as over."""
    opened = await call.open("clear_notice", WRITE, category=CATEGORY)
    await call.services.notifications.clear(opened, notification)
    return nothing()

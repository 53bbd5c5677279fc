"""REST for what was said in chat about an incident: how each message stands, and saying one again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from callout.server.api.incidents import IncidentId
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals

ThisCall = Annotated[Call, Depends(call_of)]
MessageId = Annotated[str, Path(max_length=64, description="Id of the message, as the list shows it.")]
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=refusals(*ANY))


class ChatMessageOut(BaseModel):
    """A message in chat about an incident."""

    id: str
    integration: str
    integration_id: str
    what: str = Field(description="`card`, `update`, `conflict`, `file`, `page`, `fallback` or `trouble`.")
    file: str | None = Field(None, description="The name of the file that it shows.")
    news: str = Field(description="Which kind of news it is; empty for a message that is none.")
    where: str
    channel: str
    state: Literal["pending", "sent", "perhaps_sent", "failed"]
    why: str = Field(description="Why it failed, or why nobody knows whether it arrived.")
    since: datetime
    updated_at: datetime
    can_be_reposted: bool


class ManyChatMessages(BaseModel):
    """Messages, oldest first."""

    result: list[ChatMessageOut]


class OneChatMessage(BaseModel):
    """One message."""

    result: ChatMessageOut


@router.get(
    "/{incident}/notifications",
    response_model=ManyChatMessages,
    summary="What was said in chat about an incident",
)
async def list_messages(incident: IncidentId, call: ThisCall) -> Response:
    """List the messages about an incident in every chat: sent, pending since when, failed and why, or perhaps sent."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        return {"result": [one.to_json() for one in await call.services.chat_messages.of(scope.tx, incident)]}

    return await call.read(unit)


@router.post(
    "/{incident}/notifications/{message}/repost",
    response_model=OneChatMessage,
    summary="Send a message of chat again",
)
async def repost_message(incident: IncidentId, message: MessageId, call: ThisCall) -> Response:
    """Send a message again that failed or was perhaps sent; the latter may then be there twice. Callout never does so by itself."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.write")
        again = await call.services.chat_messages.repost(scope.tx, incident, message, scope.origin)
        return {"result": again.to_json()}

    return await call.write(unit)

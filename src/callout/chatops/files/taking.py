"""Files of people in chat become files of the incident: claimed in the request, fetched by a job, attached in one commit.

A file that is deleted in chat stays at the incident, and the timeline says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from callout.chatops import store
from callout.chatops.files import rows
from callout.chatops.files.rows import ChatFile, Way
from callout.chatops.pausing import paused_for
from callout.chatops.speakers import speaker_of
from callout.incidents import Attachment, AttachmentState, NewFile
from callout.incidents.attachments import set_state, size_words
from callout.incidents.model import person_from_json, person_json
from callout.kit.crash import crash_point
from callout.ports.chat import ChatEvent, ChatEventKind
from callout.ports.chat_files import SharedFile, SupportsFileReading, file_abilities
from callout.ports.errors import (
    CalloutError,
    ForbiddenError,
    NotFoundError,
    OperationNotSupportedError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.values import Actor, Audience, Channel, Origin, Person

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.jobs import Settle, Work
    from callout.storage import AccountTx, Tx

TAKE_FILE: Final = "chat.take_file"
READ_ALONG: Final = frozenset({ChatEventKind.MESSAGE, ChatEventKind.MENTION})
PATIENCE: Final = timedelta(hours=23)
"""How long a platform that is down is waited for: less than the job is tried, so that the incident is told how it ended."""
NOT_TO_BE_HAD: Final = (PermissionDeniedError, RejectedError, OperationNotSupportedError)


@dataclass(frozen=True, slots=True)
class From:
    """How files come to an incident: `origin` of who attaches them, `author` who shared them, `at` when."""

    incident_id: str
    origin: Origin
    author: Person | None
    audience: Audience
    at: datetime | None = None


async def note_files(context: ChatContext, workspace: Workspace, given: ChatEvent) -> None:
    """Take the files that somebody shared in an incident's own channel; write down that one was deleted."""
    gone = [one.id for one in given.files if one.gone]
    here = [one for one in given.files if not one.gone]
    channel, user = given.channel, given.user
    reading = workspace.settings.take_files == "all" and given.kind in READ_ALONG

    async def unit(tx: Tx) -> None:
        account = tx.account(workspace.account_id)
        await _deleted(context, account, workspace, gone)
        if not here or not reading or channel is None or user is None:
            return
        incident_id = await store.incident_of_channel(account, workspace.integration_id, channel.id)
        if not incident_id:
            return
        speaker = await speaker_of(context, account, workspace, given.team, user)
        try:
            speaker.require("incident.note")
        except ForbiddenError:
            return  # who may write nothing down attaches nothing either
        audience = Audience(workspace.settings.file_audience)
        how = From(incident_id, speaker.origin(workspace), speaker.person, audience, given.occurred_at)
        await take(context, account, workspace, here, how)

    if gone or (here and reading):
        await context.database.transaction(unit)


async def take(
    context: ChatContext,
    tx: AccountTx,
    workspace: Workspace,
    files: Iterable[SharedFile],
    how: From,
    *,
    again: bool = False,
) -> int:
    """Have files fetched that the incident does not have yet; return how many. `again`: also those that could not be had before."""
    count = 0
    for file in files:
        mine = ChatFile(workspace.integration_id, file.id, how.incident_id, "", Way.TAKEN)
        if file.gone or not file.id:
            continue
        is_new = await rows.claim(tx, mine, context.clock.now())
        if not is_new and not (again and await _missing(context, tx, mine)):
            continue
        count += 1
        payload = {
            "integration_id": workspace.integration_id,
            "incident_id": how.incident_id,
            "file": {"id": file.id, "name": file.name, "media_type": file.media_type},
            "origin": how.origin.to_json(),
            "author": person_json(how.author),
            "audience": how.audience.value,
            "at": None if how.at is None else how.at.isoformat(),
        }
        await context.queue.enqueue(
            tx, TAKE_FILE, payload, key=f"chat-file:{mine.integration_id}:{file.id}:{mine.incident_id}"
        )
    return count


async def _missing(context: ChatContext, tx: AccountTx, mine: ChatFile) -> bool:
    """Return whether a file that is known has not come here, and may come yet."""
    known = await rows.one_file(tx, mine.integration_id, mine.file_id, mine.incident_id)
    if known is None or known.way is not Way.TAKEN or known.deleted or not known.attachment_id:
        return False
    found, _ = await context.incidents.attachment(tx, mine.incident_id, known.attachment_id)
    return found.state is AttachmentState.ELSEWHERE


async def _deleted(
    context: ChatContext, tx: AccountTx, workspace: Workspace, file_ids: Iterable[str]
) -> None:
    """Say on the timeline that files were deleted in chat, each once; ours stay."""
    for file_id in file_ids:
        for row in await rows.of_file(tx, workspace.integration_id, file_id):
            if row.deleted:
                continue
            await rows.note(tx, row, deleted=True)
            if not row.attachment_id:
                continue  # it is still on its way: the job finds it gone
            edit = await context.incidents.edit(tx, row.incident_id)
            found, _ = await context.incidents.attachment(tx, row.incident_id, row.attachment_id)
            data = {"attachment_id": found.id, "name": found.name, "integration": workspace.name}
            origin = Origin(
                Channel.CHAT, Actor.system(workspace.title), integration_id=workspace.integration_id
            )
            edit.entry("chat_file_deleted", data, origin=origin, audience=found.audience)
            await edit.save()


# ------------------------------------------------------------------------------------------------------- the job


@dataclass(frozen=True, slots=True)
class _Known:
    workspace: Workspace
    row: ChatFile
    attachment: Attachment | None


@dataclass(frozen=True, slots=True)
class _Fetched:
    file: SharedFile
    content: bytes | None
    why: str = ""


async def take_file(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.take_file` job: fetch a file that :func:`take` claimed, and attach it; or say why it stays where it is."""
    payload, account_id = work.job.payload, work.job.account_id or ""
    known = await work.read(lambda tx: _load(context, tx.account(account_id), payload))
    if known is None:
        return None
    told = payload["file"]
    file = SharedFile(told["id"], told["name"], told["media_type"])
    try:
        fetched = await _fetch(context, known.workspace, file)
    except CalloutError as error:
        if context.clock.now() - work.job.enqueued_at < PATIENCE:
            raise
        fetched = _Fetched(
            file, None, f"it could not be fetched from {known.workspace.title}: {error.message}"
        )
    crash_point("chat.file_fetched")

    async def settle(tx: Tx) -> None:
        await _attach(context, tx.account(account_id), payload, fetched)

    return settle


async def _load(context: ChatContext, tx: AccountTx, payload: Mapping[str, Any]) -> _Known | None:
    """Return what the job is about, or None where nothing is left to do. Raises RetryLater while paused."""
    workspace = await context.workspace(tx, payload["integration_id"])
    if workspace is None:
        return None
    await paused_for(context, tx, workspace.integration_id)
    incident_id = payload["incident_id"]
    row = await rows.one_file(tx, workspace.integration_id, payload["file"]["id"], incident_id)
    if row is None:
        return None
    try:
        found = await _attachment(context, tx, row)
    except NotFoundError:
        return None
    return (
        None if found is not None and found.state is AttachmentState.STORED else _Known(workspace, row, found)
    )


async def _attachment(context: ChatContext, tx: AccountTx, row: ChatFile) -> Attachment | None:
    if not row.attachment_id:
        await context.incidents.get(tx, row.incident_id)
        return None
    found, _ = await context.incidents.attachment(tx, row.incident_id, row.attachment_id)
    return found


async def _fetch(context: ChatContext, workspace: Workspace, file: SharedFile) -> _Fetched:
    """Return a file with its bytes, or why they stay there. Raises ConnectorError where a later try may go better."""
    provider, where = await context.provider(workspace.account_id, workspace.integration_id), workspace.title
    if "read_files" not in file_abilities(provider):
        return _Fetched(file, None, f"files of {where} cannot be fetched: it stays there")
    try:
        return await _read(
            cast("SupportsFileReading", provider), file.id, context.incidents.attachment_limit, where
        )
    except RecordNotFoundError:
        return _Fetched(file, None, f"it was deleted in {where} before it was fetched")
    except NOT_TO_BE_HAD as error:
        return _Fetched(file, None, f"it stays in {where}: {error.message}. {error.remediation}".rstrip(". "))


async def _read(reader: SupportsFileReading, file_id: str, limit: int, where: str) -> _Fetched:
    file = await reader.get_file(file_id)
    if file.why:
        return _Fetched(file, None, file.why)
    if file.size is not None and file.size > limit:
        return _Fetched(file, None, _too_large(size_words(file.size), limit, where))
    content = bytearray()
    async with aclosing(reader.download_file(file, limit=limit)) as pieces:
        async for piece in pieces:
            content += piece
            if len(content) > limit:
                return _Fetched(file, None, _too_large(f"more than {size_words(limit)}", limit, where))
    why = "" if content else f"it is empty: it stays in {where}"
    return _Fetched(file, bytes(content) or None, why)


def _too_large(has: str, limit: int, where: str) -> str:
    return f"it has {has}, and at most {size_words(limit)} are kept here: it stays in {where}"


async def _attach(context: ChatContext, tx: AccountTx, payload: Mapping[str, Any], fetched: _Fetched) -> None:
    """Attach what was fetched, or bring the bytes to what is attached already."""
    edit = await context.incidents.edit(tx, payload["incident_id"])
    told, file = payload["file"], fetched.file
    row = await rows.one_file(tx, payload["integration_id"], told["id"], edit.incident.id)
    if row is None:
        return
    if row.attachment_id:
        found, _ = await context.incidents.attachment(tx, edit.incident.id, row.attachment_id)
        if found.state is AttachmentState.STORED:
            return
        if fetched.content is not None:
            await context.incidents.file_arrived(tx, found, fetched.content)
        elif fetched.why != found.why:
            await set_state(tx, found.id, AttachmentState.ELSEWHERE, why=fetched.why)
        return
    at = payload["at"]
    added = edit.attach(
        NewFile(
            file.name or told["name"] or "file",
            file.media_type or told["media_type"],
            size=file.size,
            content=fetched.content,
            why=fetched.why,
        ),
        Audience(payload["audience"]),
        origin=Origin.from_json(payload["origin"]),
        author=person_from_json(payload["author"]),
        at=None if at is None else datetime.fromisoformat(at),
    )
    await edit.save()
    await rows.note(tx, row, attachment_id=added.id)


__all__ = ["TAKE_FILE", "From", "note_files", "take", "take_file"]

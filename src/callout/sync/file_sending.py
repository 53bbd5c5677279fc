"""Files that go to a ticket: each once, for nobody whom it is not meant for, and none holds up the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from callout.incidents import Attachment
from callout.jobs import RetryLater, Work
from callout.kit.crash import crash_point
from callout.ports.errors import CalloutError, ConnectorError, RecordNotFoundError
from callout.ports.files import find_file
from callout.ports.provider import (
    Effect,
    SupportsAttachmentReaders,
    SupportsAttachments,
    SupportsFindAttachment,
)
from callout.ports.ticketing import AttachmentInfo, FileIdentity
from callout.ports.values import Audience, Channel
from callout.sync import file_pairs, links, shadow
from callout.sync.context import SyncContext, Target
from callout.sync.file_pairs import FilePair, FileState
from callout.sync.links import Link, LinkStatus
from callout.sync.loops import Write, answered, loop_of
from callout.sync.outcomes import SEARCH_AGAIN, begun_before, shown_at, surely_not_done
from callout.sync.shadow import ShadowKind
from callout.sync.trouble import system_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.storage import AccountTx

T = TypeVar("T")
LEAST_READERS: Final = Audience.RESPONDERS
"""Who reads a file on any ticket at least."""
PIECE: Final = 256 * 1024
PAUSE_WAIT: Final = timedelta(seconds=5)
FILE: Final = "file"
"""What a write of a file is called for the loop breaker."""


class WritesPausedError(Exception):
    """Somebody paused the writes, or wants them held back, after the look began."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("paused")
        self.wait = wait


class FileProvider(SupportsAttachments, Protocol):
    """A connector with attachments."""

    effects: Mapping[str, Effect]


@dataclass(frozen=True, slots=True)
class Run:
    """One look after the files of a link."""

    context: SyncContext
    work: Work
    account_id: str
    link: Link
    target: Target
    provider: FileProvider

    async def commit(self, unit: Callable[[AccountTx], Awaitable[T]]) -> T:
        """Run a unit of work in the account and commit it."""
        return await self.work.transaction(lambda tx: unit(tx.account(self.account_id)))

    async def read(self, unit: Callable[[AccountTx], Awaitable[T]]) -> T:
        """Run a unit of work that only reads."""
        return await self.work.read(lambda tx: unit(tx.account(self.account_id)))

    def where(self) -> dict[str, str]:
        """Return what a line of the timeline says about the ticket."""
        return {"ticket": self.link.ticket_key, "integration": self.target.name, "link_id": self.link.id}


class FileSender:
    """Writes the files of one look to its ticket."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._readers: Audience | None = None

    # ------------------------------------------------------------------ what may be there already

    async def settle(self) -> None:
        """Search for the files whose upload was begun and never answered; those that are there are known from now on."""
        pairs = await self._run.read(lambda tx: file_pairs.of_link(tx, self._run.link.id))
        known = {pair.remote_id for pair in pairs.values() if pair.remote_id is not None}
        for pair in pairs.values():
            if not pair.unsettled:
                continue
            found = await self._find(pair.attachment_id, known)
            if found is not None:
                known.add(found.id)
                done = FilePair(pair.attachment_id, found.id, FileState.PAIRED)
                await self._put(done)

    async def _find(self, attachment_id: str, known: set[str]) -> AttachmentInfo | None:
        run = self._run
        one, _ = await run.read(
            lambda tx: run.context.incidents.attachment(tx, run.link.incident_id, attachment_id)
        )
        identity = FileIdentity(one.name, one.size or 0, one.sha256)
        if isinstance(run.provider, SupportsFindAttachment):
            return await run.provider.find_attachment(run.link.ticket_id, identity, known=known)
        # What is seen is there, also where what is not seen may be.
        return await find_file(run.provider, run.link.ticket_id, identity, known=known)

    # ------------------------------------------------------------------ sending

    async def send(self, attachments: Sequence[Attachment]) -> None:
        """Send each file that is not there yet. Raises ConnectorError, and RetryLater while the fate of one is open."""
        run = self._run
        pairs = await run.read(lambda tx: file_pairs.of_link(tx, run.link.id))
        left: list[timedelta] = []
        for one in attachments:
            pair = pairs.get(one.id) or FilePair(one.id, None, FileState.WAITING)
            if pair.remote_id is not None or await self._withheld(one, pair):
                continue
            if pair.begun_at is not None:
                wait = await self._wait(one, pair)
                if wait is None:
                    continue
                if wait > timedelta():
                    left.append(wait)
                    continue
            await self._upload(one, pair)
        if left:
            reason = (
                "the outcome of an upload is unknown; waiting until the ticket's list of files must show it"
            )
            age = run.context.clock.now() - run.work.job.enqueued_at
            raise RetryLater(min(*left, max(SEARCH_AGAIN, age / 4)), reason=reason, count=False)

    async def _wait(self, one: Attachment, pair: FilePair) -> timedelta | None:
        """Return how long until it is sure that an earlier upload did not arrive; None where nobody can ever tell."""
        if not isinstance(self._run.provider, SupportsFindAttachment):
            if pair.state is not FileState.IN_DOUBT:
                words = (
                    f"{one.name} may or may not have reached {self._run.link.ticket_key}: look for it there"
                )
                await self._tell(
                    one, replace(pair, state=FileState.IN_DOUBT, why=words), "sync_file_in_doubt"
                )
                return None
            if not any(job.payload.get("again") for job in self._run.work.jobs):
                return None
            return timedelta()  # a person looked, and wants it sent again
        assert pair.begun_at is not None  # noqa: S101  # asked by the caller
        effect = self._run.provider.effects.get("create_attachment")
        return max(shown_at(pair.begun_at, effect) - self._run.context.clock.now(), timedelta())

    async def _withheld(self, one: Attachment, pair: FilePair) -> bool:
        """Return whether more people would read a file there than it is meant for; said once."""
        readers = LEAST_READERS
        if one.audience.may_reach(readers):
            readers = await self._who_reads()
        if one.audience.may_reach(readers):
            return False
        if pair.state is not FileState.WITHHELD:
            kept = replace(pair, state=FileState.WITHHELD, why=_kept(one, readers, self._run))
            await self._tell(one, kept, "sync_file_withheld")
        return True

    async def _who_reads(self) -> Audience:
        if self._readers is None:
            provider = self._run.provider
            own = self._run.target.settings.get("file_readers")
            if own in set(Audience):
                self._readers = Audience(own)
            elif isinstance(provider, SupportsAttachmentReaders):
                self._readers = await provider.attachment_readers(self._run.link.ticket_id)
            else:
                self._readers = Audience.CUSTOMER
        return self._readers

    async def _upload(self, one: Attachment, pair: FilePair) -> None:
        run = self._run
        _, content = await run.read(
            lambda tx: run.context.incidents.attachment(tx, run.link.incident_id, one.id)
        )
        now = run.context.clock.now()
        begun = replace(pair, state=FileState.WAITING, why="", begun_at=now)
        if not await run.commit(lambda tx: self._begin(tx, one, begun)):
            return
        crash_point("sync.file_begun")
        try:
            info = await run.provider.create_attachment(
                run.link.ticket_id, file_name=one.name, content=_pieces(content), media_type=one.media_type
            )
        except CalloutError as error:
            sure = surely_not_done(error)
            failed = begun_before(run.context.clock.now())
            after = replace(begun, why=error.message, begun_at=None if sure else failed)
            if sure and error.permanent and not isinstance(error, RecordNotFoundError):
                await self._tell(one, replace(after, state=FileState.REFUSED), "sync_file_refused", error)
                return
            await self._put(after)
            raise
        crash_point("sync.file_sent")
        await run.commit(lambda tx: self._sent(tx, one, info))

    async def _begin(self, tx: AccountTx, one: Attachment, begun: FilePair) -> bool:
        """Remember that an upload begins; False where it is held back. Raises WritesPausedError."""
        run, now = self._run, self._run.context.clock.now()
        target = await run.context.target(tx, run.link.integration_id)
        if target is not None and target.shadow:
            await shadow.keep(tx, run.link, ShadowKind.FILE, {one.id: one.name}, now)
            return False
        link = await links.load(tx, run.link.id, lock=True)
        if target is None or link.status is not LinkStatus.ACTIVE:
            return False  # a person stopped it meanwhile
        pause = await run.context.paused(tx, link.integration_id, link.id)
        if pause is not None:
            raise WritesPausedError(PAUSE_WAIT)
        write = _write(link, one, now)
        often = loop_of(link.writes, write)
        if often and write.hops > 1:
            words = f"{link.ticket_key} was written {often}: something answers every file of ours"
            await self._told(
                tx,
                one,
                replace(begun, state=FileState.REFUSED, why=words, begun_at=None),
                "sync_file_refused",
            )
            return False
        if often:
            raise WritesPausedError(
                timedelta(minutes=1)
            )  # many files of people: the rest goes a little later
        await file_pairs.put(tx, link.id, begun, now)
        await links.save(tx, link.with_write(write), now)
        return True

    async def _sent(self, tx: AccountTx, one: Attachment, info: AttachmentInfo) -> None:
        now = self._run.context.clock.now()
        await file_pairs.put(tx, self._run.link.id, FilePair(one.id, info.id, FileState.PAIRED), now)

    async def _put(self, pair: FilePair) -> None:
        now = self._run.context.clock.now()
        await self._run.commit(lambda tx: file_pairs.put(tx, self._run.link.id, pair, now))

    async def _tell(
        self, one: Attachment, pair: FilePair, kind: str, error: CalloutError | None = None
    ) -> None:
        await self._run.commit(lambda tx: self._told(tx, one, pair, kind, error))

    async def _told(
        self, tx: AccountTx, one: Attachment, pair: FilePair, kind: str, error: CalloutError | None = None
    ) -> None:
        """Store how a file stands, and say it on the timeline to those who may know of the file."""
        run = self._run
        await file_pairs.put(tx, run.link.id, pair, run.context.clock.now())
        data: dict[str, Any] = {"attachment_id": one.id, "name": one.name, "why": pair.why, **run.where()}
        if error is not None and error.remediation:
            data["remediation"] = error.remediation
        edit = await run.context.incidents.edit(tx, run.link.incident_id)
        edit.entry(kind, data, origin=system_origin(run.link), audience=one.audience)
        await edit.save()


def _write(link: Link, one: Attachment, now: datetime) -> Write:
    hops = one.origin.hops + 1 if one.origin.channel is Channel.SYNC else 1
    if hops > 1:
        hops = max(hops, answered(link.writes, {FILE}, now) + 2)
    return Write(now, hops, (f"{FILE}={one.sha256[:12]}",))


def _kept(one: Attachment, readers: Audience, run: Run) -> str:
    """Return in plain words why a file stays here, and what would let it go."""
    ticket = run.link.ticket_key or "the ticket"
    if one.audience is Audience.INTERNAL:
        return (
            f"an internal file stays here: everybody who works on {ticket} in {run.target.name} would read it"
        )
    return (
        f"a file for {one.audience.value} stays here: {readers.value}s read what is attached to {ticket} in"
        f" {run.target.name}. Attach it for customers to have it there"
    )


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


__all__ = ["LEAST_READERS", "ConnectorError", "FileProvider", "FileSender", "Run", "WritesPausedError"]

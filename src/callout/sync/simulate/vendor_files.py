"""The files of a simulated vendor's tickets. It keeps no key of ours with a file, as no vendor does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.ports.errors import RecordNotFoundError
from callout.ports.files import find_file
from callout.ports.ticketing import AttachmentInfo, ChangeKind, FileIdentity
from callout.ports.values import Audience, Person

if TYPE_CHECKING:
    from callout.sync.simulate.quirks import Quirks
    from callout.sync.simulate.records import Record


FILE_READS = frozenset({"list_attachments", "download_attachment", "attachment_readers"})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the vendor keeps it. `arrived` is by the true clock."""

    info: AttachmentInfo
    content: bytes
    arrived: datetime


class VendorFiles:
    """What a vendor does with files."""

    quirks: Quirks
    name: str
    _numbers = 0
    removed: set[bytes]
    """Contents that somebody took away."""

    # What the vendor around it has.
    _called: Any
    _answered: Any
    _record: Any
    _shown: Any
    touched: Any
    now: Any
    moment: Any

    def add_file(
        self, record: Record, name: str, content: bytes, *, audience: Audience, author: Person
    ) -> AttachmentInfo:
        """Keep a file."""
        self._numbers += 1
        info = AttachmentInfo(
            id=f"{self.name}-f{self._numbers}",
            ticket_id=record.id,
            file_name=name.replace(" ", "_") if self.quirks.renames_files else name,
            media_type="text/plain",
            size=len(content),
            created_at=self.now(),
            creator=author,
            audience=audience,
        )
        record.files.append(RemoteFile(info, content, self.moment()))
        self.touched(record, ChangeKind.ATTACHED, author)
        return info

    def remove_file(self, record: Record, at: int, author: Person) -> None:
        """Take one away."""
        gone = record.files.pop(at)
        self.removed.add(gone.content)
        self.touched(record, ChangeKind.UPDATED, author)

    def readers(self) -> Audience:
        """Return who reads a file here."""
        return Audience.CUSTOMER if self.quirks.customers_read_files else Audience.RESPONDERS

    def listed(self, record: Record) -> tuple[AttachmentInfo, ...]:
        """Return the files that lists show."""
        return tuple(one.info for one in record.files if self._shown(one.arrived))

    # ------------------------------------------------------------------ the port

    async def list_attachments(self, ticket_id: str) -> Sequence[AttachmentInfo]:
        """Return the files that lists show."""
        await self._called("list_attachments")
        found = self.listed(self._record(ticket_id))
        await self._answered("list_attachments", "")
        return found

    async def create_attachment(
        self, ticket_id: str, *, file_name: str, content: AsyncIterator[bytes], media_type: str
    ) -> AttachmentInfo:
        """Keep a file; another one every time."""
        data = b"".join([chunk async for chunk in content])
        lost = await self._called("create_attachment")
        _ = media_type
        info = self.add_file(
            self._record(ticket_id), file_name, data, audience=self.readers(), author=Person("bot", "Callout")
        )
        await self._answered("create_attachment", lost)
        return info

    async def find_attachment(
        self, ticket_id: str, identity: FileIdentity, *, known: Collection[str]
    ) -> AttachmentInfo | None:
        """Return the file of that name, size and content, if lists show it."""
        return await find_file(self, ticket_id, identity, known=known)

    async def attachment_readers(self, ticket_id: str) -> Audience:
        """Return who reads a file here."""
        await self._called("attachment_readers")
        self._record(ticket_id)
        return self.readers()

    async def download_attachment(self, ticket_id: str, attachment_id: str) -> AsyncIterator[bytes]:
        """Yield the bytes, in two pieces."""
        await self._called("download_attachment")
        for one in self._record(ticket_id).files:
            if one.info.id == attachment_id:
                yield one.content[:7]
                await self._answered("download_attachment", "")
                yield one.content[7:]
                return
        raise RecordNotFoundError(f"{self.name} has no file {attachment_id}", status=404)

    async def delete_attachment(self, ticket_id: str, attachment_id: str) -> None:
        """Nobody of ours asks for this."""
        raise NotImplementedError


__all__ = ["FILE_READS", "RemoteFile", "VendorFiles"]

"""Files in a chat: what people share in a channel, and what of ours is shown there. Optional: a platform has what it implements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file on the platform, by its id there, which is the same wherever it is shared.

    `size` is in bytes, None where it is not told; a file of which only the id was told has no name. `url` is where its bytes are,
    in the platform's own words; `why` says in plain words why they cannot be had; `gone` that it was deleted there.
    """

    id: str
    name: str = ""
    media_type: str = ""
    size: int | None = None
    url: str = field(default="", repr=False)
    why: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of ours that a channel is to show. `comment` is Markdown, said with it."""

    name: str
    media_type: str
    content: bytes = field(repr=False)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a file is to be shown: a channel, in the thread of one of its messages where `thread` names one."""

    channel: str
    thread: str = ""


class SupportsFileReading(Protocol):
    """Lets us read the files that people share."""

    async def get_file(self, file_id: str) -> SharedFile:
        """Return what the platform says of a file now. Raises RecordNotFoundError for one that was deleted."""
        ...

    def download_file(self, file: SharedFile, *, limit: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file as :meth:`get_file` told of it; may end as soon as more than `limit` bytes have come.

        Our credentials go to the platform's own hosts only. Raises PermissionDeniedError where the platform shows something else in
        its place, such as a page to sign in at; RejectedError for an address that is not the platform's.
        """
        ...


class SupportsFileSharing(Protocol):
    """Lets us show files in a channel."""

    async def put_file(self, file: ShownFile, place: FilePlace) -> str:
        """Bring a file's bytes to the platform, where nobody sees them yet; return its id there. A repeat does no harm.

        A platform without such a step returns an empty text, and sends the bytes with :meth:`share_file`.
        """
        ...

    async def share_file(self, file: ShownFile, place: FilePlace, *, upload: str, key: str) -> str:
        """Show a file that was put there; return the id of the message that shows it, empty where it is not told.

        `key` is ours, the same on every try. Raises OutcomeUnknownError when it may be shown.
        """
        ...


class SupportsFindSharedFile(Protocol):
    """Can tell whether a file that we may have shown is there: `share_file` is declared `Findable` then."""

    async def find_shared_file(self, place: FilePlace, *, upload: str, key: str) -> str | None:
        """Return the id of the message that shows it (empty where it is not told), or None where it is not shown."""
        ...


CHAT_FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "read_files": ("get_file", "download_file"),
    "show_files": ("put_file", "share_file"),
    "find_shown_files": ("find_shared_file",),
}
"""What a platform can do with files → the methods that it takes."""


def file_abilities(provider: type | object) -> frozenset[str]:
    """Return what `provider` (a class or an instance) can do with files, by what it implements."""
    return frozenset(
        ability
        for ability, names in CHAT_FILES.items()
        if all(callable(getattr(provider, name, None)) for name in names)
    )


__all__ = [
    "CHAT_FILES",
    "FilePlace",
    "SharedFile",
    "ShownFile",
    "SupportsFileReading",
    "SupportsFileSharing",
    "SupportsFindSharedFile",
    "file_abilities",
]

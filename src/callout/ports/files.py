"""Finding a file again by what it is: for vendors that keep no key of ours with an attachment, which is all that are known."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection
from typing import TYPE_CHECKING

from callout.ports.errors import RecordNotFoundError

if TYPE_CHECKING:
    from callout.ports.provider import SupportsAttachments
    from callout.ports.ticketing import AttachmentInfo, FileIdentity


def same_name(one: str, other: str) -> bool:
    """Return whether two names mean the same file: vendors exchange signs that they do not like."""
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


async def find_file(
    provider: SupportsAttachments, ticket_id: str, identity: FileIdentity, *, known: Collection[str]
) -> AttachmentInfo | None:
    """Return the file with this name, size and content whose id is not among `known`, or None.

    Only what has the name and the size is downloaded. Two files that are the same in all three are one another's copies: whichever
    of them is found, each file of ours has one there.
    """
    for info in await provider.list_attachments(ticket_id):
        fits = info.size in {None, identity.size} and same_name(info.file_name, identity.name)
        if info.id in known or not fits:
            continue
        digest = hashlib.sha256()
        try:
            async for chunk in provider.download_attachment(ticket_id, info.id):
                digest.update(chunk)
        except RecordNotFoundError:
            continue  # taken away since it was listed
        if digest.hexdigest() == identity.sha256:
            return info
    return None


__all__ = ["find_file", "same_name"]

"""The file of a backup: a tar archive of a manifest and the database's copy, made whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from callout.kit.secrets import KeyRing, SealError
from callout.storage.backup import BackupError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
MEMBERS: Final[Mapping[str, str]] = {"sqlite": "callout.db", "postgresql": "callout.pgdump"}
"""The copy's name in the archive, by kind of database."""
LARGEST_MANIFEST: Final = 1 << 20
_CONTEXT: Final = ("backup", "manifest")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is: by which program, of which schema, when, of how many rows, and what makes it genuine.

    `begun_at` is before the copy's moment: everything that was acknowledged by then is in it. `keys` names the key versions that
    seal something in it; the keys themselves are never in a backup. `signature` is by the installation's keys.
    """

    version: str
    database: str
    schema: str
    begun_at: datetime
    counts: Mapping[str, int]
    size: int
    sha256: str
    keys: tuple[str, ...]
    format: int = FORMAT
    signature: str = field(default="")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "begun_at": self.begun_at.isoformat(), "keys": list(self.keys)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """Read a manifest. Raises BackupError for one of a newer form, or none at all."""
        if data.get("format") != FORMAT:
            raise BackupError(
                f"the backup is of form {data.get('format')!r}, this program reads {FORMAT}: use the program that made it"
            )
        try:
            return cls(
                **{
                    **data,
                    "begun_at": datetime.fromisoformat(data["begun_at"]),
                    "keys": tuple(str(one) for one in data["keys"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BackupError(f"the backup's manifest cannot be read: {error}") from error

    def _statement(self) -> str:
        return hashlib.sha256(
            orjson.dumps(replace(self, signature="").to_json(), option=orjson.OPT_SORT_KEYS)
        ).hexdigest()

    def signed(self, keys: KeyRing) -> Manifest:
        """Return this manifest signed with the primary key."""
        return replace(self, signature=keys.seal(self._statement(), context=_CONTEXT))

    def is_genuine(self, keys: KeyRing) -> bool:
        """Return whether a holder of `keys` made exactly this manifest. Raises SealError where none of them can tell."""
        return keys.open(self.signature, context=_CONTEXT).reveal() == self._statement()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(target: Path, manifest: Manifest, copy: Path) -> None:
    """Write the archive under a name of its own and give it its name when it is on disk, readable by its owner only."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                note = partial.with_name(f".{target.name}.manifest")
                note.write_bytes(orjson.dumps(manifest.to_json(), option=orjson.OPT_INDENT_2))
                try:
                    archive.add(note, MANIFEST, filter=_plain)
                finally:
                    note.unlink()
                archive.add(copy, MEMBERS[manifest.database], filter=_plain)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def read_manifest(path: Path) -> Manifest:
    """Return what a backup says of itself. Raises BackupError."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            member = archive.next()
            file = None if member is None else archive.extractfile(member)
            if member is None or file is None or member.name != MANIFEST or member.size > LARGEST_MANIFEST:
                raise BackupError(f"{path} is no backup of Callout")
            data = orjson.loads(file.read())
    except (tarfile.TarError, orjson.JSONDecodeError) as error:
        raise BackupError(f"{path} is no backup of Callout, or is damaged: {error}") from error
    if not isinstance(data, dict):
        raise BackupError(f"{path} is no backup of Callout")
    return Manifest.from_json(data)


def extract(path: Path, manifest: Manifest, target: Path) -> None:
    """Write the copy in a backup to the new file `target`, and hold it against the manifest. Raises BackupError."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with tarfile.open(path, mode="r:") as archive:
            file = archive.extractfile(MEMBERS[manifest.database])
            if file is None:
                raise BackupError(f"{path} holds no database")
            with file, target.open("wb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
    except (tarfile.TarError, KeyError) as error:
        raise BackupError(f"{path} is damaged: {error}") from error
    if target.stat().st_size != manifest.size or digest_of(target) != manifest.sha256:
        raise BackupError(f"{path} is damaged: its database is not the one that was written")


def verify_keys(manifest: Manifest, keys: KeyRing) -> None:
    """Raise BackupError unless `keys` open what the backup holds, and signed it."""
    missing = sorted(set(manifest.keys) - set(keys.versions))
    if missing:
        raise BackupError(
            f"the backup's secrets are sealed with keys that are not here ({', '.join(missing)}): put them into"
            " CALLOUT_KEYS or the key file first; backups never hold keys"
        )
    try:
        genuine = manifest.is_genuine(keys)
    except SealError as error:
        raise BackupError(
            f"the backup was made with other keys than those at hand ({error}): put its keys into CALLOUT_KEYS"
            " or the key file first"
        ) from error
    if not genuine:
        raise BackupError("the backup's manifest was changed after it was made")


__all__ = [
    "FORMAT",
    "MEMBERS",
    "Manifest",
    "digest_of",
    "extract",
    "read_manifest",
    "verify_keys",
    "write",
]

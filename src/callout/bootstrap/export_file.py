"""The file of an export: a gzipped tar archive of a manifest and one file of JSON lines for each table, made whole or not at all.

Reading trusts nothing: names, sizes, checksums and the length of a line are held against the manifest and fixed limits, no file is
ever unpacked, and no more than one line is in memory.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from callout.ports.errors import CalloutError

if TYPE_CHECKING:
    from types import TracebackType

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SUFFIX: Final = ".jsonl"
LARGEST_MANIFEST: Final = 4 << 20
LONGEST_LINE: Final = 32 << 20
"""One row; a part of a file is at most 1 MiB."""
_LEVEL: Final = 6
_BLOCK: Final = 1 << 20


class ExportFailedError(CalloutError):
    """The export cannot be made."""

    code = "EXPORT_FAILED"


class NotAnExportError(CalloutError):
    """The file is something else."""

    code = "EXPORT_UNREADABLE"


class DamagedExportError(CalloutError):
    """The file is cut off, or was changed since it was made."""

    code = "EXPORT_DAMAGED"
    default_remediation = "Copy it again, or export again."


class NewerExportError(CalloutError):
    """The file was made by a program that knows more than this one."""

    code = "EXPORT_TOO_NEW"


class BadExportError(CalloutError):
    """What the file holds cannot be taken in."""

    code = "EXPORT_INVALID"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive: a table's rows. One that is not `taken_in` is there to be read."""

    table: str
    rows: int
    bytes: int
    sha256: str
    taken_in: bool = True

    @property
    def name(self) -> str:
        """Its name in the archive."""
        return self.table + SUFFIX


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export is: by which program, of which schema, when, and what it holds.

    `to_enter_again` names the secrets that did not come along; `left_behind` the jobs that waited, by kind.
    """

    version: str
    schema: str
    database: str
    exported_at: datetime
    parts: tuple[Part, ...] = ()
    to_enter_again: tuple[Mapping[str, str], ...] = ()
    left_behind: Mapping[str, int] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def rows(self) -> int:
        """How many rows there are to take in."""
        return sum(part.rows for part in self.parts if part.taken_in)

    def rows_of(self, table: str) -> int:
        """Return how many rows of a table there are."""
        return next((part.rows for part in self.parts if part.table == table), 0)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        data = asdict(self)
        parts = [{"file": part.name, **asdict(part)} for part in self.parts]
        return {"product": "callout", **data, "exported_at": self.exported_at.isoformat(), "parts": parts}

    @classmethod
    def from_json(cls, data: Any) -> Manifest:  # noqa: ANN401  # whatever the file holds
        """Read a manifest. Raises NotAnExportError, NewerExportError, BadExportError."""
        if not isinstance(data, dict) or data.get("product") != "callout":
            raise NotAnExportError("this is no export of Callout")
        form = data.get("format")
        if isinstance(form, int) and form > FORMAT:
            raise NewerExportError(
                f"the export is of form {form}, this program reads form {FORMAT}",
                remediation=f"Import it with version {str(data.get('version'))[:50]} or newer.",
            )
        if form != FORMAT:
            raise NotAnExportError(f"the export is of an unknown form {str(form)[:50]!r}")
        try:
            parts = tuple(
                Part(
                    str(one["table"]),
                    int(one["rows"]),
                    int(one["bytes"]),
                    str(one["sha256"]),
                    one["taken_in"] is True,
                )
                for one in data["parts"]
            )
            return cls(
                version=str(data["version"]),
                schema=str(data["schema"]),
                database=str(data["database"]),
                exported_at=datetime.fromisoformat(data["exported_at"]),
                parts=parts,
                to_enter_again=tuple(
                    {str(k): str(v) for k, v in one.items()} for one in data["to_enter_again"]
                ),
                left_behind={str(k): int(v) for k, v in data["left_behind"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadExportError("the manifest of the export cannot be read", detail=repr(error)) from error


# ------------------------------------------------------------------------------------------------------ writing


class Spool:
    """Writes the lines of one part to a file beside, counting and digesting as it goes."""

    def __init__(self, folder: Path, table: str, *, taken_in: bool) -> None:
        self._path, self._table, self._taken_in = folder / (table + SUFFIX), table, taken_in
        self._file = self._path.open("wb")
        self._digest = hashlib.sha256()
        self._rows = self._bytes = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one row."""
        line = orjson.dumps(row) + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self._rows += 1
        self._bytes += len(line)

    def done(self) -> Part:
        """Close the file and return what is in it."""
        self._file.close()
        return Part(self._table, self._rows, self._bytes, self._digest.hexdigest(), self._taken_in)


def write(target: Path, manifest: Manifest, folder: Path) -> str:
    """Write the archive of the parts in `folder`, readable by its owner only, and give it its name when it is on disk.

    Returns its SHA-256.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with (
                gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
            ):
                note = folder / MANIFEST
                note.write_bytes(orjson.dumps(manifest.to_json(), option=orjson.OPT_INDENT_2) + b"\n")
                for name in (MANIFEST, *(part.name for part in manifest.parts)):
                    _put(archive, folder / name, manifest.exported_at)
            file.flush()
            os.fsync(file.fileno())
        with partial.open("rb") as made:
            digest = hashlib.file_digest(made, "sha256").hexdigest()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return digest


def _put(archive: tarfile.TarFile, path: Path, at: datetime) -> None:
    member = tarfile.TarInfo(path.name)
    member.size, member.mode, member.mtime = path.stat().st_size, 0o600, int(at.timestamp())
    with path.open("rb") as file:
        archive.addfile(member, file)


# ------------------------------------------------------------------------------------------------------ reading


class Reader:
    """An archive, read from its beginning to its end.

    Not by `tarfile`: that takes whole extended headers into memory, however long somebody makes them. Ours has none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = gzip.open(path, "rb")  # noqa: SIM115  # closed by __exit__
        self._left = self._padding = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def manifest(self) -> Manifest:
        """Return the manifest, which comes first. Raises NotAnExportError, NewerExportError, DamagedExportError, BadExportError."""
        try:
            member = self._next()
        except BadExportError as error:
            raise NotAnExportError(f"{self._path} is no export of Callout") from error
        if member is None or member.name != MANIFEST or not 0 < member.size <= LARGEST_MANIFEST:
            raise NotAnExportError(f"{self._path} is no export of Callout")
        content = self._read(member.size)
        self._left = 0
        try:
            return Manifest.from_json(orjson.loads(content))
        except orjson.JSONDecodeError as error:
            raise NotAnExportError(f"{self._path} is no export of Callout") from error

    def lines(self, part: Part) -> Iterator[tuple[int, Any]]:
        """Yield number and content of every line of the next part, which must be this one.

        Raises DamagedExportError at the latest at its end, BadExportError.
        """
        member = self._next()
        if member is None:
            raise DamagedExportError(f"{self._path} ends before {part.name}")
        if member.name != part.name:
            raise BadExportError(f"the export holds {member.name[:100]!r} where {part.name} should be")
        if member.size != part.bytes:
            raise DamagedExportError(f"{part.name} is not of the length that the manifest says")
        digest, number = hashlib.sha256(), 0
        while self._left:
            number += 1
            line = self._line(part, number)
            digest.update(line)
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadExportError(f"{part.name}, line {number}: no JSON") from error
        if digest.hexdigest() != part.sha256 or number != part.rows:
            raise DamagedExportError(f"{part.name} is not what was written: its checksum is another")

    def end(self) -> None:
        """Read to the end: only then is it known that nothing is cut off, and that there is no more than the manifest says."""
        more = self._next()
        if more is not None:
            raise BadExportError(f"the export holds {more.name[:100]!r}, which its manifest does not name")
        with _told(self._path):
            rest = self._file.read(_BLOCK)  # the padding of a tar archive, and the checksum behind it
            over = self._file.read(1)
        if over or rest.strip(b"\0"):
            raise BadExportError("the export goes on after its end")

    def _next(self) -> tarfile.TarInfo | None:
        """Return what comes next, None at the end. Raises BadExportError for anything but a plain file, DamagedExportError."""
        self._read(self._padding)
        header = self._read(tarfile.BLOCKSIZE)
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "backslashreplace")
        except tarfile.TarError as error:
            if not header.strip(b"\0"):
                return None
            raise BadExportError("the export holds what is no part of an archive") from error
        if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.size < 0:
            raise BadExportError(f"the export holds {member.name[:100]!r}, which is no plain file")
        self._left, self._padding = member.size, -member.size % tarfile.BLOCKSIZE
        return member

    def _read(self, size: int) -> bytes:
        with _told(self._path):
            found = self._file.read(size)
        if len(found) != size:
            raise DamagedExportError(f"{self._path} is cut off")
        return found

    def _line(self, part: Part, number: int) -> bytes:
        with _told(self._path):
            line = self._file.readline(min(self._left, LONGEST_LINE + 1))
        if len(line) > LONGEST_LINE:
            limit = LONGEST_LINE >> 20
            raise BadExportError(f"{part.name}, line {number}: longer than {limit} MiB")
        if not line:
            raise DamagedExportError(f"{self._path} is cut off")
        self._left -= len(line)
        return line


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in our words what reading a file that is none, or is cut off, raises."""
    try:
        yield
    except gzip.BadGzipFile as error:
        if "Not a gzipped file" in str(error):
            raise NotAnExportError(f"{path} is no export of Callout") from error
        raise DamagedExportError(f"{path} is damaged: {error}") from error
    except (EOFError, zlib.error) as error:
        raise DamagedExportError(f"{path} is damaged: {error}") from error


__all__ = [
    "FORMAT",
    "LONGEST_LINE",
    "BadExportError",
    "DamagedExportError",
    "ExportFailedError",
    "Manifest",
    "NewerExportError",
    "NotAnExportError",
    "Part",
    "Reader",
    "Spool",
    "write",
]

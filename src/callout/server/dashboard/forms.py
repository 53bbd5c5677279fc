"""What a person typed into a form, and what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

    from callout.ports.errors import CalloutError

MOST_FIELDS: Final = 1_000
CSRF_FIELD: Final = "csrf"
STALE: Final = "/updated_at"
"""What an error names that was raised for a record which is newer than what was looked at."""
MOST_FILE_FIELDS: Final = 20
LONGEST_FILE_FIELD: Final = 64 * 1024
"""Of one field beside a file, in bytes."""
_MULTIPART: Final = "multipart/form-data"
_URLENCODED: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that came with a form: the name and the kind that the browser says, and its bytes."""

    name: str
    kind: str
    content: bytes


class Form:
    """The fields of one form, as text. `errors` holds what is wrong by field; `error` what concerns none of them.

    Made empty for a page that shows the form for the first time, with `values` as what stands in it then.
    """

    def __init__(
        self, pairs: Iterable[tuple[str, str]] = (), *, values: Mapping[str, str] | None = None
    ) -> None:
        self._values: dict[str, list[str]] = {name: [value] for name, value in (values or {}).items()}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self.file: SentFile | None = None
        self.errors: dict[str, str] = {}
        self.error = ""
        self.remediation = ""

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """Return a field without the spaces around it; line ends are one character."""
        return self.raw(name, default).replace("\r\n", "\n").strip()

    def raw(self, name: str, default: str = "") -> str:
        """Return a field as it came."""
        values = self._values.get(name)
        return values[-1] if values else default

    def all(self, name: str) -> list[str]:
        """Return every value of a field that may come several times, the empty ones aside."""
        return [value.strip() for value in self._values.get(name, ()) if value.strip()]

    def flag(self, name: str) -> bool:
        """Return whether a check box is ticked."""
        return self.raw(name) not in {"", "0", "false", "off"}

    def names(self) -> list[str]:
        """Return the names of all fields."""
        return list(self._values)

    def begin(self, values: Mapping[str, str]) -> Form:
        """Fill in what stands in the form where nothing was sent for it; what is wrong stays noted. Return the form."""
        for name, value in values.items():
            self._values.setdefault(name, [value])
        return self

    def wrong(self, name: str, what: str) -> None:
        """Note what is wrong with a field."""
        self.errors.setdefault(name, what)

    def refused(self, error: CalloutError, *, fields: Mapping[str, str] | None = None) -> None:
        """Note why it was refused: beside the fields that the error names, else above them all.

        `fields` says which of our fields stands for which name in the error, where they differ. A field that the form does not have
        is told of above.
        """
        if self.too_late(error):
            return
        above = []
        for place, what in error.fields.items():
            name = (fields or {}).get(place, place.removeprefix("/").replace("/", "."))
            if name in self._values or name in (fields or {}).values():
                self.wrong(name, what)
            else:
                above.append(f"{place}: {what}")
        if not self.errors or above or not error.fields:
            self.error = "; ".join([error.message, *above])
        else:
            self.error = error.message
        self.remediation = error.remediation

    def too_late(self, error: CalloutError) -> bool:
        """Return whether it was refused because somebody else changed the record meanwhile; if so, say that."""
        if STALE not in error.fields:
            return False
        self.error = "somebody else changed this while you were at it, so nothing was stored"
        self.remediation = "What you typed still stands below: load the page anew in another tab, and repeat your change there."
        return True

    @property
    def ok(self) -> bool:
        """Whether nothing is known to be wrong."""
        return not self.errors and not self.error


async def read_form(request: Request) -> Form:
    """Return the form that a request carries. Raises HTTPException for a body of another kind or too many fields."""
    body = await request.body()  # first, since one that is too large is told of before all else
    kind = request.headers.get("content-type", _URLENCODED).partition(";")[0].strip().lower()
    if kind != _URLENCODED:
        raise HTTPException(415, "a form has to be sent as application/x-www-form-urlencoded")
    text = body.decode("utf-8", "replace").replace("\x00", "")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(400, f"a form has {MOST_FIELDS} fields at most") from None
    return Form((name, value.replace("\x00", "")) for name, value in pairs)


async def read_form_with_file(request: Request) -> Form:
    """Return the form that a request carries, with the file in it, if it has one.

    Raises HTTPException for a body of another kind or a broken one.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _MULTIPART:
        return await read_form(request)
    async with request.form(
        max_files=1, max_fields=MOST_FILE_FIELDS, max_part_size=LONGEST_FILE_FIELD
    ) as parts:
        form = Form(
            (name, value.replace("\x00", "")) for name, value in parts.multi_items() if isinstance(value, str)
        )
        for value in parts.values():
            # A browser in which no file was chosen sends one without a name and without a byte.
            if isinstance(value, UploadFile) and (value.filename or value.size):
                form.file = SentFile(value.filename or "", value.content_type or "", await value.read())
    return form

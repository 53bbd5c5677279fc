"""Templates into pages, with the headers that keep a page from being used against its reader."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from callout.incidents.wording import value_in_words
from callout.ports.values import Audience

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: a browser then sends our own forms with `Origin: null`, and nothing tells them from those of other sites.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATIC: Final = Path(__file__).parent.parent / "static"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_TICKED: Final = re.compile(r"`([^`]+)`")
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Renderer:
    """Makes pages of templates, and serves the files they need."""

    def __init__(self) -> None:
        self._files = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in sorted(_STATIC.iterdir())
            if path.suffix in _TYPES
        }
        self._templates = Environment(
            loader=PackageLoader("callout.server"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(static=self.address, audiences=list(Audience))
        self._templates.filters.update(
            in_words=value_in_words,
            moment=moment,
            clock_time=clock_time,
            iso=iso,
            span=span,
            words=words,
            count=count,
            ticks=ticks,
        )

    def address(self, name: str) -> str:
        """Return the address of a file; it changes with what the file holds, so that browsers may keep it for ever."""
        return f"/static/{name}?v={self._files[name]}"

    def page(
        self,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the page of `template`."""
        text = self._templates.get_template(template).render(values)
        return HTMLResponse(text, status, headers={**HEADERS, **(headers or {})})

    async def static(self, request: Request) -> Response:
        """Answer with a file of ours."""
        name = request.path_params["name"]
        if name not in self._files:
            return self.error(404, "There is no such file.")
        kept = request.query_params.get("v") == self._files[name]
        return FileResponse(
            _STATIC / name,
            media_type=_TYPES[Path(name).suffix],
            headers={
                **HEADERS,
                "Cache-Control": _FOR_EVER if kept else "no-cache",
            },
        )

    def error(
        self,
        status: int,
        message: str,
        *,
        remediation: str = "",
        visitor: object = None,
        reference: str = "",
        back: str = "",
    ) -> Response:
        """Return a page that says what went wrong, and what to do next.

        Args:
            status: of the answer.
            message: what went wrong.
            remediation: what to do.
            visitor: who looks, where that is known: the page then has the site's navigation.
            reference: by which the log tells of it.
            back: the path of the page that somebody came from.
        """
        values = {
            "title": _TITLES.get(status, "This did not work"),
            "message": message[:1].upper() + message[1:].rstrip(".") + ".",
            "remediation": remediation,
            "reference": reference,
            "back": back,
            "visitor": visitor,
            "done": "",
            "path": "",
        }
        return self.page("error.html", values, status=status)


_TITLES: Final = {
    403: "Not allowed",
    404: "Not here",
    409: "Not as things stand",
    413: "Too large",
    500: "This failed",
    502: "The other side did not do it",
    503: "Not now",
}


def _as_time(value: datetime | str) -> datetime:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


def iso(value: datetime | str) -> str:
    """Return a moment for machines."""
    return _as_time(value).isoformat(timespec="seconds")


def moment(value: datetime | str | None) -> str:
    """Return a moment with its day; a script on the page shows it in the reader's own zone."""
    return "" if value is None else _as_time(value).strftime("%Y-%m-%d %H:%M UTC")


def clock_time(value: datetime | str) -> str:
    """Return the time of day of a moment."""
    return _as_time(value).strftime("%H:%M:%S")


def span(value: timedelta | float | None) -> str:
    """Return a length of time (or seconds) as people say it: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    if value is None:
        return "–"  # noqa: RUF001  # typography of the page
    seconds = round(value.total_seconds() if isinstance(value, timedelta) else value)
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{sign}{seconds} s"
    minutes = seconds // 60
    if minutes < 60:  # noqa: PLR2004  # an hour
        return f"{sign}{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:  # noqa: PLR2004  # a day
        return f"{sign}{hours} h {minutes} min" if minutes else f"{sign}{hours} h"
    days, hours = divmod(hours, 24)
    return f"{sign}{days} d {hours} h" if hours else f"{sign}{days} d"


def words(value: str) -> str:
    """Return a name of ours (`sync_problem`) as words."""
    return value.replace("_", " ").replace(".", ": ")


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 ticket`, `2 tickets`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def ticks(text: str) -> Markup:
    """Return a text with what stands in backticks as code."""
    # Of an escaped text, so that nothing else in it is markup.
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped the line above

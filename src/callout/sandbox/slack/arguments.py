"""Arguments of a Web API call: JSON, form or query in, one typed view out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from callout.sandbox.slack.errors import SlackError, invalid_arguments

if TYPE_CHECKING:
    from starlette.requests import Request

_TRUE = {"1", "true", "True"}


class Arguments:
    """What the caller sent, read by type; nested structures may be JSON values or JSON strings."""

    def __init__(self, values: dict[str, Any], *, warnings: tuple[str, ...] = ()) -> None:
        self._values = values
        self.warnings = warnings

    def has(self, name: str) -> bool:
        """Whether the argument was sent at all and is not null."""
        return self._values.get(name) is not None

    def all(self) -> dict[str, Any]:
        """Return everything that was sent, but the token."""
        return {key: value for key, value in self._values.items() if key != "token"}

    def text(self, name: str, default: str = "") -> str:
        """Return a string argument; numbers become text, lists are joined with commas."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value)

    def required(self, name: str) -> str:
        """Return a string argument. Raises SlackError `invalid_arguments` when absent or empty."""
        value = self.text(name)
        if not value:
            raise invalid_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean argument (`1`, `true` or JSON true)."""
        value = self._values.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else str(value) in _TRUE

    def limit(self, default: int, most: int) -> int:
        """Return the paging argument `limit`. Raises SlackError `invalid_limit` outside 1..most."""
        raw = self.text("limit")
        if not raw:
            return default
        if not raw.isdecimal() or not 1 <= int(raw) <= most:
            raise SlackError("invalid_limit")
        return int(raw)

    def structure(self, name: str, error: str) -> Any:
        """Return a nested structure, decoding a JSON string. Raises SlackError `error` if it is not JSON."""
        value = self._values.get(name)
        if isinstance(value, str):
            if not value:
                return None
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError:
                raise SlackError(error) from None
        return value


async def read_arguments(request: Request, *, takes_json: bool) -> Arguments:
    """Read query, form or JSON of a request.

    Raises SlackError `invalid_json`, `json_not_object` or `invalid_post_type`. A method that does not take
    JSON ignores a JSON body, as Slack does. # from memory: which methods those are is in `catalogue.py`
    """
    values: dict[str, Any] = dict(request.query_params)
    raw = await request.body()
    if not raw:
        return Arguments(values)
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        # from memory: JSON without a charset is accepted with this warning.
        warnings = () if "charset" in content_type.lower() else ("missing_charset",)
        if takes_json:
            values.update(_json_object(raw))
        return Arguments(values, warnings=warnings)
    if kind == "application/x-www-form-urlencoded":
        values.update(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
        return Arguments(values)
    if kind == "multipart/form-data":
        async with request.form() as form:
            values.update({key: value for key, value in form.items() if isinstance(value, str)})
        return Arguments(values)
    raise SlackError("invalid_post_type" if kind else "missing_post_type")


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise SlackError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackError("json_not_object")
    return value

"""JSON Patch (RFC 6902) on a resource of the management API: all of it or nothing, and only what may be changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callout.ticketing import json_patch
from callout.ticketing.errors import InvalidPatchError

Whole = TypeVar("Whole", bound=BaseModel)
LARGEST: Final = 256 * 1024
"""How large a patched resource may become, as JSON: copies of copies would grow without end."""


class PatchOperation(BaseModel):
    """One operation of RFC 6902."""

    model_config = ConfigDict(populate_by_name=True)

    op: Literal["add", "copy", "move", "remove", "replace", "test"]
    path: str = Field(max_length=1000, description="JSON Pointer into the resource as it is read.")
    from_: str | None = Field(None, alias="from", max_length=1000)
    value: Any = None


def patched(
    operations: Sequence[PatchOperation],
    before: Mapping[str, Any],
    whole: type[Whole],
    *,
    writable: frozenset[str],
) -> tuple[Whole, frozenset[str]]:
    """Return the patched resource, judged as one that was sent whole, and the names of the fields that changed.

    Args:
        operations: the patch.
        before: the resource as it is read.
        whole: what a replacement of it has to look like.
        writable: its fields that may be changed; the others can be tested.

    Raises InvalidPatchError, and ConflictError for a `test` that does not hold.
    """
    body = [one.model_dump(by_alias=True, exclude_unset=True) for one in operations]
    read = json_patch.read(body, writable=writable, readable=frozenset(before) - writable)
    start: dict[str, Any] = orjson.loads(orjson.dumps(before))
    state = copy.deepcopy(start)
    for one in read:
        if one.kind == "add" and one.path[-1] == "-":
            _ensure_list(state, one.path[:-1])
        state = json_patch.apply([one], state)
        if len(orjson.dumps(state)) > LARGEST:
            raise InvalidPatchError(
                "the resource would become too large", fields={f"/{one.number}": "too large"}
            )
    changed = frozenset(name for name in writable if state.get(name) != start.get(name))
    try:
        return whole.model_validate(state), changed
    except ValidationError as error:
        fields = {
            "/" + "/".join(str(part) for part in one["loc"]): str(one["msg"])
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        }
        place, why = next(iter(fields.items()))
        raise InvalidPatchError(f"after the patch, {place} is not valid: {why}", fields=fields) from None


def chosen(changes: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return those of `changes` that are named."""
    return {name: value for name, value in changes.items() if name in names}


def _ensure_list(state: dict[str, Any], path: Sequence[str]) -> None:
    """Put an empty list where a list is to be added to and nothing is."""
    here: Any = state
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if isinstance(here, dict) and here.get(path[-1]) is None:
        here[path[-1]] = []

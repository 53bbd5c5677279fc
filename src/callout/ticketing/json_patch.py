"""RFC 6902 over a unified object: read, applied to a copy, all or nothing."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callout.ports.errors import ConflictError
from callout.ticketing.errors import InvalidPatchError

MOST_OPERATIONS: Final = 200
MOST_COPIED: Final = 1_048_576
"""Bytes that the copies of one patch may add: copies of copies would double with each operation."""
_KINDS: Final = frozenset({"add", "copy", "move", "remove", "replace", "test"})
_OBJECTS: Final = frozenset({"custom_fields", "transition_fields"})
"""Fields whose parts are named, each with a value of its own."""
_NUMBER = re.compile(r"0|[1-9]\d{0,8}")
_BAD_ESCAPE = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `path` and `source` (`from`) are JSON Pointers taken apart."""

    kind: str
    path: tuple[str, ...]
    source: tuple[str, ...] = ()
    value: Any = None
    number: int = 0

    @property
    def root(self) -> str:
        """The field of the object that it is about."""
        return self.path[0]

    @property
    def needs_present_state(self) -> bool:
        """Whether its outcome depends on what is there now."""
        if self.kind in {"test", "copy", "move"}:
            return True
        return len(self.path) > (2 if self.root in _OBJECTS else 1)


def read(body: object, *, writable: frozenset[str], readable: frozenset[str]) -> tuple[Operation, ...]:
    """Return the operations of a patch.

    Args:
        body: the JSON array.
        writable: fields that may be changed.
        readable: further fields, which `test` and `copy` may look at.

    Raises InvalidPatchError that names the place by JSON Pointer into the body.
    """
    if not isinstance(body, list):
        raise InvalidPatchError(
            "a patch is an array of operations", fields={"": "not an array"}, remediation=_EXAMPLE
        )
    if len(body) > MOST_OPERATIONS:
        raise InvalidPatchError(f"a patch has at most {MOST_OPERATIONS} operations", fields={"": "too many"})
    return tuple(_operation(one, number, writable, readable) for number, one in enumerate(body))


_EXAMPLE: Final = 'Send `[{"op": "replace", "path": "/status", "value": "Done"}]`.'


def _operation(one: object, number: int, writable: frozenset[str], readable: frozenset[str]) -> Operation:
    if not isinstance(one, dict):
        raise InvalidPatchError("an operation is an object", fields={f"/{number}": "not an object"})
    kind = one.get("op")
    if kind not in _KINDS:
        raise InvalidPatchError(
            f"unknown operation {str(kind)[:40]!r}",
            fields={f"/{number}/op": "unknown"},
            remediation=f"Use one of: {', '.join(sorted(_KINDS))}.",
        )
    path = pointer(one.get("path"), f"/{number}/path")
    source = pointer(one.get("from"), f"/{number}/from") if kind in {"copy", "move"} else ()
    if kind in {"add", "replace", "test"} and "value" not in one:
        raise InvalidPatchError(f"{kind} needs a value", fields={f"/{number}/value": "missing"})
    for place, name, changes in _places(str(kind), path, source):
        _permit(place[0], f"/{number}/{name}", changes=changes, writable=writable, readable=readable)
    return Operation(str(kind), path, source, one.get("value"), number)


def _places(
    kind: str, path: tuple[str, ...], source: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield the places that an operation touches: the pointer, its key in the operation, whether it is changed."""
    yield path, "path", kind != "test"
    if source:
        yield source, "from", kind == "move"


def _permit(
    field: str, place: str, *, changes: bool, writable: frozenset[str], readable: frozenset[str]
) -> None:
    known = writable if changes else writable | readable
    if field in known:
        return
    if changes and field in readable:
        raise InvalidPatchError(
            f"/{field} cannot be changed",
            fields={place: "read-only"},
            remediation=f"These can: {', '.join(sorted(writable))}.",
        )
    raise InvalidPatchError(
        f"there is no field {field!r}",
        fields={place: "unknown field"},
        remediation=f"There are: {', '.join(sorted(known))}.",
    )


def pointer(text: object, place: str) -> tuple[str, ...]:
    """Take a JSON Pointer apart. Raises InvalidPatchError; the whole document cannot be pointed at."""
    if not isinstance(text, str) or not text.startswith("/") or _BAD_ESCAPE.search(text):
        raise InvalidPatchError(
            "that is not a JSON Pointer", fields={place: "expected /field"}, remediation=_EXAMPLE
        )
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))


def apply(operations: Sequence[Operation], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return `document` with all operations applied; it is left as it is itself.

    A field without a value is null: it can be replaced, removed and tested. Raises InvalidPatchError, and ConflictError for a
    `test` that does not hold.
    """
    state: dict[str, Any] = copy.deepcopy(dict(document))
    copied = 0
    for one in operations:
        if one.kind == "test":
            if not _same(_at(state, one, one.path), one.value):
                raise ConflictError(
                    f"the test of /{'/'.join(one.path)} does not hold; nothing was changed",
                    fields={f"/{one.number}": "does not hold"},
                    remediation="Read the object again and decide anew.",
                )
        elif one.kind == "remove":
            _remove(state, one, one.path)
        elif one.kind == "copy":
            value = _at(state, one, one.source)
            copied += len(orjson.dumps(value, default=str))
            if copied > MOST_COPIED:
                raise InvalidPatchError(
                    f"the copies of a patch are more than {MOST_COPIED} bytes",
                    fields={f"/{one.number}": "too much to copy"},
                    remediation="Write the values themselves.",
                )
            _put(state, one, copy.deepcopy(value))
        elif one.kind == "move":
            if one.path[: len(one.source)] == one.source and one.path != one.source:
                raise _lost(one, "a value cannot be moved into itself")
            value = _at(state, one, one.source)
            _remove(state, one, one.source)
            _put(state, one, value)
        else:
            _put(state, one, copy.deepcopy(one.value))
    return state


def _same(left: Any, right: Any) -> bool:  # noqa: ANN401  # any JSON
    """Return whether two JSON values are equal: true is not 1, as it is in Python."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _same(one, other) for one, other in zip(left, right, strict=True)
        )
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _walk(state: Any, one: Operation, path: tuple[str, ...]) -> Any:  # noqa: ANN401  # any JSON
    """Return the container of the last part of `path`."""
    here = state
    for part in path[:-1]:
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list):
            here = here[_index(here, part, one, end=False)]
        else:
            raise _lost(one, f"there is nothing below /{'/'.join(path[:-1])}")
    return here


def _at(state: Any, one: Operation, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    here = _walk(state, one, path)
    if isinstance(here, dict):
        return here.get(path[-1])
    if isinstance(here, list):
        return here[_index(here, path[-1], one, end=False)]
    raise _lost(one, f"there is nothing at /{'/'.join(path)}")


def _put(state: Any, one: Operation, value: Any) -> None:  # noqa: ANN401
    if len(one.path) == 2 and state.get(one.root) is None:  # noqa: PLR2004  # a field and a place in it
        # An empty list or object is absent in what providers tell; adding to it has to work all the same.
        state[one.root] = {} if one.root in _OBJECTS else []
    here = _walk(state, one, one.path)
    if isinstance(here, dict):
        here[one.path[-1]] = value
    elif isinstance(here, list):
        place = (
            len(here) if one.path[-1] == "-" else _index(here, one.path[-1], one, end=one.kind != "replace")
        )
        if one.kind == "replace" and place < len(here):
            here[place] = value
        else:
            here.insert(place, value)
    else:
        raise _lost(one, f"there is nothing below /{'/'.join(one.path[:-1])}")


def _remove(state: Any, one: Operation, path: tuple[str, ...]) -> None:  # noqa: ANN401
    here = _walk(state, one, path)
    if isinstance(here, dict):
        # A field stays, as null: that it is to be emptied has to be told to the provider.
        here[path[-1]] = None
    elif isinstance(here, list):
        del here[_index(here, path[-1], one, end=False)]
    else:
        raise _lost(one, f"there is nothing at /{'/'.join(path)}")


def _index(values: list[Any], part: str, one: Operation, *, end: bool) -> int:
    if not _NUMBER.fullmatch(part) or int(part) > len(values) - (not end):
        raise _lost(one, f"{part!r} is no place in a list of {len(values)}")
    return int(part)


def _lost(one: Operation, why: str) -> InvalidPatchError:
    return InvalidPatchError(why, fields={f"/{one.number}/path": why})

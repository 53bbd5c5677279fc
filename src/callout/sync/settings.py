"""An integration's effective sync settings: what its connector brings, overlaid by what the operator wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callout.ports.errors import InvalidRequestError
from callout.sync.mapping import FieldMappings
from callout.sync.rules import check_accept, check_rules


def effective(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return `own` laid over `defaults`, deep by key: an object is merged, anything else replaces the default."""
    merged = dict(defaults)
    for name, value in own.items():
        before = merged.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[name] = effective(before, value) if both else value  # type: ignore[arg-type]  # both are mappings
    return merged


def check(settings: object) -> None:
    """Refuse `sync` settings that say what cannot be. Raises InvalidRequestError that names the place."""
    if not isinstance(settings, Mapping):
        raise InvalidRequestError("sync must be an object", fields={"/sync": "wrong kind"})
    FieldMappings.from_settings(settings)
    check_selection(settings)


def check_selection(settings: Mapping[str, Any]) -> None:
    """Refuse wrong rules of `create` and `accept`, and switches and fields of moves of a wrong kind.

    Raises InvalidRequestError that names the place.
    """
    check_rules(settings)
    check_accept(settings)
    for name in ("watch_webhooks", "shadow"):
        # Not read as a word: "shadow": "yes" must not write what it was meant to hold back.
        if not isinstance(settings.get(name, True), bool):
            raise InvalidRequestError(
                f"{name} must be true or false", fields={f"/sync/{name}": "true or false"}
            )
    readers = settings.get("file_readers")
    if readers not in {None, "responders", "customer"}:
        raise InvalidRequestError(
            "file_readers says who reads the files of a ticket: responders or customer",
            fields={"/sync/file_readers": "responders or customer"},
        )
    for target, given in _moves(settings).items():
        if not isinstance(given, Mapping):
            where = f"/sync/transition_fields/{target}"
            raise InvalidRequestError(
                f"the fields of the move to {target!r} are an object: field → value",
                fields={where: "must be an object"},
                remediation='Write it like {"category:done": {"resolution": "Done"}}.',
            )


def _moves(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    found = settings.get("transition_fields", {})
    if not isinstance(found, Mapping):
        raise InvalidRequestError(
            "transition_fields must be an object", fields={"/sync/transition_fields": "must be an object"}
        )
    return found


__all__ = ["check", "check_selection", "effective"]

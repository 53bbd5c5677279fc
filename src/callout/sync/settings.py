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
    """Refuse wrong rules of `create` and `accept`, and a wrong `watch_webhooks`. Raises InvalidRequestError."""
    check_rules(settings)
    check_accept(settings)
    if not isinstance(settings.get("watch_webhooks", True), bool):
        raise InvalidRequestError(
            "watch_webhooks must be true or false", fields={"/sync/watch_webhooks": "true or false"}
        )


__all__ = ["check", "check_selection", "effective"]

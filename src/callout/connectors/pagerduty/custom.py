"""Custom values: our names, PagerDuty's paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.wire import ConferenceBridge
from callout.ports.errors import RejectedError


def written(
    values: Mapping[str, Any], paths: Mapping[str, str], *, bridge: ConferenceBridge | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what goes into the incident itself, and what into the values of its custom fields.

    Args:
        values: by our names.
        paths: our name → PagerDuty's path.
        bridge: the conference bridge as it is; a half that is not named stays.

    Raises:
        RejectedError: a name that no mapping has, or a value that cannot be emptied.
    """
    changes: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    for name, value in values.items():
        path = paths.get(name)
        if path is None:
            raise RejectedError(
                f"no custom field is mapped as {name!r}",
                fields={f"custom_fields/{name}": "not mapped"},
                remediation="Add it to custom_field_mappings of the integration.",
            )
        if field := mapping.custom_name(path):
            custom.append({"name": field, "value": value})
        elif path.startswith("conference_bridge."):
            told = changes.get("conference_bridge") or dict(bridge or {})
            changes["conference_bridge"] = {**told, path.removeprefix("conference_bridge."): value}
        elif value in (None, ""):
            raise RejectedError(
                f"{name}: PagerDuty does not let {path} be empty",
                fields={f"custom_fields/{name}": "cannot be emptied"},
            )
        elif path == "escalation_policy":
            changes[path] = {"id": str(value), "type": "escalation_policy_reference"}
        elif path == "incident_type":
            changes[path] = {"name": str(value)}
        else:
            changes[path] = value
    return changes, custom

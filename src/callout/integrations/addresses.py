"""Where a kept secret may go: a config that names another address has to bring its credential along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from callout.integrations.credentials import is_credential_field, references

Origin = tuple[str, str, int | None]


def kept_references(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of `after` whose credential is the one that `before` refers to in the same field."""
    known = references(before)
    return frozenset(field for field, one in references(after).items() if known.get(field) == one)


def other_references(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of `after` that refer to a credential which `before` does not have there."""
    return frozenset(references(after)) - kept_references(before, after)


def new_addresses(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the fields of `after` that name a server which `before` does not name."""
    known = set(_origins(before).values())
    return sorted(field for field, origin in _origins(after).items() if origin not in known)


def _origins(config: Mapping[str, Any]) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for field, value in config.items():
        if is_credential_field(field) or not isinstance(value, str) or "://" not in value:
            continue
        try:
            parts = urlsplit(value.strip())
            found[field] = (parts.scheme.lower(), (parts.hostname or "").lower(), parts.port)
        except ValueError:
            found[field] = ("", value, None)
    return found

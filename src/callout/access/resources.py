"""What a token's `resources` mean: which accounts and which kinds of integrations it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from callout.access.tables import accounts
from callout.audit import ORGANIZATION_ID
from callout.ports.errors import InvalidRequestError
from callout.storage import Tx

EVERYTHING: Final[Mapping[str, Any]] = {"organizations": {"ids": ["*"]}}
_PARTS: Final = {
    "organizations": ("ids", "labels"),
    "accounts": ("ids", "labels", "environments"),
    "integrations": ("categories",),
}


def checked(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return `resources` without empty parts. Raises InvalidRequestError naming what is wrong."""
    kept: dict[str, Any] = {}
    for part, inner in resources.items():
        if inner is None:
            continue
        if part not in _PARTS or not isinstance(inner, Mapping):
            raise InvalidRequestError(f"unknown resources {part!r}", fields={f"/resources/{part}": "unknown"})
        kept[part] = {}
        for key, values in inner.items():
            if values is None:
                continue
            if key not in _PARTS[part] or not _texts(values):
                pointer = f"/resources/{part}/{key}"
                raise InvalidRequestError(f"{pointer} is not a list of texts", fields={pointer: "invalid"})
            kept[part][key] = list(values)
    if not kept.get("organizations") and not kept.get("accounts"):
        raise InvalidRequestError(
            "resources must name organizations or accounts",
            remediation='For everything: {"organizations": {"ids": ["*"]}}.',
            fields={"/resources": "opens nothing"},
        )
    return kept


def categories(resources: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the kinds of integrations opened, None for all."""
    named = (resources.get("integrations") or {}).get("categories") or ["*"]
    return None if "*" in named else frozenset(named)


async def pin_names(tx: Tx, resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return `resources` with account names replaced by ids: a later account of that name is another one.

    Raises InvalidRequestError for an account that does not exist.
    """
    ids: Sequence[str] = (resources.get("accounts") or {}).get("ids") or []
    if not ids or "*" in ids:
        return dict(resources)
    by_name = {row["name"]: row["id"] for row in await tx.all(select(accounts.c.id, accounts.c.name))}
    known = set(by_name.values())
    pinned = [text if text in known else by_name.get(text.lower(), "") for text in ids]
    if not all(pinned):
        missing = ids[pinned.index("")]
        raise InvalidRequestError(
            f"there is no account {missing!r}",
            fields={f"/resources/accounts/ids/{pinned.index('')}": "no such account"},
        )
    return {**resources, "accounts": {**resources["accounts"], "ids": pinned}}


async def account_ids(tx: Tx, resources: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the ids of the accounts opened at this moment, None for all there are or will be.

    Within `accounts` every rule given must hold: the id is listed (or `*`), one of the labels is carried, the
    environment is listed. Naming the organization without naming accounts opens all of them.
    """
    rules = resources.get("accounts") or {}
    if not rules:
        organization = (resources.get("organizations") or {}).get("ids") or []
        return None if {"*", ORGANIZATION_ID} & set(organization) else frozenset()
    ids, labels, environments = rules.get("ids") or ["*"], rules.get("labels"), rules.get("environments")
    every = "*" in ids
    wide_labels = not labels or "*" in labels
    wide_environments = not environments or "*" in environments
    if wide_labels and wide_environments:
        return None if every else frozenset(ids)
    rows = await tx.all(select(accounts.c.id, accounts.c.labels, accounts.c.environment))
    return frozenset(
        row["id"]
        for row in rows
        if (every or row["id"] in ids)
        and (wide_labels or set(labels or ()) & set(row["labels"]))
        and (wide_environments or row["environment"] in (environments or ()))
    )


def _texts(values: object) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(v, str) and v for v in values)

"""Every value that the database keeps encrypted, tried with the keys at hand, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from callout.integrations.tables import credentials, integrations, oauth_tokens
from callout.kit.secrets import KeyRing, SealError
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.storage import Tx


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored secret that no key at hand opens: whose it is, and why."""

    whose: str
    why: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was tried: how many values were opened, which could not be, and by which key versions they were sealed."""

    opened: int
    unreadable: tuple[Unreadable, ...]
    versions: tuple[str, ...]


async def try_all(tx: Tx, keys: KeyRing) -> Sealed:
    """Open every sealed value there is; nothing that was opened is kept."""
    opened, unreadable, versions = 0, [], set()
    rows = [
        *((_of_credential, row) for row in await tx.all(select(credentials))),
        *((_of_tokens, row) for row in await tx.all(select(oauth_tokens))),
        *((_of_integration, row) for row in await tx.all(select(integrations))),
        *((_of_endpoint, row) for row in await tx.all(select(webhook_endpoint))),
    ]
    for parts, row in rows:
        for whose, value, context in parts(row):
            versions.add(version_of(value))
            try:
                keys.open(value, context=context)
            except SealError as error:
                unreadable.append(Unreadable(whose, str(error)))
            else:
                opened += 1
    return Sealed(opened, tuple(unreadable), tuple(sorted(versions)))


def version_of(sealed: str) -> str:
    """Return the name of the key that sealed a value."""
    return sealed.split(":", 2)[1] if sealed.count(":") > 1 else "?"


Part = tuple[str, str, tuple[str, ...]]
"""Whose secret, the sealed value, and the place it was sealed for."""


def _of_credential(row: RowMapping) -> Iterator[Part]:
    for name, value in row["sealed"].items():
        yield (
            f"credential {row['name']}",
            value,
            (row["account_id"], row["owner_id"], f"credential/{row['id']}/{name}"),
        )


def _of_tokens(row: RowMapping) -> Iterator[Part]:
    for name in ("access", "refresh"):
        if row[f"{name}_sealed"] is not None:
            yield (
                f"{name} token of integration {row['integration_id']}",
                row[f"{name}_sealed"],
                (row["account_id"], row["integration_id"], f"oauth/{name}"),
            )


def _of_integration(row: RowMapping) -> Iterator[Part]:
    place = (row["account_id"], row["id"])
    yield f"webhook address of {row['name']}", row["hook_token_sealed"], (*place, "hook_token")
    config: dict[str, Any] = row["webhook_config"] or {}
    for name in ("provider_key", "previous_provider_key"):
        if config.get(name):
            yield f"webhook key of {row['name']}", config[name], (*place, "webhook_config/provider_key")
    for item in config.get("items") or ():
        if item.get("integrator_key"):
            yield (
                f"key of a webhook of {row['name']}",
                item["integrator_key"],
                (*place, "webhook_config/integrator_key"),
            )


def _of_endpoint(row: RowMapping) -> Iterator[Part]:
    for name in ("secret_sealed", "previous_sealed"):
        if row[name] is not None:
            yield (
                f"secret of webhook endpoint {row['name']}",
                row[name],
                (row["account_id"], row["id"], "webhook/secret"),
            )


__all__ = ["Sealed", "Unreadable", "try_all", "version_of"]

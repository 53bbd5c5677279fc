"""The webhook settings of an integration: the keys in them are stored encrypted and never returned by
accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from callout.kit.ids import random_token
from callout.kit.secrets import KeyRing, Secret
from callout.ports.errors import InvalidRequestError
from callout.storage.schema import from_micros, micros

POINTER: Final = "/webhook_config"
EVENTS: Final = (
    "TicketCreated",
    "TicketUpdated",
    "TicketDeleted",
    "TicketCommentCreated",
    "TicketCommentDeleted",
)
KEY_BYTES: Final = (24, 64)
ROTATION: Final = timedelta(hours=24)
"""How long the vendor may go on signing with the key before this one."""

Stored = dict[str, Any]


class WebhookConfigs:
    """Seals and opens webhook settings. In memory a key is a Secret; in the row it is sealed text."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def store(
        self, raw: object, place: tuple[str, str], *, previous: Stored | None = None, now: datetime
    ) -> Stored | None:
        """Return what to keep of a `webhook_config` that came in.

        Args:
            raw: the JSON value; None for none.
            place: account id and integration id.
            previous: what was stored before; keys that come back hidden or absent stay as they are.
            now: for the time that the former provider key still counts.

        Raises InvalidRequestError.
        """
        if raw is None:
            return None
        if not isinstance(raw, Mapping):
            raise _wrong("", "must be an object")
        before = previous or {}
        kept: Stored = {k: v for k, v in raw.items() if k not in {"provider_key", "items"}}
        kept |= self._provider_key(raw.get("provider_key"), place, before, now)
        items = raw.get("items") or []
        if not isinstance(items, (list, tuple)):
            raise _wrong("/items", "must be a list")
        former = {item["webhook_url"]: item for item in before.get("items") or ()}
        kept["items"] = [self._item(item, n, place, former) for n, item in enumerate(items)]
        return kept

    def open(self, stored: Stored | None, place: tuple[str, str]) -> dict[str, Any] | None:
        """Return stored settings with their keys as Secrets."""
        if stored is None:
            return None
        opened = {k: v for k, v in stored.items() if k not in {"previous_provider_key", "previous_until"}}
        if stored.get("provider_key"):
            opened["provider_key"] = self._open(stored["provider_key"], place, "provider_key")
        opened["items"] = [
            {**item, "integrator_key": self._open(item["integrator_key"], place, "integrator_key")}
            for item in stored.get("items") or ()
        ]
        return opened

    def provider_keys(
        self, stored: Stored | None, place: tuple[str, str], now: datetime
    ) -> tuple[Secret, ...]:
        """Return the keys that the vendor may sign with, the newest first."""
        if stored is None:
            return ()
        found = [stored["provider_key"]] if stored.get("provider_key") else []
        if stored.get("previous_provider_key") and now < from_micros(stored["previous_until"]):
            found.append(stored["previous_provider_key"])
        return tuple(self._open(sealed, place, "provider_key") for sealed in found)

    def rewrap(self, stored: Stored | None, place: tuple[str, str]) -> Stored | None:
        """Return stored settings under the primary key; the same object when nothing had to be done."""
        if stored is None:
            return None
        fresh = dict(stored)
        for name in ("provider_key", "previous_provider_key"):
            if fresh.get(name):
                fresh[name] = self._keys.rewrap(fresh[name], context=_context(place, "provider_key"))
        fresh["items"] = [
            {
                **item,
                "integrator_key": self._keys.rewrap(
                    item["integrator_key"], context=_context(place, "integrator_key")
                ),
            }
            for item in fresh.get("items") or ()
        ]
        return stored if fresh == stored else fresh

    def _provider_key(self, key: object, place: tuple[str, str], before: Stored, now: datetime) -> Stored:
        kept: Stored = {k: before[k] for k in ("previous_provider_key", "previous_until") if k in before}
        if key == "":
            return {}
        if key is None or isinstance(key, Secret):
            # Absent, or read from us and sent back: unchanged.
            return {**kept, "provider_key": before["provider_key"]} if before.get("provider_key") else kept
        if not isinstance(key, str):
            raise _wrong("/provider_key", "must be text")
        if before.get("provider_key"):
            if self._open(before["provider_key"], place, "provider_key").reveal() == key:
                return {**kept, "provider_key": before["provider_key"]}
            kept = {"previous_provider_key": before["provider_key"], "previous_until": micros(now + ROTATION)}
        return {**kept, "provider_key": self._seal(Secret(key), place, "provider_key")}

    def _item(
        self, item: object, number: int, place: tuple[str, str], former: Mapping[str, Mapping[str, Any]]
    ) -> Stored:
        at = f"/items/{number}"
        if not isinstance(item, Mapping):
            raise _wrong(at, "must be an object")
        url = item.get("webhook_url")
        if not isinstance(url, str) or not url.lower().startswith(("https://", "http://")):
            raise _wrong(f"{at}/webhook_url", "must be a web address")
        events = item.get("event_filter") or item.get("events_filter") or []
        if not isinstance(events, (list, tuple)) or any(event not in EVENTS for event in events):
            raise _wrong(f"{at}/event_filter", f"may hold {', '.join(EVENTS)}")
        key = item.get("integrator_key")
        if key is None or isinstance(key, Secret):
            sealed = former[url]["integrator_key"] if url in former else None
            key = Secret(random_token(32)) if key is None else key
            sealed = sealed or self._seal(key, place, "integrator_key")
        elif isinstance(key, str) and KEY_BYTES[0] <= len(key.encode()) <= KEY_BYTES[1]:
            sealed = self._seal(Secret(key), place, "integrator_key")
        else:
            raise _wrong(f"{at}/integrator_key", f"must have {KEY_BYTES[0]} to {KEY_BYTES[1]} bytes")
        rest = {k: v for k, v in item.items() if k not in {"events_filter", "event_filter", "integrator_key"}}
        return {**rest, "event_filter": list(events), "integrator_key": sealed}

    def _seal(self, secret: Secret, place: tuple[str, str], name: str) -> str:
        return self._keys.seal(secret, context=_context(place, name))

    def _open(self, sealed: str, place: tuple[str, str], name: str) -> Secret:
        return self._keys.open(sealed, context=_context(place, name))


def _context(place: tuple[str, str], name: str) -> tuple[str, ...]:
    return (*place, f"webhook_config/{name}")


def _wrong(pointer: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(f"webhook_config{pointer} {message}", fields={POINTER + pointer: message})

"""A question as it was read: what the readers of the telling commands look at. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.parts import Part, incident_slot
from callout.chatops.intent.values import Ask, Hearing

WHICH = Ask("Which incident?", ())


@dataclass(frozen=True, slots=True)
class Question:
    """A phrase that may ask something. `text` are its words without the incident, `whole` all of its words."""

    core: Core
    reading: Reading
    hearing: Hearing
    items: tuple[Item, ...]
    part: Part
    text: str
    whole: str
    led: bool
    """Whether it began with `tell me` or the like."""

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def kinds(self) -> set[str]:
        return {item.kind for item in self.part.items}

    @property
    def where(self) -> dict[str, Any]:
        """The incident that is named, as a slot."""
        return incident_slot(self.part)

    @property
    def known(self) -> bool:
        """Whether it is known which incident is asked about."""
        return bool(self.part.named or self.hearing.channel_incident)

    @property
    def marked(self) -> bool:
        """Whether it has a question mark."""
        return self.core.questioned or any(item.kind == "?" for item in self.core.items)


def service_named(items: Sequence[Item], reading: Reading) -> dict[str, Any]:
    """Return the service that is marked as one: `service X`, `service=X`, `--service X`."""
    for at, item in enumerate(items[:-1]):
        if item.kind == "service" or (item.kind == "FLAG" and item.value == "service"):
            following = next(
                (each for each in items[at + 1 : at + 3] if each.kind not in {":", "PERIOD"}), None
            )
            return {"service": reading.text(following.start, following.end)} if following else {}
    return {}


def period_of(items: Sequence[Item]) -> dict[str, Any]:
    """Return the first length of time that is named, as a slot."""
    found = [item.value for item in items if item.kind == "PERIOD"]
    return {"period": found[0]} if found else {}

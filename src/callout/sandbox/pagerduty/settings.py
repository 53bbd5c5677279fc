"""What can be set on the PagerDuty twin besides the settings every twin has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Settings:
    """Settings of an account.

    Args:
        rate_limit: REST requests a minute, per key, user or app.
        events_rate_limit: events a minute, per integration key.
        event_lag_seconds: from an accepted event to its alert and incident.
        access_token_seconds: life of an OAuth access token.
        priorities: whether the plan has priorities; without them the endpoint answers 402.
    """

    rate_limit: int = 960
    events_rate_limit: int = 120
    event_lag_seconds: int = 0
    access_token_seconds: int = 864_000
    priorities: bool = True

    def apply(self, changes: Mapping[str, Any]) -> None:
        """Take changes.

        Raises:
            ValueError: an unknown name, or a value of the wrong type or range; then nothing is changed.
        """
        kinds = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"unknown setting: {name}")
            if type(value) is not kinds[name]:
                raise ValueError(f"{name} must be of type {kinds[name].__name__}")
            if value < 0:
                raise ValueError(f"{name} must be 0 or more")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)

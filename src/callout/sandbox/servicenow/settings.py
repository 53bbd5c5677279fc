"""What can be set on the ServiceNow twin besides the settings every twin has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callout.sandbox.servicenow.choices import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHOSEN = {
    "query_time_zone": frozenset({"user", "utc"}),
    "choices": frozenset(PROFILES),
    "forbidden_lists": frozenset({"refuse", "empty"}),
}
# Settings that make another instance: the twin is seeded anew when one of them changes.
RESEEDING = frozenset({"choices", "security_incidents"})
_RULE_KEYS = frozenset({"url", "secret", "table", "header", "headers", "operations"})


@dataclass(slots=True)
class Settings:
    """Settings of an instance.

    Args:
        admin_time_zone: zone of `admin` and of the integration user, for display values.
        query_time_zone: how a literal time in a query is read: in the zone of the asking `user`, or as `utc`.
        choices: the choice lists and state numbers: `current` or `customised`. Seeds the instance anew.
        security_incidents: whether Security Incident Response is installed. Seeds the instance anew.
        forbidden_lists: a list of a table one may not read is a 403 (`refuse`) or comes back `empty`.
        upload_limit: largest attachment in bytes.
        access_token_seconds: life of an OAuth access token.
        rotate_refresh_tokens: a refresh token works once, and a new one comes with each refresh.
        password_grant: false as after the hardening of an instance.
        rate_limit: requests per user and hour, 0 for no rule.
        business_rules: where our script posts: objects of `url`, `secret`, `table`, and if wanted `header` (of the
            signature), `headers` (further ones) and `operations` (insert, update, delete).
        properties: system properties to set, by name.
    """

    admin_time_zone: str = "GMT"
    query_time_zone: str = "user"
    choices: str = "current"
    security_incidents: bool = True
    forbidden_lists: str = "refuse"
    upload_limit: int = 10 * 1024 * 1024
    access_token_seconds: int = 1799
    rotate_refresh_tokens: bool = False
    password_grant: bool = True
    rate_limit: int = 0
    business_rules: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)

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
            if name in _CHOSEN and value not in _CHOSEN[name]:
                raise ValueError(f"{name} must be one of {', '.join(sorted(_CHOSEN[name]))}")
        if "admin_time_zone" in changes:
            try:
                ZoneInfo(changes["admin_time_zone"])
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"no time zone {changes['admin_time_zone']}") from error
        for rule in changes.get("business_rules", []):
            if not isinstance(rule, dict) or not {"url", "secret", "table"} <= rule.keys() <= _RULE_KEYS:
                raise ValueError(
                    f"a business rule holds url, secret and table, and may hold {sorted(_RULE_KEYS)}"
                )
        for name, value in changes.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)

"""What can be set on the Jira twin besides the settings every twin has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

LEGACY_SEARCH = frozenset({"removed", "legacy"})


@dataclass(slots=True)
class Settings:
    """Settings of a site.

    Args:
        admin_time_zone: zone of the first account, in which its JQL dates are read.
        legacy_search: `removed` answers the old `/search` with 410, `legacy` serves it.
        upload_limit: largest attachment in bytes.
        page_limit: most issues a search page holds when more than ids are asked for; Jira shortens pages itself.
        issue_updated_on_comment: also send `jira:issue_updated` for a comment, as older sites do.
        access_token_seconds: life of an OAuth access token.
        untyped_requests: an issue of a service project made without a request type is a request all the same.
            # from memory: whether it is, differs between what people report; connectors have to bear both.
        internal_by_property: the platform's API obeys the comment property `sd.public.comment`.
            # from memory: it does; documents name the service desk API alone for internal comments.
    """

    admin_time_zone: str = "Europe/Berlin"
    legacy_search: str = "removed"
    upload_limit: int = 10 * 1024 * 1024
    page_limit: int = 100
    issue_updated_on_comment: bool = False
    access_token_seconds: int = 3600
    untyped_requests: bool = True
    internal_by_property: bool = True

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
        if changes.get("legacy_search", "removed") not in LEGACY_SEARCH:
            raise ValueError(f"legacy_search must be one of {', '.join(sorted(LEGACY_SEARCH))}")
        if "admin_time_zone" in changes:
            try:
                ZoneInfo(changes["admin_time_zone"])
            except ZoneInfoNotFoundError as error:
                raise ValueError(f"no time zone {changes['admin_time_zone']}") from error
        for name, value in changes.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)

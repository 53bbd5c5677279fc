"""What the pages of administration stand on beside the management API's services: the work, the chain of the audit, the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callout.audit import Sealer
    from callout.integrations import Pauses
    from callout.jobs import JobAdmin
    from callout.jobs.backlog import Backlog


@dataclass(frozen=True, slots=True)
class SettingFact:
    """A setting as it was loaded: its `value` as text, without secrets, and where it is from."""

    name: str
    value: str
    source: str
    description: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Administration:
    """Services of the pages of administration.

    `keys` are the versions of the encryption keys, the one that encrypts last. `database` is where it is, without a password.
    """

    jobs: JobAdmin
    backlog: Backlog
    sealer: Sealer
    pauses: Pauses
    settings: tuple[SettingFact, ...]
    database: str
    keys: tuple[str, ...]


__all__ = ["Administration", "SettingFact"]

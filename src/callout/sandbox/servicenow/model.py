"""Values of the instance: columns, tables, records, accounts."""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

# Every value of every record is text: booleans "true" and "false", times in UTC, references by sys_id.
Values = dict[str, str]
JsonObject = dict[str, Any]

KEPT_VERSIONS = 24
_SEEDS = uuid.UUID("6f6c9a0e-52a5-4b0c-9f0b-6c1d1f2a7b10")


def seeded_id(name: str) -> str:
    """The sys_id of something seeded: the same on every start."""
    return uuid.uuid5(_SEEDS, name).hex


@dataclass(frozen=True, slots=True)
class Column:
    """A dictionary entry.

    Args:
        kind: `internal_type`: string, integer, boolean, reference, glide_date_time, glide_list, journal_input, …
        reference: the table a reference or list points to.
        choice: 0 no choices, 1 a dropdown with "None", 3 a dropdown without.
    """

    name: str
    label: str
    kind: str = "string"
    max_length: int = 40
    reference: str = ""
    choice: int = 0
    mandatory: bool = False
    read_only: bool = False
    default: str = ""

    @property
    def journal(self) -> bool:
        """Whether writes to it become journal entries."""
        return self.kind == "journal_input"

    @property
    def time(self) -> bool:
        """Whether it holds a moment."""
        return self.kind == "glide_date_time"


@dataclass(frozen=True, slots=True)
class TableKind:
    """A table: its own columns (a child inherits the rest), how its records are numbered and displayed."""

    name: str
    label: str
    columns: tuple[Column, ...]
    parent: str = ""
    prefix: str = ""
    first_number: int = 10_001
    display: str = "name"


@dataclass(slots=True)
class Row:
    """A record. `values` is replaced, never changed in place, so that `past` can hold it as it was.

    Args:
        past: when it changed (Unix seconds) and what it then was; None once deleted.
    """

    table: str
    sys_id: str
    values: Values
    past: deque[tuple[float, Values | None]] = field(default_factory=lambda: deque(maxlen=KEPT_VERSIONS))

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def as_of(self, moment: float) -> Row | None:
        """The record as it was at a moment (Unix seconds), None where it was not."""
        then = next((values for at, values in reversed(self.past) if at <= moment), None)
        return None if then is None else Row(self.table, self.sys_id, then)


@dataclass(frozen=True, slots=True)
class Account:
    """Who may sign in: the user's record, password and roles."""

    sys_id: str
    user_name: str
    password: str
    roles: frozenset[str]

    def has(self, *roles: str) -> bool:
        """Whether the account holds one of the roles; an administrator holds all."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)

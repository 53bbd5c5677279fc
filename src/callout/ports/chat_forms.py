"""Forms and menus in chat, in words no platform owns: what a person fills in or chooses from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose: `value` comes back, `label` is shown (plain text of users)."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Menu:
    """A menu on a card: `action` comes back with the value of the chosen option. `label` is what it says before a choice."""

    action: str
    label: str
    options: tuple[Option, ...]
    chosen: str = ""


class FieldKind(StrEnum):
    """What a field of a form takes."""

    LINE = "line"
    TEXT = "text"
    CHOICE = "choice"
    CHOICES = "choices"
    PERSON = "person"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field: what comes back under `name` is text: the words, the value of the option (several: one a line), the platform's
    user id, or the date as YYYY-MM-DD.
    """

    name: str
    label: str
    kind: FieldKind = FieldKind.LINE
    value: str = ""
    options: tuple[Option, ...] = ()
    required: bool = True
    hint: str = ""
    limit: int = 0
    """Most characters of a text; 0: as many as the platform takes."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form: `action` comes back with what was filled in, and `token` as it was given.

    Who makes a form signs its token: a platform, or somebody who plays one, may send back anything.
    """

    action: str
    title: str
    fields: tuple[FormField, ...]
    submit: str = "Save"
    text: str = ""
    """Markdown above the fields."""
    token: str = field(default="", repr=False)

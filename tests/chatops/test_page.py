"""The page about chat says what the grammar, the table of handlers and the settings say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callout.access import PERMISSIONS, ROLES
from callout.access.chat_codes import LIFETIME, LOCKED_FOR, WRONG_AT_MOST
from callout.chatops.grammar import GROUPS, VERBS, usage
from callout.chatops.handlers import HANDLERS
from callout.ports.chat_settings import ChatSettings

PAGE = (Path(__file__).parents[2] / "docs/chat.md").read_text()


def row(name: str) -> str:
    """Return a command's line in the table of the page."""
    verb = next(verb for verb in VERBS if verb.name == name)
    needs = sorted({HANDLERS[kind].needs for kind in verb.makes})
    typed = usage(verb, "/im").replace("|", "\\|")
    shown = ", ".join(f"`{one}`" for one in needs if one) or "none"
    return f"| `{typed}` | {verb.summary} | {shown} |"


@pytest.mark.parametrize("name", [verb.name for verb in VERBS])
def test_every_command_is_on_the_page_as_it_is(name: str) -> None:
    assert row(name) in PAGE.splitlines(), f"the page lacks:\n{row(name)}"


def test_no_command_is_on_the_page_that_is_not_there() -> None:
    told = [line for line in PAGE.splitlines() if line.startswith("| `/im ")]
    assert sorted(told) == sorted(row(verb.name) for verb in VERBS)
    assert [line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")] == list(
        GROUPS
    )


def test_aliases_are_on_the_page() -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith("Also: ")]
    assert line == "Also: " + ", ".join(
        f"`{alias}` = `{verb.name}`" for verb in VERBS for alias in verb.aliases
    )


def test_roles_and_what_they_may_are_on_the_page() -> None:
    asked = sorted({handler.needs for handler in HANDLERS.values()} - {""})
    for role, held in ROLES.items():
        may = [name for name in asked if name in PERMISSIONS[held]]
        line = f"| `{role}` | {', '.join(f'`{name}`' for name in may)} |"
        assert line in PAGE.splitlines(), line


def test_limits_on_the_page_are_those_of_the_program() -> None:
    fields = ChatSettings.model_fields
    for name in ("user_rate", "workspace_rate"):
        assert f"| `{name}` | `{fields[name].default}` |" in PAGE
    words = re.sub(r"\s+", " ", PAGE)
    assert f"good once, for {LIFETIME.seconds // 60} minutes" in words
    assert f"{WRONG_AT_MOST} wrong ones in a row" in words
    assert f"for {LOCKED_FOR.seconds // 60} minutes" in words

"""What lines of the timeline say: every kind that is written has words of its own, and they read well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import callout
from callout.chatops.store import MessageState
from callout.chatops.telling import TOLD
from callout.incidents.escalation.pages import PageState
from callout.incidents.wording import KINDS, said

SOURCE = Path(callout.__file__).parent
WRITERS = frozenset({"entry", "add_entry", "_tell", "_save", "_correct"})
"""Functions that are given the kind of a line, or pass it on."""
UNREAD = "what we wrote over cannot be read; the ticket's own history shows it"
NO_KINDS = frozenset({"incident.entry_added"})


def _texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
            yield part.value


def _kinds_in(tree: ast.Module) -> Iterator[str]:
    """Yield every kind named in a call that writes a line, chosen before it, or kept under a name that such a call is given."""
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in WRITERS:
            continue
        for arg in node.args:
            if isinstance(arg, ast.Constant):
                yield from _texts(arg)
            elif isinstance(arg, ast.Name) and (arg.id == "kind" or arg.id.isupper()) and arg.id in named:
                yield from _texts(named[arg.id])


def _written() -> set[str]:
    paths = (path for area in ("incidents", "chatops", "sync") for path in (SOURCE / area).rglob("*.py"))
    mine = (path for path in paths if "simulate" not in path.parts)
    return {kind for path in mine for kind in _kinds_in(ast.parse(path.read_text()))}


def test_every_kind_that_is_written_has_words() -> None:
    written = _written()
    assert {
        "declared",
        "sync_conflict",
        "ticket_created",
        "chat_channel_created",
        "task_done",
        "left",
    } <= written
    written |= {f"page_{state.value}" for state in PageState if state is not PageState.PENDING}
    written |= {f"chat_message_{state.value}" for state in (MessageState.FAILED, MessageState.PERHAPS_SENT)}
    assert written - KINDS - NO_KINDS == set()
    assert TOLD <= KINDS


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("declared", {"severity": "SEV-2", "title": "db"}, "declared SEV-2 “db”"),
        ("changed", {"changes": {"service": {"before": "shop", "after": None}}}, "service: shop → nothing"),
        (
            "sync_conflict",
            {"field": "title", "ours": "a", "theirs": "b", "ticket": "TST-1", "integration": "jira"},
            "title was changed on two sides: “a” here, “b” in TST-1 in jira; somebody has to choose",
        ),
        (
            "sync_problem",
            {
                "ticket": "TST-1",
                "integration": "jira",
                "message": "no answer",
                "remediation": "Look at its status page.",
            },
            "TST-1 in jira: no answer. Look at its status page.",
        ),
        (
            "sync_unread",
            {"fields": ["severity", "title"], "ticket": "INC0010001", "integration": "snow"},
            f"INC0010001 in snow was changed there at the very moment we wrote severity, title: {UNREAD}",
        ),
        ("sla_breached", {"clock": "acknowledge", "limit": "5m"}, "was not acknowledged within 5m"),
        (
            "escalated",
            {"policy": "db", "step": 2, "pages": [{"who": "Ann"}], "late_seconds": 70, "reason": "no answer"},
            "escalated by db, step 2: Ann, 70 s late (no answer)",
        ),
        ("of_a_later_version", {"name": "x", "row_id": "y"}, "of a later version · name: x"),
    ],
)
def test_lines_read_well(kind: str, data: dict[str, Any], words: str) -> None:
    assert said(kind, data) == words


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"changes": None, "fields": 3, "pages": "x", "person": None, "author": [], "field": 1, "before": 2},
        {"changes": {"a": 1}, "fields": {"a": None}, "pages": [1], "text": None, "ticket": 7, "why": ["x"]},
    ],
)
def test_no_line_of_an_earlier_version_breaks_the_page(kind: str, data: dict[str, Any]) -> None:
    assert said(kind, data).strip()

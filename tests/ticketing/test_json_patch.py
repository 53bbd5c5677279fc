"""RFC 6902 over a unified object."""

from __future__ import annotations

from typing import Any

import pytest

from callout.ports.errors import ConflictError
from callout.ports.ticketing import Ticket
from callout.ports.values import Person, Priority
from callout.ticketing import drafts, json_patch
from callout.ticketing.errors import InvalidPatchError

WRITABLE = frozenset({"name", "tags", "custom_fields", "status"})
DOCUMENT = {"name": "a", "tags": ["x", "y"], "custom_fields": {"deep": {"list": [1, 2]}, "a/b": 1, "m~n": 2}}


def applied(*operations: dict[str, Any]) -> dict[str, Any]:
    read = json_patch.read(list(operations), writable=WRITABLE, readable=frozenset({"id"}))
    return json_patch.apply(read, DOCUMENT)


@pytest.mark.parametrize(
    ("operations", "path", "expected"),
    [
        ([{"op": "replace", "path": "/name", "value": "b"}], "name", "b"),
        ([{"op": "add", "path": "/name", "value": None}], "name", None),
        ([{"op": "replace", "path": "/status", "value": "new"}], "status", "new"),
        ([{"op": "remove", "path": "/status"}], "status", None),
        ([{"op": "add", "path": "/tags/-", "value": "z"}], "tags", ["x", "y", "z"]),
        ([{"op": "add", "path": "/tags/0", "value": "z"}], "tags", ["z", "x", "y"]),
        ([{"op": "add", "path": "/tags/2", "value": "z"}], "tags", ["x", "y", "z"]),
        ([{"op": "replace", "path": "/tags/0", "value": "z"}], "tags", ["z", "y"]),
        ([{"op": "remove", "path": "/tags/0"}], "tags", ["y"]),
        ([{"op": "move", "from": "/tags/0", "path": "/tags/1"}], "tags", ["y", "x"]),
        ([{"op": "copy", "from": "/tags/0", "path": "/name"}], "name", "x"),
        (
            [{"op": "replace", "path": "/custom_fields/deep/list/1", "value": 3}],
            "custom_fields.deep.list",
            [1, 3],
        ),
        ([{"op": "replace", "path": "/custom_fields/a~1b", "value": 9}], "custom_fields.a/b", 9),
        ([{"op": "replace", "path": "/custom_fields/m~0n", "value": 9}], "custom_fields.m~n", 9),
        ([{"op": "add", "path": "/custom_fields/1", "value": 9}], "custom_fields.1", 9),
        ([{"op": "test", "path": "/tags", "value": ["x", "y"]}], "tags", ["x", "y"]),
        ([{"op": "test", "path": "/status", "value": None}], "name", "a"),
        (
            [{"op": "remove", "path": "/tags/0"}, {"op": "test", "path": "/tags/0", "value": "y"}],
            "tags",
            ["y"],
        ),
    ],
)
def test_operations(operations: list[dict[str, Any]], path: str, expected: Any) -> None:
    before = repr(DOCUMENT)
    found: Any = applied(*operations)
    for part in path.split("."):
        found = found[part]
    assert found == expected
    assert repr(DOCUMENT) == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/tags/2"},
        {"op": "remove", "path": "/tags/-"},
        {"op": "add", "path": "/tags/3", "value": "z"},
        {"op": "replace", "path": "/tags/2", "value": "z"},
        {"op": "add", "path": "/tags/01", "value": "z"},
        {"op": "add", "path": "/tags/-1", "value": "z"},
        {"op": "add", "path": "/name/x", "value": "z"},
        {"op": "add", "path": "/custom_fields/missing/deeper/x", "value": "z"},
        {"op": "move", "from": "/custom_fields", "path": "/custom_fields/deep"},
    ],
)
def test_what_leads_nowhere(operation: dict[str, Any]) -> None:
    with pytest.raises(InvalidPatchError):
        applied(operation)


def test_true_is_not_one() -> None:
    with pytest.raises(ConflictError):
        applied(
            {"op": "replace", "path": "/custom_fields/flag", "value": True},
            {"op": "test", "path": "/custom_fields/flag", "value": 1},
        )


def test_a_ticket_is_read_first_only_where_the_outcome_depends_on_it() -> None:
    def needs(*operations: dict[str, Any]) -> bool:
        read = json_patch.read(list(operations), writable=drafts.WRITABLE, readable=drafts.READABLE)
        return any(one.needs_present_state for one in read)

    assert not needs(
        {"op": "replace", "path": "/status", "value": "Done"},
        {"op": "add", "path": "/custom_fields/x", "value": 1},
        {"op": "remove", "path": "/due_date"},
    )
    assert needs({"op": "add", "path": "/tags/-", "value": "x"})
    assert needs({"op": "test", "path": "/status", "value": "x"})
    assert needs({"op": "replace", "path": "/custom_fields/x/y", "value": 1})


def test_a_patch_becomes_values_of_the_port() -> None:
    body = [
        {"op": "replace", "path": "/name", "value": "by name"},
        {"op": "replace", "path": "/summary", "value": "by summary"},
        {"op": "replace", "path": "/priority", "value": "high"},
        {"op": "replace", "path": "/assignee", "value": "ann@example.com"},
        {"op": "remove", "path": "/due_date"},
        {"op": "replace", "path": "/transition_fields/resolution", "value": "Fixed"},
    ]
    operations = json_patch.read(body, writable=drafts.WRITABLE, readable=drafts.READABLE)
    patch = drafts.patch(operations, None)
    assert patch.values == {
        "title": "by summary",
        "priority": Priority.HIGH,
        "assignee": Person("ann@example.com", email="ann@example.com"),
        "due_date": None,
    }
    assert patch.transition_fields == {"resolution": "Fixed"}
    assert patch.expected_version == ""


def test_a_patch_that_looked_at_the_ticket_holds_for_that_state_only() -> None:
    ticket = Ticket("1", "T-1", "a", tags=("x",), custom_fields={"a": 1, "b": 2}, version="7")
    body = [
        {"op": "add", "path": "/tags/-", "value": "y"},
        {"op": "replace", "path": "/custom_fields", "value": {"a": 1, "c": 3}},
    ]
    operations = json_patch.read(body, writable=drafts.WRITABLE, readable=drafts.READABLE)
    patch = drafts.patch(operations, ticket)
    assert patch.values == {"tags": ("x", "y"), "custom_fields": {"b": None, "c": 3}}
    assert patch.expected_version == "7"


def test_copies_of_copies_end() -> None:
    doubling: list[dict[str, Any]] = [
        {"op": "add", "path": "/tags", "value": ["x" * 1000]},
        *[{"op": "copy", "from": "/tags", "path": "/tags/-"}] * 150,
    ]
    operations = json_patch.read(doubling, writable=frozenset({"tags"}), readable=frozenset())
    with pytest.raises(InvalidPatchError, match="copies"):
        json_patch.apply(operations, {})

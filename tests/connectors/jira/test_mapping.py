from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callout.connectors.jira import mapping, schema, values
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.issues import label_changes, summary
from callout.connectors.jira.manifest import MANIFEST
from callout.connectors.jira.wire import FieldMeta
from callout.ports.errors import RejectedError
from callout.ports.provider import operations_of
from callout.ports.values import Priority

DEFAULT = [
    {"id": str(n), "name": name} for n, name in enumerate(("Highest", "High", "Medium", "Low", "Lowest"), 1)
]
RENAMED = [{"id": "7", "name": "Sev A"}, {"id": "8", "name": "Sev B"}, {"id": "9", "name": "Sev C"}]


@pytest.mark.parametrize(
    ("allowed", "wanted", "chosen"),
    [
        (DEFAULT, Priority.URGENT, "1"),
        (DEFAULT, Priority.CRITICAL, "1"),
        (DEFAULT, Priority.MODERATE, "3"),
        (DEFAULT, Priority.PLANNING, "5"),
        ([*DEFAULT, {"id": "6", "name": "Critical"}], Priority.CRITICAL, "6"),
        (RENAMED, Priority.URGENT, "7"),
        (RENAMED, Priority.MEDIUM, "8"),
        (RENAMED, Priority.LOW, "9"),
        ([{"id": "4", "name": "Only"}], Priority.LOW, "4"),
    ],
)
def test_priorities_are_chosen_by_name_else_by_place(
    allowed: list[Any], wanted: Priority, chosen: str
) -> None:
    found = mapping.choose_priority(wanted, allowed)
    assert found is not None
    assert found["id"] == chosen


def test_no_priority_where_none_is_allowed() -> None:
    assert mapping.choose_priority(Priority.HIGH, []) is None


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_keys_never_share_a_label(one: str, other: str) -> None:
    label = mapping.mark_label(one)
    assert label.startswith("callout-")
    assert len(label) <= 255
    assert not any(character.isspace() for character in label)
    same = one.removeprefix("callout-") == other.removeprefix("callout-")
    assert (label == mapping.mark_label(other)) == (one == other) or same


def test_our_keys_are_read_back_from_labels() -> None:
    label = mapping.mark_label("callout-inc-7-0123456789ab")
    assert label == "callout-inc-7-0123456789ab"
    assert "callout-inc-7-0123456789ab" in mapping.marks_of(["x", label])
    assert "INC-7" in mapping.marks_of([mapping.mark_label("INC-7")])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-01-30T18:30:41.962+0100", datetime(2026, 1, 30, 17, 30, 41, 962_000, tzinfo=UTC)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("nonsense", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_times_are_read(text: object, read: datetime | None) -> None:
    assert mapping.moment(text) == read


def test_a_version_is_the_instant_whatever_zone_tells_it() -> None:
    assert mapping.version_of("2026-01-30T18:30:41.962+0100") == mapping.version_of(
        "2026-01-30T17:30:41.962+0000"
    )
    assert mapping.version_of(None) == ""


def test_a_due_date_keeps_the_day_as_written() -> None:
    assert schema.date_text(datetime(2026, 5, 1, 0, 30, tzinfo=timezone(timedelta(hours=9)))) == "2026-05-01"


def test_titles_are_one_line_of_at_most_255() -> None:
    assert summary(" DB\n is \t down ") == "DB is down"
    assert len(summary("x" * 300)) == 255
    assert summary("x" * 300).endswith("…")
    assert summary("x" * 255) == "x" * 255


def test_label_changes_touch_neither_marks_nor_what_stays() -> None:
    changes = label_changes(["callout-inc-1", "old", "kept"], ["kept", "new"])
    assert changes == [{"add": "new"}, {"remove": "old"}]
    assert label_changes(["a"], ["a"]) == []


def meta(kind: str, *allowed: dict[str, Any], items: str = "", custom: str = "") -> FieldMeta:
    return {"schema": {"type": kind, "items": items, "custom": custom}, "allowedValues": list(allowed)}


CHILDREN = {"id": "1", "value": "A", "children": [{"id": "11", "value": "A1"}]}


@pytest.mark.parametrize(
    ("value", "described", "written"),
    [
        ("x", meta("string"), "x"),
        (5, meta("string"), "5"),
        ("5", meta("number"), 5.0),
        (5, meta("number"), 5),
        ("2026-05-01T10:00:00Z", meta("date"), "2026-05-01"),
        (datetime(2026, 5, 1, 12, tzinfo=UTC), meta("datetime"), "2026-05-01T12:00:00.000+0000"),
        ("2026-05-01T12:00:00+02:00", meta("datetime"), "2026-05-01T10:00:00.000+0000"),
        ("prod", meta("option", {"id": "7", "value": "Prod"}), {"id": "7"}),
        ("7", meta("option", {"id": "7", "value": "Prod"}), {"id": "7"}),
        ("Prod", meta("option"), {"value": "Prod"}),
        (["Prod"], meta("array", {"id": "7", "value": "Prod"}, items="option"), [{"id": "7"}]),
        ("one", meta("array", items="string"), ["one"]),
        (None, meta("array"), []),
        (None, meta("string"), None),
        ("5b1", meta("user"), {"accountId": "5b1"}),
        ("ops", meta("group"), {"name": "ops"}),
        ("10001", meta("version"), {"id": "10001"}),
        ("1.2", meta("version"), {"name": "1.2"}),
        ({"id": "3"}, meta("option"), {"id": "3"}),
        ("A / A1", meta("option-with-child", CHILDREN), {"id": "1", "child": {"id": "11"}}),
        ("A / A1", meta("option-with-child"), {"value": "A", "child": {"value": "A1"}}),
        ("A", meta("option-with-child", CHILDREN), {"id": "1"}),
    ],
)
def test_values_take_the_shape_that_the_schema_asks_for(
    value: object, described: FieldMeta, written: object
) -> None:
    assert values.write_value(value, described, name="f") == written


@pytest.mark.parametrize("value", ["many", True])
def test_a_word_is_no_number(value: object) -> None:
    with pytest.raises(RejectedError) as caught:
        values.write_value(value, meta("number"), name="users")
    assert caught.value.fields == {"users": "expected a number"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"id": "7", "value": "Prod"}, "Prod"),
        ({"value": "A", "child": {"value": "B"}}, "A / B"),
        ({"accountId": "5b1", "displayName": "Ann"}, "5b1"),
        ([{"value": "A"}, {"name": "v1"}], ["A", "v1"]),
        (3.5, 3.5),
        (None, None),
    ],
)
def test_values_are_read_plain(value: object, read: object) -> None:
    assert values.read_custom(value) == read


def test_mappings_of_a_project_win_over_general_ones() -> None:
    config = JiraConfig.model_validate(
        {
            "url": "https://example.atlassian.net/",
            "custom_field_mappings": [
                {"name": "effort", "project_id": "*", "provider_field_path": "customfield_1"},
                {"name": "effort", "project_id": "OPS", "project_field_path": "customfield_2"},
                {"name": "other", "project_id": "10001", "provider_field_path": "customfield_3"},
            ],
            "default_project": None,
        }
    )
    assert config.url == "https://example.atlassian.net"
    assert config.mappings_for("TST", "10000") == {"effort": "customfield_1"}
    assert config.mappings_for("OPS", "10001") == {"effort": "customfield_2", "other": "customfield_3"}


@pytest.mark.parametrize(
    "url", ["", "example.atlassian.net", "ftp://x", "https://", "https://user:pass@example.com"]
)
def test_an_address_must_be_whole_and_without_credentials(url: str) -> None:
    with pytest.raises(ValidationError):
        JiraConfig(url=url)


def test_requests_go_to_the_gateway_with_oauth_and_to_the_site_with_basic() -> None:
    config = JiraConfig(url="https://example.atlassian.net", cloud_id="abc")
    assert config.base_url("basic") == "https://example.atlassian.net"
    assert config.base_url("o_auth_client") == "https://api.atlassian.com/ex/jira/abc"
    assert JiraConfig(url="https://x.example", api_url="http://127.0.0.1:1/jira/").base_url(
        "o_auth_client"
    ) == ("http://127.0.0.1:1/jira")


def test_the_manifest_offers_what_jira_can() -> None:
    assert MANIFEST.provider_class is not None
    assert operations_of(MANIFEST.provider_class) == {
        "query_tickets",
        "get_ticket",
        "create_ticket",
        "patch_ticket",
        "list_comments",
        "create_comment",
        "delete_comment",
        "create_attachment",
        "list_attachments_metadata",
        "download_attachment",
        "delete_attachment",
        "list_projects",
        "list_remote_fields",
    }

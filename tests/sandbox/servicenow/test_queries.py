"""Encoded queries: taken apart, matched against records, and what the platform does with bad ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callout.sandbox.servicenow import seed
from callout.sandbox.servicenow.query_matching import NO_ROWS_PROPERTY, compile_query
from callout.sandbox.servicenow.query_syntax import Order, parse, parse_condition
from callout.sandbox.servicenow.settings import Settings
from callout.sandbox.servicenow.times import NotATimeError, QueryTime

NOW = datetime(2026, 3, 11, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "field", "operator", "value"),
    [
        ("state=1", "state", "=", "1"),
        ("state!=1", "state", "!=", "1"),
        ("stateIN1,2", "state", "IN", "1,2"),
        ("stateNOT IN1,2", "state", "NOT IN", "1,2"),
        ("sys_updated_on>=2026-01-02 03:04:05", "sys_updated_on", ">=", "2026-01-02 03:04:05"),
        ("short_descriptionLIKEIN A=B", "short_description", "LIKE", "IN A=B"),
        ("short_description*disk", "short_description", "LIKE", "disk"),
        ("short_description!*disk", "short_description", "NOT LIKE", "disk"),
        ("short_descriptionNOT LIKEdisk", "short_description", "NOT LIKE", "disk"),
        ("short_description%full", "short_description", "ENDSWITH", "full"),
        ("assigned_toISEMPTY", "assigned_to", "ISEMPTY", ""),
        ("assigned_toISNOTEMPTY", "assigned_to", "ISNOTEMPTY", ""),
        ("assignment_group.name=IT", "assignment_group.name", "=", "IT"),
        ("priorityBETWEEN1@3", "priority", "BETWEEN", "1@3"),
        ("sys_created_onONToday@a@b", "sys_created_on", "ON", "Today@a@b"),
        ("nonsense", "", None, ""),
        ("RLQUERYa.b,>1", "", None, ""),
    ],
)
def test_a_condition_is_taken_apart(text: str, field: str, operator: str | None, value: str) -> None:
    condition = parse_condition(text)
    assert (condition.field, condition.operator, condition.value) == (field, operator, value)


def test_or_binds_to_the_condition_before_it_and_nq_begins_anew() -> None:
    query = parse("a=1^b=2^ORc=3^ORd=4^NQe=5^f=6^ORDERBYg^ORDERBYDESCh^EQ")
    texts = [[[one.text for one in group] for group in branch] for branch in query.branches]
    assert texts == [[["a=1"], ["b=2", "c=3", "d=4"]], [["e=5"], ["f=6"]]]
    assert query.orders == [Order("g", descending=False), Order("h", descending=True)]


def test_a_caret_in_a_value_ends_it() -> None:
    # What makes text of a user dangerous in a query: there is no escape.
    query = parse("short_description=a^NQactive=true")
    assert len(query.branches) == 2


class Board:
    """An instance with a few incidents, asked as one user."""

    def __init__(self, as_user: str = seed.ADMIN, **settings: Any) -> None:
        self.instance = seed.fresh(lambda: NOW, Settings(**settings))
        self.account = self.instance.accounts[as_user]
        ann = self.instance.accounts[seed.ANN].sys_id
        for number, values in enumerate(
            (
                {"short_description": "Disk full", "impact": "1", "assigned_to": ann},
                {"short_description": "disk slow", "impact": "2", "state": "2"},
                {"short_description": "Mail down", "impact": "3", "state": "6"},
                {"short_description": "", "impact": "10", "opened_at": "2026-03-11 12:00:00"},
            ),
            start=1,
        ):
            self.instance.create("incident", {"number": str(number), **values}, by="admin")
        self.instance.create("problem", {"number": "9", "state": "101"}, by="admin")

    def find(self, query: str, table: str = "incident") -> str:
        finder = compile_query(query, table, instance=self.instance, account=self.account)
        return "".join(row["number"] for row in finder.among(self.instance.all_rows(table)))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "1234"),
        ("short_descriptionLIKEisk", "12"),
        ("short_descriptionNOT LIKEisk", "34"),
        ("short_descriptionSTARTSWITHDisk", "1"),
        ("short_descriptionENDSWITHdown", "3"),
        ("short_descriptionISEMPTY", "4"),
        ("short_descriptionISNOTEMPTY", "123"),
        ("short_description=disk full", ""),
        ("stateIN2,6", "23"),
        ("stateNOT IN2,6", "14"),
        ("impact>2", "34"),
        ("impact>=2", "234"),
        ("impact<3", "12"),
        ("impactBETWEEN2@3", "23"),
        ("state=2^ORstate=6^impact=3", "3"),
        ("state=2^NQimpact=1", "12"),
        ("state=2^impact=1", ""),
        ("assigned_to.name=Ann Lee", "1"),
        ("assigned_to.user_nameSTARTSWITHann", "1"),
        ("assigned_to!=", "1"),
        ("assigned_to=javascript:gs.getUserID()", ""),
        ("opened_by.assigned_to.name=x", "1234"),
        ("short_descriptionSAMEASnumber", ""),
        ("short_descriptionANYTHING", "1234"),
        ("sys_class_nameINSTANCEOFtask", "1234"),
        ("ORDERBYDESCimpact", "4321"),
        ("ORDERBYshort_description", "4132"),
        ("ORDERBYassigned_to^ORDERBYDESCnumber", "4321"),
        # The trap: what is not understood is dropped, and the query widens.
        ("no_such_field=1", "1234"),
        ("state=2^no_such_field=1", "2"),
        ("state=2^ORno_such_field=1", "2"),
        ("stateWHATEVER1", "1234"),
        ("sys_created_on>not a time", "1234"),
    ],
)
def test_records_are_found(query: str, found: str) -> None:
    assert Board().find(query) == found


def test_a_parent_table_holds_its_children() -> None:
    assert Board().find("ORDERBYnumber", "task") == "12349"
    assert Board().find("sys_class_name=problem", "task") == "9"


def test_an_invalid_query_finds_nothing_where_the_property_says_so() -> None:
    board = Board(properties={NO_ROWS_PROPERTY: "true"})
    assert board.find("state=2^no_such_field=1") == ""
    assert board.find("state=2") == "2"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("opened_at>2026-03-11 11:59:59", "4"),
        ("opened_at>2026-03-11 12:00:00", ""),
        ("opened_at>=2026-03-11 12:00:00^opened_at<=2026-03-11 12:00:00", "4"),
        ("opened_at=2026-03-11 12:00:00", "4"),
        (
            "opened_atON2026-03-11@javascript:gs.dateGenerate('2026-03-11','start')@javascript:gs.dateGenerate('2026-03-11','end')",
            "4",
        ),
        ("opened_atONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()", "4"),
        ("opened_atBETWEENjavascript:gs.hoursAgo(2)@javascript:gs.hoursAgo(1)", "4"),
        ("opened_at>javascript:gs.minutesAgo(60)", ""),
        ("opened_at>=javascript:gs.daysAgoStart(0)", "4"),
        ("opened_at<javascript:gs.daysAgoEnd(1)", ""),
        ("opened_atRELATIVEGE@hour@ago@2", "4"),
        ("opened_atRELATIVEGE@minute@ago@15", ""),
        ("opened_atISNOTEMPTY", "4"),
    ],
)
def test_times(query: str, found: str) -> None:
    assert Board().find(query) == found


def test_a_literal_time_is_read_in_the_zone_of_the_user_or_as_utc() -> None:
    # Ann is in Berlin: her 13:00 is the twelve o'clock of the record.
    assert Board(seed.ANN).find("opened_at=2026-03-11 13:00:00") == "4"
    assert Board(seed.ANN).find("opened_at=2026-03-11 12:00:00") == ""
    assert Board(seed.ANN, query_time_zone="utc").find("opened_at=2026-03-11 12:00:00") == "4"


def test_today_is_the_users_today() -> None:
    times = QueryTime(NOW, ZoneInfo("America/Los_Angeles"), ZoneInfo("UTC"))
    start = datetime(2026, 3, 11, 7, 0, tzinfo=UTC)
    assert times.moment("javascript:gs.beginningOfToday()") == start
    for bad in ("javascript:gs.evil()", "javascript:system.exit(1)", "javascript:gs.daysAgo('x')", "@a@b@c"):
        with pytest.raises(NotATimeError):
            times.moment(bad)

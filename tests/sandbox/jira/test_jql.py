"""JQL, from text to the issues it finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.sandbox.jira import issues, seed
from callout.sandbox.jira.beans import View
from callout.sandbox.jira.errors import InvalidInputError
from callout.sandbox.jira.jql import compile_query
from callout.sandbox.jira.jql_syntax import Clause, Joined, Literal, Negated, parse
from callout.sandbox.jira.jql_time import read_moment, read_period
from callout.sandbox.jira.site import Site
from tests.sandbox.jira.conftest import doc

if TYPE_CHECKING:
    from callout.sandbox.jira.model import Issue

# 10:00:30 UTC, which is 12:00:30 in Berlin.
START = datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def site() -> Site:
    """Five issues, a minute apart."""
    clock = Clock()
    site = Site(now=clock, publish=lambda _: None, record=lambda *_: None)
    seed.plant(site)
    for fields in (
        {
            "project": "TST",
            "type": "Task",
            "summary": "Checkout is slow",
            "labels": ["p1", "web"],
            "priority": "2",
        },
        {"project": "TST", "type": "Bug", "summary": "Login fails", "assignee": seed.ANN, "priority": "1"},
        {
            "project": "OPS",
            "type": "Incident",
            "summary": 'Say "cheese"',
            "components": ["10001"],
            "duedate": "2026-05-02",
        },
        {"project": "OPS", "type": "Task", "summary": "slow search", "customfield_10043": 7},
        {"project": "HELP", "type": "Task", "summary": "VPN", "customfield_10042": "10011"},
    ):
        create(site, fields)
        clock.now += timedelta(minutes=1)
    # OPS-1 is worked on.
    view = View(site, "", 3, site.users[seed.ADMIN])
    issues.transition_issue(found(site, "OPS-1"), {"transition": {"id": "21"}}, view, site.users[seed.ADMIN])
    clock.now = START + timedelta(hours=1)
    return site


def found(site: Site, key: str) -> Issue:
    issue = site.find_issue(key)
    assert issue is not None
    return issue


def create(site: Site, given: dict[str, Any]) -> None:
    values = dict(given)
    body: dict[str, Any] = {
        "project": {"key": values.pop("project")},
        "issuetype": {"name": values.pop("type")},
    }
    for name, wrap in (("priority", "id"), ("assignee", "accountId"), ("customfield_10042", "id")):
        if name in values:
            values[name] = {wrap: values[name]}
    values["components"] = [{"id": ident} for ident in values.get("components", [])]
    values["description"] = doc("the payment service in Oslo")
    user = site.users[seed.ADMIN]
    issues.create_issue({"fields": {**body, **values}}, View(site, "", 3, user), user)


def keys(site: Site, jql: str, user: str = seed.ADMIN) -> list[str]:
    query = compile_query(jql, site=site, user=site.users[user])
    return [issue.key for issue in query.run(site.index.entries(as_of=None))]


EVERYTHING = ["TST-1", "TST-2", "OPS-1", "OPS-2", "HELP-1"]


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("project = TST", ["TST-1", "TST-2"]),
        ("project = tst", ["TST-1", "TST-2"]),
        ('project in ("Operations", HELP)', ["OPS-1", "OPS-2", "HELP-1"]),
        ("project != TST AND type = Task", ["OPS-2", "HELP-1"]),
        ("NOT project = TST AND NOT type = Task", ["OPS-1"]),
        ("project = TST OR type = Incident AND status = 'In Progress'", ["TST-1", "TST-2", "OPS-1"]),
        ("(project = TST OR type = Incident) AND statusCategory = 'In Progress'", ["OPS-1"]),
        ("key = TST-2", ["TST-2"]),
        ("key in (TST-2, OPS-1)", ["TST-2", "OPS-1"]),
        ("key > TST-1", ["TST-2"]),
        ("labels = p1", ["TST-1"]),
        ("labels in (p1, other)", ["TST-1"]),
        ("labels is not EMPTY", ["TST-1"]),
        # Not equal never finds what is empty.
        ("labels != web", []),
        ("labels != other", ["TST-1"]),
        ("assignee = currentUser()", []),
        ("reporter = currentUser() AND project = TST", ["TST-1", "TST-2"]),
        (f"assignee = {seed.ANN}", ["TST-2"]),
        ("assignee is EMPTY and project = TST", ["TST-1"]),
        (f"assignee in ({seed.ANN}, EMPTY) and project = TST", ["TST-1", "TST-2"]),
        ("priority >= High", ["TST-1", "TST-2"]),
        ("priority < High AND project = OPS", ["OPS-1", "OPS-2"]),
        ("component = Checkout", ["OPS-1"]),
        ("resolution = Unresolved AND project = HELP", ["HELP-1"]),
        ("resolution is EMPTY AND project = HELP", ["HELP-1"]),
        ("summary ~ slow", ["TST-1", "OPS-2"]),
        ("summary ~ 'check*'", ["TST-1"]),
        ("summary !~ slow AND project = TST", ["TST-2"]),
        ('summary ~ "\\"is slow\\""', ["TST-1"]),
        ('summary ~ "say \\"cheese\\""', ["OPS-1"]),
        ("description ~ payment AND project = HELP", ["HELP-1"]),
        ("text ~ 'oslo login'", ["TST-2"]),
        ("cf[10043] > 6.5", ["OPS-2"]),
        ('"Affected users" = 7', ["OPS-2"]),
        ('"Environment name" = Production', ["HELP-1"]),
        ("duedate <= 2026-05-02", ["OPS-1"]),
        ("duedate is not empty", ["OPS-1"]),
        # A literal has minute precision and is read in the account's zone, Berlin.
        ('created >= "2026-05-01 12:03"', ["OPS-2", "HELP-1"]),
        ('created >= "2026/05/01 12:03"', ["OPS-2", "HELP-1"]),
        ('created < "2026-05-01 12:01"', ["TST-1"]),
        ("created >= -58m", ["OPS-1", "OPS-2", "HELP-1"]),
        ("created >= startOfDay() AND project = HELP", ["HELP-1"]),
        ("created > now()", []),
        ("updated > -1h AND project = TST", ["TST-2"]),
    ],
)
def test_a_query_finds(site: Site, jql: str, expected: list[str]) -> None:
    assert keys(site, f"{jql} ORDER BY created ASC, key") == expected


def test_a_date_means_another_moment_to_another_account(site: Site) -> None:
    # 06:03 in New York is 12:03 in Berlin.
    assert sorted(keys(site, 'created >= "2026-05-01 06:03"', seed.ANN)) == ["HELP-1", "OPS-2"]
    assert len(keys(site, 'created >= "2026-05-01 06:03"')) == 5


def test_order_by_several_terms(site: Site) -> None:
    jql = "project in (TST, OPS) ORDER BY project ASC, priority DESC, created DESC"
    assert keys(site, jql)[:2] in (["TST-2", "TST-1"], ["OPS-2", "OPS-1"])
    assert keys(site, "created is not EMPTY ORDER BY created ASC") == EVERYTHING
    assert keys(site, "ORDER BY updated DESC")[0] in {"HELP-1", "OPS-1"}
    assert keys(site, "project in (TST, OPS) order by key desc") == ["TST-2", "TST-1", "OPS-2", "OPS-1"]
    # What has no due date sorts last in both directions.
    assert keys(site, "project = OPS ORDER BY duedate ASC") == ["OPS-1", "OPS-2"]
    assert keys(site, "project = OPS ORDER BY duedate DESC") == ["OPS-1", "OPS-2"]


@pytest.mark.parametrize(
    ("jql", "message"),
    [
        ("nope = 1", "Field 'nope' does not exist or you do not have permission to view it."),
        ("issue.property[callout].id = 7", "Field 'issue.property[callout].id' does not exist"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status = Nope", "The value 'Nope' does not exist for the field 'status'."),
        ("key = TST-99", "An issue with key 'TST-99' does not exist for field 'key'."),
        ("summary = slow", "The operator '=' is not supported by the 'summary' field."),
        ("project ~ TST", "The operator '~' is not supported by the 'project' field."),
        ("created > yesterday", "Date value 'yesterday' for field 'created' is invalid."),
        ("assignee = nobody()", "Unable to find JQL function 'nobody()'."),
        ("project TST", "Expecting operator but got 'TST'."),
        ("project =", "before the end of the query"),
        ("project = TST status = Done", "Expecting either 'OR' or 'AND' but got 'status'."),
        ("(project = TST", "Expecting ')' before the end of the query"),
        ("project = select", "'select' is a reserved JQL word."),
        ('summary ~ "open', "The quoted string 'open' has not been completed."),
        ("status was Done", "History searches do not support the 'status' field."),
        ("cf[10043] > many", "is not a valid number"),
        ("project = TST ORDER BY nope", "Field 'nope' does not exist"),
        ("labels is done", "only supports 'EMPTY'"),
    ],
)
def test_a_wrong_query_is_refused_in_jiras_words(site: Site, jql: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        keys(site, jql)
    assert message in caught.value.messages[0]


def test_every_wrong_part_is_named_at_once(site: Site) -> None:
    with pytest.raises(InvalidInputError) as caught:
        keys(site, "nope = 1 OR project = NOPE")
    assert len(caught.value.messages) == 2


def test_and_binds_closer_than_or_and_not_closest() -> None:
    a, b, c = (Clause(name, "=", (Literal("1"),)) for name in "abc")
    assert parse("a = 1 or b = 1 and not c = 1").where == Joined("or", (a, Joined("and", (b, Negated(c)))))
    assert parse("a = 1 || b = 1 && !c = 1").where == parse("a = 1 or b = 1 and not c = 1").where


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_survives_quoting_with_backslashes(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    parsed = parse(f'labels = "{quoted}"').where
    assert isinstance(parsed, Clause)
    assert parsed.operands == (Literal(text, quoted=True),)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse(text)
    except InvalidInputError as error:
        assert error.messages  # noqa: PT017 - a refusal always says why


def test_periods_and_dates(site: Site) -> None:
    zone = site.zone(site.users[seed.ADMIN])
    assert read_period("4w 2d") == timedelta(days=30)
    assert read_period("-15m") == timedelta(minutes=-15)
    assert read_period("soon") is None
    assert read_moment("2026-05-01", zone=zone, now=START) == datetime(2026, 4, 30, 22, tzinfo=UTC)
    assert read_moment("2026-13-01", zone=zone, now=START) is None

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.chatops.commands import (
    Act,
    AddNote,
    Change,
    Command,
    Declare,
    Help,
    ListIncidents,
    Show,
    Unclear,
)
from callout.chatops.grammar import BY_WORD, VERBS, help_text, parse, usage
from callout.ports.values import Audience, Severity, Status

ACTIVE = (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED)


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("declare sev1 checkout is down", Declare("checkout is down", Severity(1))),
        ("declare SEV-2 checkout is down", Declare("checkout is down", Severity(2))),
        ("declare sev 1 checkout is down", Declare("checkout is down", Severity(1))),
        ("declare checkout is down sev3", Declare("checkout is down", Severity(3))),
        ("declare checkout is down", Declare("checkout is down")),
        ("declare s3 bucket is public", Declare("s3 bucket is public")),
        ('declare "sev1 checkout" --severity 2', Declare("sev1 checkout", Severity(2))),
        (
            "declare sev1 checkout is down --service checkout",
            Declare("checkout is down", Severity(1), "checkout"),
        ),
        ("declare checkout \u2014service checkout", Declare("checkout", service="checkout")),
        ("declare x --service=\u201cthe check out\u201d", Declare("x", service="the check out")),
        (
            'declare x --service "the check out" --team=core',
            Declare("x", service="the check out", team="core"),
        ),
        ("declare x --tag a --tag b", Declare("x", tags=("a", "b"))),
        ("declare can\u2019t log in, it\u2019s \u201cbroken\u201d", Declare("can't log in, it's \"broken\"")),
        ("declare\u00a0sev1\u00a0db", Declare("db", Severity(1))),
        ("new db", Declare("db")),
        ("DECLARE db", Declare("db")),
        ("declare drops -5% of orders", Declare("drops -5% of orders")),
        ('declare "--force broke it"', Declare("--force broke it")),
        ("ack", Act("acknowledge")),
        ("ack INC-7", Act("acknowledge", "INC-7")),
        ("ack inc7", Act("acknowledge", "INC-7")),
        ("ack #7", Act("acknowledge", "INC-7")),
        ("ack 7", Act("acknowledge", "INC-7")),
        ("acknowledge INC-7 on it", Act("acknowledge", "INC-7", "on it")),
        ("resolve rolled the release back", Act("resolve", "", "rolled the release back")),
        ("resolve INC-7 rolled back", Act("resolve", "INC-7", "rolled back")),
        ("close 7", Act("close", "INC-7")),
        ("mitigate", Act("mitigate")),
        ("reopen inc-7", Act("reopen", "INC-7")),
        ("note INC-7 fail-over started", AddNote("fail-over started", "INC-7")),
        ("note 5 users are affected", AddNote("5 users are affected")),
        ("note --internal who did this", AddNote("who did this", "", Audience.INTERNAL)),
        ("note INC-7 all good --customer", AddNote("all good", "INC-7", Audience.CUSTOMER)),
        ("severity sev2", Change("", {"severity": Severity(2)})),
        ("severity INC-7 1", Change("INC-7", {"severity": Severity(1)})),
        ("title INC-7 search is slow", Change("INC-7", {"title": "search is slow"})),
        ("status", Show()),
        ("status INC-7", Show("INC-7")),
        ("show 7", Show("INC-7")),
        ("list", ListIncidents(ACTIVE)),
        ("list all", ListIncidents(tuple(Status))),
        ("list open sev1", ListIncidents((Status.OPEN,), (Severity(1),))),
        ("list sev 1 resolved closed", ListIncidents((Status.RESOLVED, Status.CLOSED), (Severity(1),))),
        ("ls --service checkout --severity 2", ListIncidents(ACTIVE, (Severity(2),), "checkout")),
        ("", Help()),
        ("   ", Help()),
        ("help", Help()),
        ("help ack", Help("ack")),
    ],
)
def test_what_is_typed_is_understood(typed: str, command: Command) -> None:
    assert parse(typed).command == command


@pytest.mark.parametrize(
    ("typed", "problem", "suggestion"),
    [
        ("delcare sev1 x", "“delcare” is not a command", "declare"),
        ("akc", "is not a command", "ack"),
        ("resovle INC-7", "is not a command", "resolve"),
        ("stauts", "is not a command", "status"),
        ("qqqq", "is not a command", "help"),
        ("declare", "Say what is broken", "declare"),
        ("declare sev1", "Say what is broken", "declare"),
        ("declare x --severity bad", "is not a severity", "declare"),
        ("declare x --sevice checkout", "Did you mean --service?", "declare"),
        ("declare x --force y", "Put it in quotes", "declare"),
        ("declare x --service", "--service needs a value", "declare"),
        ("declare x --service --team a", "--service needs a value", "declare"),
        ("note", "Say what to write down", "note"),
        ("note INC-7", "Say what to write down", "note"),
        ("note a --internal --customer", "one audience", "note"),
        ("severity", "say which severity".capitalize(), "severity"),
        ("title INC-7", "Say the new title", "title"),
        ("status soon", "is not an incident", "status"),
        ("list opne", "Did you mean open?", "list"),
    ],
)
def test_what_is_not_understood_says_what_was_probably_meant(
    typed: str, problem: str, suggestion: str
) -> None:
    command = parse(typed).command
    assert isinstance(command, Unclear)
    assert problem in command.problem
    assert suggestion in command.suggestions


@given(
    text=st.text(max_size=200)
    | st.lists(
        st.sampled_from([*BY_WORD, '"', "--", "--service", "sev1", "INC-7", "=", "\u201c", "\u2019"])
    ).map(" ".join)
)
def test_whatever_is_typed_can_be_read(text: str) -> None:
    parsed = parse(text)
    assert parsed.command is not None


def test_help_names_every_command_and_flag_of_the_table() -> None:
    everything = help_text("/im")
    for verb in VERBS:
        assert f"`{usage(verb, '/im')}`" in everything
        alone = help_text("/im", verb.name)
        assert verb.summary in alone
        assert all(f"--{flag.name}" in alone for flag in verb.flags)
        assert all(alias in alone for alias in verb.aliases)
    assert "no such command" in help_text("/im", "dance")


def test_every_example_of_the_help_is_understood_as_its_command() -> None:
    for verb in VERBS:
        for example in verb.examples:
            assert parse(example).verb is verb


def test_names_are_unique() -> None:
    assert len(BY_WORD) == sum(1 + len(verb.aliases) for verb in VERBS)

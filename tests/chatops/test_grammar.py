from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.access.permissions import ALL_PERMISSIONS
from callout.chatops.commands import (
    Act,
    AddNote,
    AddTask,
    Assign,
    Change,
    ChangeTask,
    Command,
    Declare,
    Escalate,
    Explain,
    FinishTask,
    Help,
    Invite,
    Join,
    Leave,
    LinkTicket,
    ListIncidents,
    ListTasks,
    Login,
    MakeTicket,
    Page,
    SetRole,
    Show,
    ShowChanges,
    ShowPeople,
    ShowTimeline,
    Unclear,
)
from callout.chatops.grammar import BY_WORD, VERBS, help_text, parse, usage
from callout.chatops.handlers import HANDLERS
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
        ("list mine", ListIncidents(ACTIVE, mine=True)),
        ("list all --mine 24h", ListIncidents(tuple(Status), mine=True, period="24h")),
        ("list today", ListIncidents(ACTIVE, period="today")),
        ("assign INC-7 @bob", Assign("@bob", "INC-7")),
        ("assign @bob INC-7", Assign("@bob", "INC-7")),
        ("assign INC-7 to <@U012ABC|ann>", Assign("<@U012ABC|ann>", "INC-7")),
        ("assign me", Assign("me")),
        ("assign Ann Ames", Assign("Ann Ames")),
        ("assign nobody", Assign("")),
        ("join", Join()),
        ("join 7", Join("INC-7")),
        ("leave INC-7", Leave("INC-7")),
        ("role commander @bob", SetRole("commander", "@bob")),
        ("role INC-7 ic me", SetRole("commander", "me", "INC-7")),
        ("role comms lead @dana.k for INC-9", SetRole("communications", "@dana.k", "INC-9")),
        ("role @bob scribe", SetRole("scribe", "@bob")),
        ("role scribe Ann", SetRole("scribe", "Ann")),
        ("role scribe nobody", SetRole("scribe", "")),
        ("role scribe --clear", SetRole("scribe", "")),
        ("who", ShowPeople()),
        ("who INC-7", ShowPeople("INC-7")),
        ("who ic INC-7", ShowPeople("INC-7", "commander")),
        ("task INC-7 check the lag", AddTask("check the lag", "INC-7")),
        ("task check it --for @bob --due 30m", AddTask("check it", "", "@bob", "30m")),
        ("task add done is better than perfect", AddTask("done is better than perfect")),
        ("task done call  the vendor", FinishTask(text="call the vendor")),
        ("task done: “call the vendor”", FinishTask(text="call the vendor")),
        ("task INC-7 done 2 nodes", FinishTask(0, "INC-7", text="2 nodes")),
        ("task done INC-7 call the vendor", FinishTask(0, "INC-7", text="call the vendor")),
        ("task reopen call the vendor", FinishTask(done=False, text="call the vendor")),
        ('task done "2"', FinishTask(text="2")),
        ('task "done"', AddTask("done")),
        (
            "invite INC-7 <@U1|Bob B.>, @cat and <@&S1|oncall>",
            Invite(("<@U1|Bob B.>", "@cat", "<@&S1|oncall>"), "INC-7"),
        ),
        ("invite me to INC-7", Invite(("me",), "INC-7")),
        ("timeline INC-7 2 hours", ShowTimeline("INC-7", "2h")),
        ("changes in the last 30 minutes", ShowChanges("30m")),
        ("changes last hour", ShowChanges("1h")),
        ("list my open incidents please", ListIncidents((Status.OPEN,), mine=True)),
        ("severity INC-7 critical", Change("INC-7", {"severity": Severity(1)})),
        ("severity to p2", Change("", {"severity": Severity(2)})),
        (
            'note INC-7 ```\nERROR <none> & "x y"\n   at foo(bar)\n```\r\nso  it goes',
            AddNote('```\nERROR <none> & "x y"\n   at foo(bar)\n```\nso it goes', "INC-7"),
        ),
        ("note\nINC-7 hello", AddNote("hello", "INC-7")),
        ("resolve INC-7 rolled back\nand restarted", Act("resolve", "INC-7", "rolled back\nand restarted")),
        ("note --internal\nwe broke it", AddNote("we broke it", "", Audience.INTERNAL)),
        ("?", Help()),
        ("help me please", Help()),
        ("help with ack", Help("ack")),
        ("list sev1 last week", ListIncidents(ACTIVE, (Severity(1),), period="1w")),
        ("INC-7", Show("INC-7")),
        ("inc-7: ack looking", Act("acknowledge", "INC-7", "looking")),
        ("ack: INC-7", Act("acknowledge", "INC-7")),
        ("/im status INC-7", Show("INC-7")),
        ("sev2", Change("", {"severity": Severity(2)})),
        ("sev2 INC-7", Change("INC-7", {"severity": Severity(2)})),
        ("resolve inc 7 rolled back", Act("resolve", "INC-7", "rolled back")),
        ("resolve INC-7 duplicate of INC-2", Act("resolve", "INC-7", "duplicate of INC-2")),
        ("note incident 3 hours ago", AddNote("incident 3 hours ago")),
        ("declare p1 mail is down", Declare("mail is down", Severity(1))),
        ("declare p99 is high", Declare("p99 is high")),
        ("who is on INC-7?", ShowPeople("INC-7")),
        ("who is the ic", ShowPeople(role="commander")),
        ("task done 2", FinishTask(2)),
        ("task INC-7 done #2", FinishTask(2, "INC-7")),
        ("task done INC-7 2", FinishTask(2, "INC-7")),
        ("task 2 done", FinishTask(2)),
        ("task reopen 2", FinishTask(2, done=False)),
        ("task 2 --for @bob", ChangeTask(2, person="@bob")),
        ("task INC-7 2 --due 14:30", ChangeTask(2, "INC-7", due="14:30")),
        ("task 2 nodes are down", AddTask("2 nodes are down")),
        ("task", ListTasks()),
        ("tasks INC-7", ListTasks("INC-7")),
        ("task list", ListTasks()),
        ("escalate", Escalate()),
        ("escalate INC-7 nobody answers", Escalate("INC-7", "nobody answers")),
        ("escalate to @priya now", Escalate("", "now", "", "@priya")),
        ("escalate INC-7 --policy core", Escalate("INC-7", "", "core")),
        ("page @bob INC-7", Page("@bob", "INC-7")),
        ("page INC-7 @bob wake up", Page("@bob", "INC-7", "wake up")),
        ("page @bob for INC-7 db is gone", Page("@bob", "INC-7", "db is gone")),
        ("page --service payments", Page(service="payments")),
        ("page INC-7 --team core it burns", Page("", "INC-7", "it burns", "", "core")),
        ("link OPS-31", LinkTicket("OPS-31")),
        ("link INC-7 OPS-31 --integration jira", LinkTicket("OPS-31", "INC-7", "jira")),
        ("attach <https://x.example/browse/OPS-31|OPS-31>", LinkTicket("https://x.example/browse/OPS-31")),
        ("link INC-7 INC0010002 --prefer ticket", LinkTicket("INC0010002", "INC-7", "", "ticket")),
        ("link INC-7 --create", MakeTicket("", "INC-7")),
        ("link new jira", MakeTicket("jira")),
        ("link --create --integration jira", MakeTicket("jira")),
        ("why severity", Explain("severity")),
        ("why INC-7 status?", Explain("status", "INC-7")),
        ("changes", ShowChanges()),
        ("changes 2h", ShowChanges("2h")),
        ("changes INC-7 today", ShowChanges("today", "INC-7")),
        ("changes in the last 2h INC-7", ShowChanges("2h", "INC-7")),
        ("timeline", ShowTimeline()),
        ("timeline INC-7 for the last 1h", ShowTimeline("INC-7", "1h")),
        ("login", Login()),
        ("login ABCDE-FGHJK", Login("ABCDE-FGHJK")),
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
        ("delcare sev1 x", "“delcare” is not a command", "declare sev1 x"),
        ("akc", "is not a command", "ack"),
        ("resovle INC-7", "is not a command", "resolve INC-7"),
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
        ("list --period soon", "not a time that has passed", "list"),
        ("assign", "say who".capitalize(), "assign"),
        ("assign INC-7", "say who".capitalize(), "assign"),
        ("join the party", "is not an incident", "join"),
        ("role", "which role and who", "role"),
        ("role scribe", "say who is to be scribe".capitalize(), "role"),
        ("task --for @bob", "what is to be done", "task"),
        ("task INC-7 done", "which task", "task"),
        ("ack INC-1, INC-2", "One incident at a time", "ack"),
        ("ack INC-1\nINC-2", "One incident at a time", "ack"),
        ("close INC-1 and INC-2", "One incident at a time", "close"),
        ("ack INC-9999999999999999999", "is no incident", "ack"),
        ("declare sev0 the moon", "is no severity", "declare"),
        ("delcare checkout is down sev1", "not a command", "declare checkout is down sev1"),
        ("sev1 checkout is down", "not a command", "declare sev1 checkout is down"),
        ("take INC-7", "not a command", "assign INC-7 me"),
        ("please ack INC-7", "not a command", "ack INC-7"),
        ("cancel INC-7", "not a command", "close INC-7"),
        ("page", "whom to call", "page"),
        ("escalate to", "to whom", "escalate"),
        ("link", "which ticket", "link"),
        ("link OPS-31 OPS-32", "more than one ticket", "link"),
        ("link OPS-31 --prefer me", "--prefer is one of", "link"),
        ("why", "which field", "why"),
        ("why sevrity", "Did you mean severity?", "why"),
        ("changes soon", "neither an incident nor a time", "changes"),
        ("asign @bob", "is not a command", "assign @bob"),
        ("esclate", "is not a command", "escalate"),
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
        assert f"`{usage(verb, '/im', flags=False)}`: {verb.summary}" in everything
        alone = help_text("/im", verb.name)
        assert f"`{usage(verb, '/im')}`" in alone
        assert verb.summary in alone
        assert all(f"--{flag.name}" in alone for flag in verb.flags)
        assert all(alias in alone for alias in verb.aliases)
    assert "no such command" in help_text("/im", "dance")


def test_every_example_of_the_help_is_understood_as_its_command() -> None:
    for verb in VERBS:
        for example in verb.examples:
            parsed = parse(example)
            assert parsed.verb is verb
            assert type(parsed.command) in verb.makes


def test_every_command_can_be_asked_for_and_carried_out() -> None:
    made = {kind for verb in VERBS for kind in verb.makes}
    assert made | {Unclear} == set(get_args(Command))
    assert set(HANDLERS) == set(get_args(Command))
    known = ALL_PERMISSIONS | {""}
    assert {handler.needs for handler in HANDLERS.values()} <= known


def test_names_are_unique() -> None:
    assert len(BY_WORD) == sum(1 + len(verb.aliases) for verb in VERBS)

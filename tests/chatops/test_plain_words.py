"""What is meant in plain words becomes the same commands that the slash grammar makes."""

# ruff: noqa: SIM905, RUF001

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.chatops.commands import (
    Act,
    AddNote,
    AddTask,
    Assign,
    Change,
    Command,
    Declare,
    Escalate,
    Explain,
    FinishTask,
    Help,
    Join,
    Leave,
    LinkTicket,
    ListIncidents,
    MakeTicket,
    Page,
    SetRole,
    Show,
    ShowChanges,
    ShowPeople,
    ShowTickets,
    ShowTimeline,
    Unclear,
)
from callout.chatops.handlers import HANDLERS
from callout.chatops.intent import ACTING, COMMANDS, Ask, Hearing, Intent, understand
from callout.chatops.plain_words import command_of, command_said
from callout.ports.values import Audience, Severity, Status
from tests.corpus.scoring import OPEN, phrases

HERE = Hearing(channel_incident="INC-7", bot_ids=frozenset({"U0CALLOUT"}))
NOWHERE = Hearing(bot_ids=frozenset({"U0CALLOUT"}))


@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("declare sev1 checkout is down", Declare("checkout is down", Severity(1))),
        ("declare p2 on api: slow", Declare("slow", Severity(2), "api")),
        ("could you please resolve INC-3, rolled back?", Act("resolve", "INC-3", "rolled back")),
        ("please resolve INC-3, rolled back", Act("resolve", "INC-3", "rolled back")),
        ("would you mind acking INC-5?", Act("acknowledge", "INC-5")),
        ("make INC-4 a sev1", Change("INC-4", {"severity": Severity(1)})),
        ("rename INC-4 to db is slow", Change("INC-4", {"title": "db is slow"})),
        ("internal note on INC-9: we broke it", AddNote("we broke it", "INC-9", Audience.INTERNAL)),
        ("assign INC-4 to me", Assign("me", "INC-4")),
        ("escalate INC-4 to @bob", Escalate("INC-4", person="@bob")),
        ("please page @bob, INC-4 is burning", Page("@bob", "INC-4", "INC-4 is burning")),
        ("could you page @bob for INC-4? nobody answers", Page("@bob", "INC-4", "nobody answers")),
        ("page @bob for INC-4: db is down", Page("@bob", "INC-4", "db is down")),
        ("page the ledger on-call for INC-4", Page("", "INC-4", service="ledger")),
        ("add me to INC-4", Join("INC-4")),
        ("take me off INC-4", Leave("INC-4")),
        ("leaving INC-4, @nils has it now", Leave("INC-4")),
        ("resolving INC-3: rolled back", Act("resolve", "INC-3", "rolled back")),
        ("no more errors, please resolve INC-3", Act("resolve", "INC-3", "no more errors")),
        ("resolve INC-3, it's ok now", Act("resolve", "INC-3", "it's ok now")),
        ("close INC-3 due to inactivity", Act("close", "INC-3", "inactivity")),
        ("the fix did not hold, reopen INC-3", Act("reopen", "INC-3", "the fix did not hold")),
        ("assign INC-4 to priya", Assign("priya", "INC-4")),
        ("I'll take #4", Assign("me", "INC-4")),
        ("give the scribe role on INC-4 to hannah", SetRole("scribe", "hannah", "INC-4")),
        ("resolve INC-12 not INC-13", Act("resolve", "INC-12")),
        ("that is too low, make INC-4 sev1 and not sev2", Change("INC-4", {"severity": Severity(1)})),
        ("everything is on fire @callout declare sev1: db is gone", Declare("db is gone", Severity(1))),
        ("ugh. @callout resolve INC-4", Act("resolve", "INC-4")),
        ("sev1!!! site down", Declare("site down", Severity(1))),
        ("incident: cert expired. Sev: 1. Service: edge", Declare("cert expired", Severity(1), "edge")),
        (
            "declare sev2: told customers the wrong price",
            Declare("told customers the wrong price", Severity(2)),
        ),
        ("change title INC-12 login fails for all", Change("INC-12", {"title": "login fails for all"})),
        ("rename INC-12 to why is checkout slow", Change("INC-12", {"title": "why is checkout slow"})),
        (
            "tell customers on INC-4 that logins work again",
            AddNote("logins work again", "INC-4", Audience.CUSTOMER),
        ),
        ("for the record on INC-4: it was us", AddNote("it was us", "INC-4", Audience.RESPONDERS)),
        ("note on INC-4 (not for customers): it was us", AddNote("it was us", "INC-4", Audience.INTERNAL)),
        (
            "somebody needs to call the vendor, make it a task on INC-4",
            AddTask("call the vendor", "INC-4"),
        ),
        ("check off task #2 on INC-4", FinishTask(2, "INC-4")),
        ("task 3 is done, INC-4", FinishTask(3, "INC-4")),
        ("done on INC-4: deploy the fix", FinishTask(0, "INC-4", text="deploy the fix")),
        ("INC-4: done: Deploy the Fix, thanks!", FinishTask(0, "INC-4", text="Deploy the Fix")),
        ("task INC-4 done deploy the fix", FinishTask(0, "INC-4", text="deploy the fix")),
        ("task done deploy the fix on INC-4", FinishTask(0, "INC-4", text="deploy the fix")),
        ("mark the task “call the vendor” as done on INC-4", FinishTask(0, "INC-4", text="call the vendor")),
        ("tick off call the vendor on INC-4", FinishTask(0, "INC-4", text="call the vendor")),
        (
            "reopen the task call the vendor on INC-4",
            FinishTask(0, "INC-4", done=False, text="call the vendor"),
        ),
        ("reopen task 3 on INC-4", FinishTask(3, "INC-4", done=False)),
        ("done on INC-4: #2", FinishTask(2, "INC-4")),
        ("list mitigated ones", ListIncidents((Status.MITIGATED,))),
        ("any incidents on payments-api?", ListIncidents(service="payments-api")),
        ("assign INC-4 to Maria Lopez", Assign("Maria Lopez", "INC-4")),
        (
            'add "tried a flush" as an internal note to INC-9',
            AddNote("tried a flush", "INC-9", Audience.INTERNAL),
        ),
        ("create an incident (sev 2): db is slow", Declare("db is slow", Severity(2))),
        ("declare sev2: cannot log in", Declare("cannot log in", Severity(2))),
        ('declare "db is slow" as sev3 on service api', Declare("db is slow", Severity(3), "api")),
        ("make @ann commander of INC-4", SetRole("commander", "@ann", "INC-4")),
        ("task for @ann on INC-4: drain node 4", AddTask("drain node 4", "INC-4", "@ann")),
        ("link INC-4 to OPS-77", LinkTicket("OPS-77", "INC-4")),
        ("create a jira ticket for INC-4", MakeTicket("jira", "INC-4")),
        ("how is INC-4 going?", Show("INC-4")),
        ("is INC-4 in sync?", ShowTickets("INC-4")),
        ("who is the scribe on INC-4", ShowPeople("INC-4", "scribe")),
        ("what changed in the last 2 hours", ShowChanges("2h")),
        ("what changed on INC-4", ShowChanges(incident="INC-4")),
        ("what happened on INC-4 since yesterday", ShowTimeline("INC-4", "yesterday")),
        ("why is INC-4 sev1?", Explain("severity", "INC-4")),
        ("my open incidents", ListIncidents(mine=True)),
        ("incidents of the last week", ListIncidents(tuple(Status), period="7d")),
        ("how do I declare an incident?", Help("declare")),
        ("declare x --service checkout", Declare("x", service="checkout")),
    ],
)
def test_plain_words_become_the_commands_of_the_grammar(said: str, command: Command) -> None:
    assert command_said(said, NOWHERE) == command


def test_every_command_of_the_corpus_becomes_one_that_is_carried_out() -> None:
    for phrase in phrases(OPEN):
        if phrase["intent"] in COMMANDS and "people" not in phrase["slots"]:
            made = command_of(Intent(phrase["intent"], phrase["slots"]))
            assert type(made) in HANDLERS, phrase["text"]
            assert not isinstance(made, Unclear), phrase["text"]


@pytest.mark.parametrize(
    "said",
    [
        "don't close INC-4",
        "close INC-4 if nobody objects",
        "close INC-4, when bob is back",
        "if it happens again, page @bob",
        "can we close INC-4?",
        "close INC-4?",
        "we closed INC-4",
        "ann said: close INC-4",
        "“close INC-4”",
        "> close INC-4",
        "`close INC-4`",
        "close INC-4 or INC-5",
        "close INC-4 no wait INC-5",
        "@bob close INC-4",
        "close INC-4 🙄",
        "disclose INC-4",
        "revolve INC-4",
        "unresolve INC-4",
        "can you close an incident?",
        "leave it",
        "declare sev1/sev2 db is down",
        "declare sev1 if it gets worse",
        "declare help",
        "assign INC-4 to @bob and @ann",
        "note for internal and customer: x",
        "ack INC-4, page @bob",
        "to close INC-4 you need permission",
        "the plan is: close INC-4",
        "closing INC-4 would be premature",
        "closing INC-4 tomorrow",
        "resolving INC-4 resulted in an outage",
        "in case it gets worse, escalate INC-4",
        "the fix will be out tomorrow, resolve INC-4",
        "as soon as it is green, resolve INC-4",
        "close INC-4 the moment it is green",
        "assign INC-4 to Support",
        "page Friday for INC-4",
        "open sev2 incidents",
        "open a sev1 bridge",
        "declare sev1: what do you think about it?",
        "declaring an incident takes five minutes",
        "INC-4 needs a better title",
        'add "close INC-4" to my reading list',
        "somebody typed @callout close INC-4",
        "it is not funny @callout close INC-4",
        "No! @callout close INC-4",
        "in case it breaks. @callout close INC-4",
        "I hope it is over. @callout close INC-4",
        "we are about to @callout close INC-4",
        "give INC-4 a rest",
        "give INC-4 to the dogs",
        "assign INC-4 to tbd",
        "let me take INC-4 offline",
        "I take INC-4 seriously",
        "@ann is scribe of INC-4, right?",
        "i could take INC-4",
        "sev1: this is a drill",
        "INC-5 must be resolved when green",
        "mark task 3 of INC-4 as not done",
        "do not post publicly on INC-4: we broke it",
        "escalate INC-4, in case it gets worse",
        "escalate INC-4 in case it gets worse",
        "resolve INC-4, as soon as the graph is green",
        "resolve INC-4, the moment it is green",
        "resolve INC-4, provided it is green",
        "resolve INC-4, only when it is green",
        "resolve INC-4 - in an hour",
        "resolve INC-4, in an hour",
        "resolve INC-4, at noon",
        "close INC-4, next week",
        "close INC-4, on Monday",
        "close INC-4, not before Monday",
        "it is bad. in case it gets worse, escalate INC-4",
        "it is bad, in an hour, close INC-4",
        "it is fine. tomorrow, close INC-4",
        "close INC-4, by the end of the day",
        "close INC-4, after the meeting",
        "close INC-4, during the night",
        "page @bob for INC-4, in 10 minutes",
        "page @bob for INC-4, in the morning",
        "close INC-4. Just kidding",
        "close INC-4. No!",
        "close INC-4. That is what she typed",
        "close INC-4, which is what bob wants",
        "close INC-4, is that right?",
        "close INC-4, right?",
        "close INC-4, ok?",
        "close INC-4 - at least that is the plan",
        "close INC-4, that was the plan",
        "close INC-4, they say",
        "we will close INC-4",
        "someone will close INC-4",
        "please someone close INC-4",
        "what happens if I type @callout close INC-4",
        "for example: @callout close INC-4",
        "not yet! @callout close INC-4",
        "then @callout close INC-4",
        "thanks @bob @callout close INC-4",
        "when we met, ask @callout to close INC-4",
        "assign INC-4 to support",
        "assign INC-4 to him",
        "assign INC-4 to the new guy",
        "page bob for INC-4",
        "resolve INC-12 if not INC-13",
        "could you resolve INC-4? I don't know",
        "could you resolve INC-4? or not",
        "close INC-3, INC-4 is burning",
        "can we get INC-4 closed",
        "INC-4 must not be closed",
        "INC-4 must be closed by tomorrow",
        "task done",
        "task 3 is not done",
        "task 3 done?",
        "task deploy the fix is done?",
        "done: deploy the fix?",
        "not done: deploy the fix",
        "done",
        "done: if it works",
        "done: lol",
        "check off the vendor on INC-4",
        "mark the task deploy the fix as not done on INC-4",
        "tell customers nothing",
        "let's tell customers that it is over",
        "incident: none so far today",
        "sev1: false alarm, sorry",
        "change the title of INC-4 to something better",
        "change title of INC-4 because it is wrong",
        "@bob was commander of INC-4",
        "declare an incident: mail is slow, sev-3, owner team is web",
    ],
)
@pytest.mark.parametrize("hearing", [HERE, NOWHERE])
def test_what_is_not_surely_meant_never_acts(said: str, hearing: Hearing) -> None:
    meaning = understand(said, hearing)
    assert not (isinstance(meaning, Intent) and meaning.acts)


def test_asking_back_offers_at_most_three_commands() -> None:
    meaning = understand("INC-4 close resolve ack reopen escalate", NOWHERE)
    assert isinstance(meaning, Ask)
    assert 1 <= len(meaning.candidates) <= 3
    assert {candidate.slots.get("incident") for candidate in meaning.candidates} == {"INC-4"}


def test_chatter_is_not_answered() -> None:
    assert command_said("good morning", NOWHERE) == Unclear("")


def test_what_is_too_long_is_asked_about_rather_than_cut() -> None:
    assert isinstance(understand("note INC-4 " + "x" * 9000, NOWHERE), Ask)
    long = understand("note INC-4 " + "word " * 1000 + "end", NOWHERE)
    assert isinstance(long, Intent)
    assert long.slots["text"].endswith("word end")


_PIECES = [
    *sorted(COMMANDS),
    *"INC-4 #5 inc sev1 sev two to of for if not don't ? , : ; . ! > ` ``` \" ' <@U1> @bob me https://x.y/z OPS-1".split(),
    *"service [ ] ( ) -- --service internal customer commander on-call last hours 2 today please can you I want the a this it".split(),
    "\n",
    "🙄",
    "“",
    "’",
]


@given(text=st.text(max_size=300) | st.lists(st.sampled_from(_PIECES), max_size=30).map(" ".join))
def test_whatever_is_said_can_be_read(text: str) -> None:
    for hearing in (HERE, NOWHERE):
        meaning = understand(text, hearing)
        if isinstance(meaning, Intent):
            assert meaning.command in COMMANDS
            assert not isinstance(command_of(meaning), Unclear) or {"people", "service"} & set(meaning.slots)


@pytest.mark.parametrize(
    "piece",
    [
        "close ",
        "`",
        "'",
        '"',
        "<",
        "<@",
        "@a.",
        "a@",
        "a.",
        "a-",
        "(",
        "[",
        "INC-4 ",
        "if ",
        "#",
        ":a",
        "last ",
        ",",
        "@bob, ",
        "x" * 50,
        "\n",
        "http://",
        "please ",
    ],
)
def test_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = (piece * 8000)[:7990]
    started = time.process_time()
    for lead in ("", "close INC-4, ", "note INC-4 ", "declare sev1 "):
        understand((lead + text)[:7999], HERE)
    assert time.process_time() - started < 2  # tens of milliseconds; quadratic would be minutes


def test_the_two_kinds_of_commands_are_told_apart() -> None:
    assert "close" in ACTING
    assert "status" not in ACTING


@pytest.mark.parametrize(
    ("said", "told"), [("инцидент решён", True), ("谢谢", True), ("thanks", False), ("🔥🔥 :fire:", False)]
)
def test_who_writes_in_another_script_is_told_what_is_read(said: str, told: bool) -> None:
    command = command_said(said, Hearing("INC-4"))
    assert isinstance(command, Unclear)
    assert ("I read English" in command.problem) is told

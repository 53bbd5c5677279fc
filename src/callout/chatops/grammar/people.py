"""Verbs about who does what: assignee, roles, taking part, tasks, being called, and who one is."""

from __future__ import annotations

from typing import Final

from callout.chatops.commands import (
    AddTask,
    Assign,
    ChangeTask,
    Command,
    Escalate,
    FinishTask,
    Invite,
    Join,
    Leave,
    ListTasks,
    Login,
    Page,
    SetRole,
    ShowPeople,
)
from callout.chatops.grammar.words import (
    INCIDENT,
    SERVICE_FLAG,
    Flag,
    Misread,
    Verb,
    Words,
    incident_key,
    is_person,
    joined,
    only_incident,
    take_incident,
    take_incident_around,
)
from callout.chatops.tokens import Token

GROUP = "People and tasks"
NOBODY: Final = frozenset({"nobody", "none", "no-one", "noone", "-"})
ROLE_WORDS: Final = {
    "ic": "commander",
    "command": "commander",
    "lead": "commander",
    "incident-commander": "commander",
    "comms": "communications",
    "communication": "communications",
    "comms-lead": "communications",
    "communications-lead": "communications",
    "ops": "operations",
    "owner": "assignee",
}
"""What people call roles → the name they are kept under."""


def role_of(words: str) -> str:
    """Return the role that words mean: `Comms lead` is `communications`; words we do not know stay as they are."""
    name = "-".join(words.lower().split())
    return ROLE_WORDS.get(name, name)


def _person(tokens: tuple[Token, ...], missing: str) -> str:
    """Return who the words name; empty for nobody. Raises Misread with what is `missing` when they are empty."""
    rest = tokens[1:] if len(tokens) > 1 and tokens[0].text.lower() == "to" else tokens
    text = joined(rest)
    if not text:
        raise Misread(missing)
    return "" if text.lower() in NOBODY else text


def _assign(words: Words) -> Command:
    incident, rest = take_incident_around(words.tokens)
    return Assign(_person(rest, "say who: @name, me, an e-mail address, or nobody"), incident)


def _join(words: Words) -> Command:
    return Join(only_incident(words))


def _invite(words: Words) -> Command:
    incident, rest = take_incident_around(words.tokens)
    people = tuple(name for token in rest if (name := token.text.rstrip(",;")) not in {"", "and", "&", "+"})
    if not people:
        raise Misread("say whom: @name, a group, or an e-mail address")
    stray = next((one for one in people if not is_person(one)), "")
    if stray:
        raise Misread(f"“{stray}” is no person: write @name, a group, or an e-mail address")
    return Invite(people, incident)


def _leave(words: Words) -> Command:
    return Leave(only_incident(words))


def _role(words: Words) -> Command:
    incident, rest = take_incident_around(words.tokens)
    if not rest:
        raise Misread("say which role and who: commander @ann")
    if is_person(rest[0].text):
        rest = (*rest[1:], rest[0])
    place = next((n for n, token in enumerate(rest) if n and is_person(token.text)), 1)
    role = role_of(joined(rest[:place]))
    if "clear" in words.flags:
        return SetRole(role, "", incident)
    who = _person(rest[place:], f"say who is to be {role}: @name, me, or nobody")
    return SetRole(role, who, incident)


def _who(words: Words) -> Command:
    asked = [Token(token.text.rstrip("?"), token.quoted) for token in words.tokens]
    while asked and asked[0].text.lower() in {"is", "are", "has", "the"}:
        del asked[0]
    incident, rest = take_incident_around([token for token in asked if token.text])
    rest = tuple(token for token in rest if token.text.lower() not in {"on", "for", "there", "it", "this"})
    return ShowPeople(incident, role_of(joined(rest)) if rest else "")


def _number(token: Token) -> int:
    text = token.text.lstrip("#")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 0  # noqa: PLR2004  # digits


_FINISHING: Final = {"done": True, "finish": True, "reopen": False, "undone": False, "untick": False}


def _task(words: Words) -> Command:
    incident, rest = take_incident(words.tokens)
    person, due = words.flag("for"), words.flag("due")
    if not rest or (len(rest) == 1 and rest[0].text.lower() in {"list", "all"}):
        if person or due:
            raise Misread("say what is to be done")
        return ListTasks(incident)
    first = "" if rest[0].quoted else rest[0].text.lower().rstrip(":")
    if first in _FINISHING:
        return _finish(rest[1:], incident, done=_FINISHING[first])
    if number := _number(rest[0]):
        if len(rest) == 2 and rest[1].text.lower() in _FINISHING:  # noqa: PLR2004
            return FinishTask(number, incident, _FINISHING[rest[1].text.lower()])
        if len(rest) == 1 and (person or due):
            return ChangeTask(number, incident, "", person, due)
    if first == "add" and len(rest) > 1:
        rest = rest[1:]
    return AddTask(joined(rest), incident, person, due)


def _finish(rest: tuple[Token, ...], incident: str, *, done: bool) -> Command:
    """Return which task is meant by `2`, `INC-7 2` or words of its text."""
    # `#2` alone is the task; an incident is named before it.
    named, told = take_incident(rest) if len(rest) > 1 else ("", rest)
    if not told:
        raise Misread(f"say which task: its number, or words of its text ({'done' if done else 'reopen'} 2)")
    number = _number(told[0]) if len(told) == 1 and not told[0].quoted else 0
    return FinishTask(number, incident or named, done, "" if number else joined(told))


def _escalate(words: Words) -> Command:
    incident, rest = take_incident(words.tokens, bare=True)
    person = ""
    if rest and (rest[0].text.lower() == "to" or is_person(rest[0].text)):
        rest = rest[1:] if rest[0].text.lower() == "to" else rest
        if not rest:
            raise Misread("say to whom: @name")
        person, rest = rest[0].text, rest[1:]
    return Escalate(incident, joined(rest), words.flag("policy"), person)


def _page(words: Words) -> Command:
    incident, rest = take_incident(words.tokens)
    service, team, person = words.flag("service"), words.flag("team"), ""
    if not (service or team):
        if not rest:
            raise Misread("say whom to call: @name, --service checkout or --team core")
        person, rest = rest[0].text, rest[1:]
    if rest and rest[0].text.lower() in {"for", "on", "about"} and len(rest) > 1:
        rest = rest[1:]
    if not incident and rest and (incident := incident_key(rest[0].text, bare=False)):
        rest = rest[1:]
    return Page(person, incident, joined(rest), service, team)


def _login(words: Words) -> Command:
    return Login(words.text())


_WHO = "@name|me|nobody"

VERBS: tuple[Verb, ...] = (
    Verb(
        "assign",
        "Say who works on it",
        f"{INCIDENT} {_WHO}",
        _assign,
        (Assign,),
        GROUP,
        aliases=("reassign",),
        examples=("assign INC-7 @bob", "assign me"),
    ),
    Verb("join", "Take part", INCIDENT, _join, (Join,), GROUP),
    Verb(
        "invite",
        "Have others take part: people, or a group",
        f"{INCIDENT} @name|@group …",
        _invite,
        (Invite,),
        GROUP,
        examples=("invite INC-7 @bob @oncall",),
    ),
    Verb("leave", "Take part no longer", INCIDENT, _leave, (Leave,), GROUP),
    Verb(
        "role",
        "Give somebody a role",
        f"{INCIDENT} commander|communications|scribe|… {_WHO}",
        _role,
        (SetRole,),
        GROUP,
        flags=(Flag("clear", "nobody has it any more", takes_value=False),),
        aliases=("roles",),
        examples=("role INC-7 scribe @cat", "role commander me"),
    ),
    Verb(
        "who",
        "Show who is on it, or who has a role",
        f"{INCIDENT} [role]",
        _who,
        (ShowPeople,),
        GROUP,
        aliases=("people",),
        examples=("who INC-7", "who INC-7 commander"),
    ),
    Verb(
        "task",
        "Add a task, tick it off by its number or its text (done 2, done call the vendor), change it (2 --for @bob), or list them",
        f"{INCIDENT} text|done 2|done its text|reopen 2|list",
        _task,
        (AddTask, FinishTask, ChangeTask, ListTasks),
        GROUP,
        flags=(
            Flag("for", "who is to do it", aliases=("assignee",)),
            Flag("due", "by when: 2h, 14:30 (UTC) or 2026-01-31T12:00Z"),
        ),
        aliases=("tasks", "todo"),
        examples=(
            "task INC-7 check the replica lag --for @bob --due 30m",
            "task done 2",
            "task done check the replica",
        ),
    ),
    Verb(
        "escalate",
        "Have the next people called",
        f"{INCIDENT} [to @name] [reason]",
        _escalate,
        (Escalate,),
        GROUP,
        flags=(Flag("policy", "the escalation policy, where it is not the service's"),),
        examples=("escalate INC-7 nobody answers",),
    ),
    Verb(
        "page",
        "Have somebody called at once",
        f"{INCIDENT} @name [reason]",
        _page,
        (Page,),
        GROUP,
        flags=(SERVICE_FLAG, Flag("team", "whoever is on call for a team")),
        aliases=("call",),
        examples=("page INC-7 @bob the database needs you", "page INC-7 --service payments"),
    ),
    Verb(
        "login",
        "Say who you are in Callout, by the code you were given there",
        "code",
        _login,
        (Login,),
        GROUP,
        aliases=("link-me", "connect-me"),
        examples=("login ABCDE-FGHJK",),
    ),
)

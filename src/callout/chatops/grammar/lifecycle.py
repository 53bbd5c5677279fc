"""Verbs that declare and move incidents, and write about them."""

from __future__ import annotations

from collections.abc import Callable

from callout.chatops.commands import Act, AddNote, Change, Command, Declare
from callout.chatops.grammar.words import (
    INCIDENT,
    LEVELS,
    SERVICE_FLAG,
    SEVERITY_FLAG,
    TEAM_FLAG,
    Flag,
    Misread,
    Verb,
    Words,
    flag_severity,
    joined,
    one_incident,
    take_incident,
    take_incident_around,
    take_severity,
)
from callout.ports.values import Audience, Severity

GROUP = "Incidents"


def _declare(words: Words) -> Command:
    severity, rest = take_severity(words.tokens)
    severity = flag_severity(words) or severity
    title = joined(rest)
    if not title:
        raise Misread("say what is broken")
    return Declare(
        title=title,
        severity=severity,
        service=words.flag("service"),
        team=words.flag("team"),
        description=words.flag("description"),
        tags=tuple(words.flags.get("tag", ())),
    )


def _action(action: str) -> Callable[[Words], Command]:
    def build(words: Words) -> Command:
        incident, rest = take_incident(words.tokens, bare=True)
        one_incident(incident, rest)
        return Act(action, incident, joined(rest))

    return build


def _note(words: Words) -> Command:
    incident, rest = take_incident(words.tokens)
    text = joined(rest)
    if not text:
        raise Misread("say what to write down")
    if "internal" in words.flags and "customer" in words.flags:
        raise Misread("a note is for one audience: --internal or --customer")
    audience = Audience.RESPONDERS
    if "internal" in words.flags:
        audience = Audience.INTERNAL
    elif "customer" in words.flags:
        audience = Audience.CUSTOMER
    return AddNote(text, incident, audience)


def _set_severity(words: Words) -> Command:
    incident, rest = take_incident_around(words.tokens)
    if rest and rest[0].text.lower() in {"to", "is"}:
        rest = rest[1:]
    text = joined(rest)
    try:
        severity = Severity.parse(LEVELS.get(text.lower(), text))
    except ValueError:
        raise Misread("say which severity, SEV-1 to SEV-4") from None
    return Change(incident, {"severity": severity})


def _set_title(words: Words) -> Command:
    incident, rest = take_incident(words.tokens)
    title = joined(rest)
    if not title:
        raise Misread("say the new title")
    return Change(incident, {"title": title})


VERBS: tuple[Verb, ...] = (
    Verb(
        "declare",
        "Declare an incident",
        "[sev1] what is broken",
        _declare,
        (Declare,),
        GROUP,
        flags=(
            SEVERITY_FLAG,
            SERVICE_FLAG,
            TEAM_FLAG,
            Flag("description", "more words about it", aliases=("desc",)),
            Flag("tag", "a word to find it by; may be repeated"),
        ),
        aliases=("new", "create"),
        examples=("declare sev1 checkout is down --service checkout",),
    ),
    Verb(
        "ack",
        "Acknowledge: somebody is on it",
        f"{INCIDENT} [note]",
        _action("acknowledge"),
        (Act,),
        GROUP,
        aliases=("acknowledge",),
    ),
    Verb(
        "mitigate",
        "The harm is contained",
        f"{INCIDENT} [note]",
        _action("mitigate"),
        (Act,),
        GROUP,
        aliases=("mitigated",),
    ),
    Verb(
        "resolve",
        "It is fixed",
        f"{INCIDENT} [note]",
        _action("resolve"),
        (Act,),
        GROUP,
        aliases=("resolved", "fixed"),
        examples=("resolve INC-7 rolled the release back",),
    ),
    Verb(
        "close",
        "Nothing is left to do",
        f"{INCIDENT} [note]",
        _action("close"),
        (Act,),
        GROUP,
        aliases=("closed",),
    ),
    Verb("reopen", "It is not over", f"{INCIDENT} [note]", _action("reopen"), (Act,), GROUP),
    Verb(
        "note",
        "Write something down",
        f"{INCIDENT} text",
        _note,
        (AddNote,),
        GROUP,
        flags=(
            Flag("internal", "for us alone, never shown outside", takes_value=False),
            Flag("customer", "may reach customers", takes_value=False, aliases=("public",)),
        ),
        examples=("note INC-7 database fail-over started",),
    ),
    Verb(
        "severity",
        "Change how bad it is",
        f"{INCIDENT} sev2",
        _set_severity,
        (Change,),
        GROUP,
        aliases=("sev",),
    ),
    Verb(
        "title",
        "Change what it is called",
        f"{INCIDENT} new title",
        _set_title,
        (Change,),
        GROUP,
        aliases=("rename",),
    ),
)

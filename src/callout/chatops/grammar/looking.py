"""Verbs that only tell, and those about tickets."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from callout.chatops.commands import (
    ACTIVE,
    Command,
    Explain,
    Help,
    LinkTicket,
    ListIncidents,
    MakeTicket,
    Show,
    ShowChanges,
    ShowTickets,
    ShowTimeline,
)
from callout.chatops.grammar.words import (
    INCIDENT,
    NEARNESS,
    SERVICE_FLAG,
    SEVERITY_FLAG,
    TEAM_FLAG,
    Flag,
    Misread,
    Verb,
    Words,
    flag_severity,
    is_period,
    joined,
    leading_severity,
    only_incident,
    take_incident,
    take_incident_around,
    take_period,
)
from callout.ports.values import Severity, Status
from callout.sync.attach import PREFER
from callout.sync.why import EXPLAINED

GROUP = "Look"
TICKETS = "Tickets"


def _show(words: Words) -> Command:
    return Show(only_incident(words))


def _tickets(words: Words) -> Command:
    return ShowTickets(only_incident(words))


_STATUS_WORDS: Final[Mapping[str, tuple[Status, ...]]] = {
    "all": tuple(Status),
    "active": ACTIVE,
    **{status.value: (status,) for status in Status},
}
_SAID_TO_US: Final = frozenset(
    {"", "me", "us", "please", "pls", "plz", "with", "the", "command", "commands", "about"}
)
_SAID_BESIDE: Final = frozenset(
    {"incident", "incidents", "the", "please", "and", "of", "from", "since", "last"}
)
_LIST_WORDS: Final = (*_STATUS_WORDS, "mine")


def _list(words: Words) -> Command:
    severities: list[Severity] = []
    statuses: tuple[Status, ...] = ()
    mine, period = "mine" in words.flags, words.flag("period")
    passed, rest = take_period(words.tokens)
    period = passed or period
    while rest:
        word = rest[0].text.lower().rstrip(",?")
        if word in _SAID_BESIDE:
            rest = rest[1:]
            continue
        if word in _STATUS_WORDS:
            statuses, rest = statuses + _STATUS_WORDS[word], rest[1:]
            continue
        if word in {"mine", "my"} or is_period(word):
            mine, period = mine or not is_period(word), word if is_period(word) else period
            rest = rest[1:]
            continue
        severity, left = leading_severity(rest)
        if severity is None:
            near = get_close_matches(word, _LIST_WORDS, n=1, cutoff=NEARNESS)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Misread(f"“{rest[0].text}” is neither a status nor a severity.{hint}")
        severities.append(severity)
        rest = left
    if (flagged := flag_severity(words)) is not None:
        severities.append(flagged)
    return ListIncidents(
        statuses=tuple(dict.fromkeys(statuses)) or ACTIVE,
        severities=tuple(severities),
        service=words.flag("service"),
        team=words.flag("team"),
        mine=mine,
        period=_period(period),
    )


def _period(text: str) -> str:
    if text and not is_period(text):
        raise Misread(f"“{text}” is not a time that has passed: write 30m, 2h, 7d, today or yesterday")
    return text.lower()


def _since(words: Words) -> tuple[str, str]:
    """Return incident and period of words like `INC-7 2h`, in either order."""
    incident, rest = take_incident_around(words.tokens)
    period, rest = take_period(rest)
    if not incident:
        incident, rest = take_incident_around(rest)
    if rest:
        raise Misread(f"“{joined(rest)}” is neither an incident nor a time: write INC-7 or 2h")
    return incident, period


def _changes(words: Words) -> Command:
    incident, period = _since(words)
    return ShowChanges(period or "1h", incident)


def _timeline(words: Words) -> Command:
    incident, period = _since(words)
    return ShowTimeline(incident, period)


def _why(words: Words) -> Command:
    incident, rest = take_incident_around(words.tokens)
    name = joined(rest).lower().rstrip("?")
    if name in EXPLAINED:
        return Explain(name, incident)
    near = get_close_matches(name, EXPLAINED, n=1, cutoff=NEARNESS)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise Misread(f"say which field: {', '.join(EXPLAINED)}.{hint}")


def _link(words: Words) -> Command:
    incident, rest = take_incident(words.tokens)
    integration, prefer = words.flag("integration"), words.flag("prefer") or "ask"
    if prefer not in PREFER:
        raise Misread(f"--prefer is one of {', '.join(PREFER)}")
    if "create" in words.flags or (rest and rest[0].text.lower() in {"create", "new", "make"}):
        rest = rest if "create" in words.flags else rest[1:]
        if len(rest) > 1:
            raise Misread("say in which integration the ticket is to be made, by its name")
        return MakeTicket(integration or joined(rest), incident)
    if not rest:
        raise Misread("say which ticket: its key, its number or its address; or --create")
    if len(rest) > 1:
        raise Misread(f"“{joined(rest)}” is more than one ticket: write one key or address")
    ticket = rest[0].text
    if ticket.startswith("<") and ticket.endswith(">"):
        ticket = ticket[1:-1].partition("|")[0]
    return LinkTicket(ticket, incident, integration, prefer)


def _help(words: Words) -> Command:
    asked = [word for token in words.tokens if (word := token.text.lower().strip("?!.,")) not in _SAID_TO_US]
    return Help(" ".join(asked))


_INTEGRATION = Flag("integration", "the integration's name, where it is not clear which", aliases=("in",))

VERBS: tuple[Verb, ...] = (
    Verb(
        "link",
        "Link a ticket that exists, or have one made (--create)",
        f"{INCIDENT} OPS-31|https://…",
        _link,
        (LinkTicket, MakeTicket),
        TICKETS,
        flags=(
            _INTEGRATION,
            Flag("prefer", "whose values hold where the two differ: incident, ticket or ask"),
            Flag("create", "make a new ticket", takes_value=False),
        ),
        aliases=("attach", "ticket"),
        examples=("link INC-7 OPS-31 --integration jira", "link INC-7 --create --integration servicenow"),
    ),
    Verb(
        "sync",
        "Show how its tickets stand, and resolve conflicts; without a key, all conflicts",
        INCIDENT,
        _tickets,
        (ShowTickets,),
        TICKETS,
        aliases=("tickets", "conflicts"),
        examples=("sync INC-7",),
    ),
    Verb(
        "why",
        "Tell why a field has its value",
        f"{INCIDENT} severity|status|…",
        _why,
        (Explain,),
        TICKETS,
        aliases=("explain",),
        examples=("why INC-7 severity",),
    ),
    Verb(
        "status",
        "Show how it stands",
        INCIDENT,
        _show,
        (Show,),
        GROUP,
        aliases=("show",),
        examples=("status INC-7",),
    ),
    Verb(
        "list",
        "List incidents: active ones, mine, or by status, severity and age",
        "[active|all|open|…] [mine] [sev1] [24h]",
        _list,
        (ListIncidents,),
        GROUP,
        flags=(
            SEVERITY_FLAG,
            SERVICE_FLAG,
            TEAM_FLAG,
            Flag("mine", "those that I have a role in or take part in", takes_value=False),
            Flag("period", "declared since: 2h, 7d, today, yesterday"),
        ),
        aliases=("ls",),
        examples=("list open sev1", "list mine"),
    ),
    Verb(
        "changes",
        "Show what changed lately, in one incident or in all",
        f"{INCIDENT} [1h]",
        _changes,
        (ShowChanges,),
        GROUP,
        aliases=("changed",),
        examples=("changes 2h", "changes INC-7 today"),
    ),
    Verb(
        "timeline",
        "Show what happened in it",
        f"{INCIDENT} [2h]",
        _timeline,
        (ShowTimeline,),
        GROUP,
        aliases=("history",),
        examples=("timeline INC-7",),
    ),
    Verb("help", "Explain the commands, or one of them", "[command]", _help, (Help,), GROUP),
)

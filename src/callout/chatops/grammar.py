"""The grammar of the commands: one table, from which parsing, help and suggestions all come. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from callout.chatops.commands import (
    Act,
    AddNote,
    Change,
    Command,
    Declare,
    Help,
    ListIncidents,
    Show,
    ShowTickets,
    Unclear,
)
from callout.chatops.tokens import Token, tokens_of
from callout.ports.values import Audience, Severity, Status

TEXT_LIMIT: Final = 8_000
"""Longest command that is read, in characters; no platform lets people type more."""

_SEVERITY = re.compile(r"sev(?:erity)?[-_]?([1-9])", re.IGNORECASE)
_KEY = re.compile(r"(?:inc[-_ ]?|#)([1-9][0-9]{0,17})", re.IGNORECASE)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_NEARNESS: Final = 0.55


@dataclass(frozen=True, slots=True)
class Flag:
    """`--name VALUE`, or `--name` alone where it takes no value."""

    name: str
    meaning: str
    takes_value: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What follows the verb: plain words in order, and the flags that were given."""

    tokens: tuple[Token, ...]
    flags: Mapping[str, tuple[str, ...]]

    def flag(self, name: str) -> str:
        """Return the last value of a flag, empty when it was not given."""
        return self.flags.get(name, ("",))[-1]

    def text(self) -> str:
        """Return the words as one line."""
        return " ".join(token.text for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: how it is called, what it needs, how its words become a value.

    `needs` is the permission it asks for, `usage` what follows the name, `build` raises :class:`Misread`.
    """

    name: str
    summary: str
    usage: str
    build: Callable[[Words], Command]
    needs: str = "incident.write"
    flags: tuple[Flag, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


class Misread(Exception):  # noqa: N818  # a reading, not a fault
    """The words do not make this command; the message tells the person what to write."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command with the verb it came from; `verb` is None for help and for what was not understood."""

    command: Command
    verb: Verb | None = field(default=None)


def _severity_of(text: str) -> Severity | None:
    match = _SEVERITY.fullmatch(text)
    return None if match is None else Severity(int(match.group(1)))


def _flag_severity(words: Words) -> Severity | None:
    given = words.flag("severity")
    if not given:
        return None
    try:
        return Severity.parse(given)
    except ValueError:
        raise Misread(f"“{given}” is not a severity: write SEV-1 to SEV-4") from None


def _leading_severity(words: tuple[Token, ...]) -> tuple[Severity | None, tuple[Token, ...]]:
    """Take a severity (`sev1`, `sev 1`) from the front of the words."""
    if not words or words[0].quoted:
        return None, words
    if (severity := _severity_of(words[0].text)) is not None:
        return severity, words[1:]
    two = words[0].text + words[1].text if len(words) > 1 and not words[1].quoted else ""
    if words[0].text.lower() in {"sev", "severity"} and (severity := _severity_of(two)) is not None:
        return severity, words[2:]
    return None, words


def _take_severity(words: tuple[Token, ...]) -> tuple[Severity | None, tuple[Token, ...]]:
    """Take a severity from the front or, failing that, from the end of the words."""
    severity, rest = _leading_severity(words)
    if severity is not None or len(words) < 2 or words[-1].quoted:  # noqa: PLR2004  # a lone word is the text itself
        return severity, rest
    last = _severity_of(words[-1].text)
    return (None, words) if last is None else (last, words[:-1])


def incident_key(text: str, *, bare: bool) -> str:
    """Return `INC-7` for `INC-7`, `inc7` or `#7` (and `7` where `bare`), else an empty text."""
    match = _KEY.fullmatch(text)
    number = match.group(1) if match else text if bare and _NUMBER.fullmatch(text) else ""
    return f"INC-{number}" if number else ""


def _take_incident(tokens: Sequence[Token], *, bare: bool) -> tuple[str, tuple[Token, ...]]:
    words = tuple(tokens)
    if words and not words[0].quoted and (key := incident_key(words[0].text, bare=bare)):
        return key, words[1:]
    return "", words


def _joined(tokens: Sequence[Token]) -> str:
    """Return the words as one text; quotes within it are kept, those around the whole of it are not."""
    if len(tokens) == 1:
        return tokens[0].text
    return " ".join(f'"{token.text}"' if token.quoted else token.text for token in tokens)


def _declare(words: Words) -> Command:
    severity, rest = _take_severity(words.tokens)
    severity = _flag_severity(words) or severity
    title = _joined(rest)
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
        incident, rest = _take_incident(words.tokens, bare=True)
        return Act(action, incident, _joined(rest))

    return build


def _note(words: Words) -> Command:
    incident, rest = _take_incident(words.tokens, bare=False)
    text = _joined(rest)
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
    incident, rest = _take_incident(words.tokens, bare=False)
    try:
        severity = Severity.parse(_joined(rest))
    except ValueError:
        raise Misread("say which severity, SEV-1 to SEV-4") from None
    return Change(incident, {"severity": severity})


def _set_title(words: Words) -> Command:
    incident, rest = _take_incident(words.tokens, bare=False)
    title = _joined(rest)
    if not title:
        raise Misread("say the new title")
    return Change(incident, {"title": title})


def _show(words: Words) -> Command:
    incident, rest = _take_incident(words.tokens, bare=True)
    if rest:
        raise Misread(f"“{_joined(rest)}” is not an incident: write its key, such as INC-7")
    return Show(incident)


def _tickets(words: Words) -> Command:
    shown = _show(words)
    return ShowTickets(shown.incident if isinstance(shown, Show) else "")


_STATUS_WORDS: Final[Mapping[str, tuple[Status, ...]]] = {
    "all": tuple(Status),
    "active": (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED),
    **{status.value: (status,) for status in Status},
}


def _list(words: Words) -> Command:
    severities: list[Severity] = []
    statuses: tuple[Status, ...] = ()
    rest = tuple(words.tokens)
    while rest:
        word = rest[0].text.lower()
        if word in _STATUS_WORDS:
            statuses, rest = statuses + _STATUS_WORDS[word], rest[1:]
            continue
        severity, left = _leading_severity(rest)
        if severity is None:
            near = get_close_matches(word, _STATUS_WORDS, n=1, cutoff=_NEARNESS)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Misread(f"“{rest[0].text}” is neither a status nor a severity.{hint}")
        severities.append(severity)
        rest = left
    if (flagged := _flag_severity(words)) is not None:
        severities.append(flagged)
    command = ListIncidents(
        severities=tuple(severities), service=words.flag("service"), team=words.flag("team")
    )
    if not statuses:
        return command
    return ListIncidents(tuple(dict.fromkeys(statuses)), command.severities, command.service, command.team)


def _help(words: Words) -> Command:
    return Help(words.text().lower())


_SEVERITY_FLAG = Flag("severity", "SEV-1 (worst) to SEV-4", aliases=("sev", "s"))
_SERVICE_FLAG = Flag("service", "the service that is affected", aliases=("svc",))
_TEAM_FLAG = Flag("team", "the team that owns it")
_INCIDENT = "[INC-7]"

VERBS: Final[tuple[Verb, ...]] = (
    Verb(
        "declare",
        "Declare an incident",
        "[sev1] what is broken",
        _declare,
        flags=(
            _SEVERITY_FLAG,
            _SERVICE_FLAG,
            _TEAM_FLAG,
            Flag("description", "more words about it", aliases=("desc",)),
            Flag("tag", "a word to find it by; may be repeated"),
        ),
        aliases=("new", "create"),
        examples=("declare sev1 checkout is down --service checkout",),
    ),
    Verb(
        "ack",
        "Acknowledge: somebody is on it",
        f"{_INCIDENT} [note]",
        _action("acknowledge"),
        aliases=("acknowledge",),
    ),
    Verb(
        "mitigate",
        "The harm is contained",
        f"{_INCIDENT} [note]",
        _action("mitigate"),
        aliases=("mitigated",),
    ),
    Verb(
        "resolve",
        "It is fixed",
        f"{_INCIDENT} [note]",
        _action("resolve"),
        aliases=("resolved", "fixed"),
        examples=("resolve INC-7 rolled the release back",),
    ),
    Verb("close", "Nothing is left to do", f"{_INCIDENT} [note]", _action("close"), aliases=("closed",)),
    Verb("reopen", "It is not over", f"{_INCIDENT} [note]", _action("reopen")),
    Verb(
        "note",
        "Write something down",
        f"{_INCIDENT} text",
        _note,
        flags=(
            Flag("internal", "for us alone, never shown outside", takes_value=False),
            Flag("customer", "may reach customers", takes_value=False, aliases=("public",)),
        ),
        examples=("note INC-7 database fail-over started",),
    ),
    Verb("severity", "Change how bad it is", f"{_INCIDENT} sev2", _set_severity, aliases=("sev",)),
    Verb("title", "Change what it is called", f"{_INCIDENT} new title", _set_title, aliases=("rename",)),
    Verb(
        "status",
        "Show how it stands",
        _INCIDENT,
        _show,
        needs="incident.read",
        aliases=("show",),
        examples=("status INC-7",),
    ),
    Verb(
        "sync",
        "Show how its tickets stand, and resolve conflicts; without a key, all conflicts",
        _INCIDENT,
        _tickets,
        needs="link.read",
        aliases=("tickets", "conflicts"),
        examples=("sync INC-7",),
    ),
    Verb(
        "list",
        "List incidents: active ones, or by status and severity",
        "[active|all|open|…] [sev1]",
        _list,
        needs="incident.read",
        flags=(_SEVERITY_FLAG, _SERVICE_FLAG, _TEAM_FLAG),
        aliases=("ls",),
        examples=("list open sev1",),
    ),
    Verb("help", "Explain the commands, or one of them", "[command]", _help, needs=""),
)
"""The commands, in the order in which help shows them."""

BY_WORD: Final[Mapping[str, Verb]] = {word: verb for verb in VERBS for word in (verb.name, *verb.aliases)}


def parse(text: str) -> Parsed:
    """Return the command that `text` (without the command's own name) stands for; never raises."""
    tokens = tokens_of(text[:TEXT_LIMIT])
    if not tokens:
        return Parsed(Help())
    word = tokens[0].text.lower()
    verb = BY_WORD.get(word)
    if verb is None:
        near = get_close_matches(word, BY_WORD, n=3, cutoff=_NEARNESS)
        names = tuple(dict.fromkeys(BY_WORD[name].name for name in near))
        return Parsed(Unclear(f"“{tokens[0].text[:40]}” is not a command.", names or ("help",)))
    try:
        return Parsed(verb.build(_words(verb, tokens[1:])), verb)
    except Misread as error:
        problem = str(error)
        ending = "" if problem.endswith((".", "?")) else "."
        return Parsed(Unclear(f"{problem[0].upper()}{problem[1:]}{ending}", (verb.name,)))


def _words(verb: Verb, tokens: Sequence[Token]) -> Words:
    names = {name: flag for flag in verb.flags for name in (flag.name, *flag.aliases)}
    plain: list[Token] = []
    flags: dict[str, tuple[str, ...]] = {}
    queue = list(tokens)
    while queue:
        token = queue.pop(0)
        if token.quoted or not re.match(r"--?[A-Za-z]", token.text):
            plain.append(token)
            continue
        name, equals, value = token.text.lstrip("-").partition("=")
        flag = names.get(name.lower())
        if flag is None:
            if not token.text.startswith("--"):  # `-v` or `-5%` inside a sentence
                plain.append(token)
                continue
            near = get_close_matches(name.lower(), names, n=1, cutoff=_NEARNESS)
            hint = (
                f" Did you mean --{names[near[0]].name}?"
                if near
                else " Put it in quotes if it belongs to the text."
            )
            raise Misread(f"{verb.name} knows no --{name}.{hint}")
        if not flag.takes_value:
            flags[flag.name] = ("",)
            continue
        if not equals:
            if not queue or (not queue[0].quoted and queue[0].text.startswith("--")):
                raise Misread(f"--{flag.name} needs a value: {flag.meaning}")
            value = queue.pop(0).text
        flags[flag.name] = (*flags.get(flag.name, ()), value)
    return Words(tuple(plain), flags)


def usage(verb: Verb, command: str) -> str:
    """Return one line that shows how to type a command, for instance `/im ack [INC-7] [note]`."""
    flags = " ".join(f"[--{flag.name}{' …' if flag.takes_value else ''}]" for flag in verb.flags)
    return " ".join(filter(None, (command, verb.name, verb.usage, flags)))


def help_text(command: str, topic: str = "") -> str:
    """Return the help (Markdown), generated from the table: all commands, or the one that `topic` names."""
    verb = BY_WORD.get(topic)
    if verb is None:
        lines = [f"- `{usage(each, command)}`: {each.summary}" for each in VERBS]
        first = "" if not topic else "There is no such command. "
        return (
            f"{first}What you can type:\n\n"
            + "\n".join(lines)
            + "\n\nIn an incident's own channel its key may be left out."
        )
    lines = [f"**{verb.summary}**", "", f"`{usage(verb, command)}`"]
    if verb.aliases:
        lines += ["", f"Also: {', '.join(verb.aliases)}"]
    if verb.flags:
        lines += ["", *(f"- `--{flag.name}`: {flag.meaning}" for flag in verb.flags)]
    if verb.examples:
        lines += ["", *(f"Example: `{command} {example}`" for example in verb.examples)]
    return "\n".join(lines)

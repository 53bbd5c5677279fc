"""What a verb of the grammar is, and how its words are taken apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callout.chatops.commands import Command
from callout.chatops.tokens import Token
from callout.ports.values import Severity

NEARNESS: Final = 0.55
"""How much of a word has to be right for it to be taken for another."""
LEVELS: Final[Mapping[str, str]] = {
    "critical": "SEV-1",
    "high": "SEV-2",
    "medium": "SEV-3",
    "low": "SEV-4",
    **{f"p{number}": f"SEV-{number}" for number in range(1, 5)},
}
"""Severities in other words."""
INCIDENT: Final = "[INC-7]"
_SEVERITY = re.compile(r"sev(?:erity)?[-_]?([1-9])", re.IGNORECASE)
_PRIORITY = re.compile(r"p([1-4])", re.IGNORECASE)
_NO_SEVERITY = re.compile(r"sev(?:erity)?[-_]?(?:0|[0-9]{2,})", re.IGNORECASE)
_KEY = re.compile(r"(?:inc[-_ ]?|#)([1-9][0-9]{0,17})", re.IGNORECASE)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_PERIOD = re.compile(r"[1-9][0-9]{0,3}(?:m|min|h|d|w)", re.IGNORECASE)


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
    """One command: how it is called, how its words become a value, which values these are.

    `usage` is what follows the name, `build` raises :class:`Misread`, `group` is where help shows it.
    """

    name: str
    summary: str
    usage: str
    build: Callable[[Words], Command]
    makes: tuple[type[Command], ...]
    group: str
    flags: tuple[Flag, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


class Misread(Exception):  # noqa: N818  # a reading, not a fault
    """The words do not make this command; the message tells the person what to write."""


SEVERITY_FLAG: Final = Flag("severity", "SEV-1 (worst) to SEV-4", aliases=("sev", "s"))
SERVICE_FLAG: Final = Flag("service", "the service that is affected", aliases=("svc",))
TEAM_FLAG: Final = Flag("team", "the team that owns it")


def severity_of(text: str) -> Severity | None:
    """Return the severity that a word is, or None."""
    match = _SEVERITY.fullmatch(text)
    return None if match is None else Severity(int(match.group(1)))


def flag_severity(words: Words) -> Severity | None:
    """Return the severity of the flag, or None where it was not given. Raises Misread."""
    given = words.flag("severity")
    if not given:
        return None
    try:
        return Severity.parse(given)
    except ValueError:
        raise Misread(f"“{given}” is not a severity: write SEV-1 to SEV-4") from None


def leading_severity(words: tuple[Token, ...]) -> tuple[Severity | None, tuple[Token, ...]]:
    """Take a severity (`sev1`, `sev 1`, `p1`) from the front of the words. Raises Misread for one that there is not (`sev0`)."""
    if not words or words[0].quoted:
        return None, words
    if _NO_SEVERITY.fullmatch(words[0].text):
        raise Misread(f"“{words[0].text}” is no severity: write SEV-1 to SEV-4")
    if priority := _PRIORITY.fullmatch(words[0].text):
        return Severity(int(priority.group(1))), words[1:]
    if (severity := severity_of(words[0].text)) is not None:
        return severity, words[1:]
    two = words[0].text + words[1].text if len(words) > 1 and not words[1].quoted else ""
    if words[0].text.lower() in {"sev", "severity"} and (severity := severity_of(two)) is not None:
        return severity, words[2:]
    return None, words


def take_severity(words: tuple[Token, ...]) -> tuple[Severity | None, tuple[Token, ...]]:
    """Take a severity from the front or, failing that, from the end of the words."""
    severity, rest = leading_severity(words)
    if severity is not None or len(words) < 2 or words[-1].quoted:  # noqa: PLR2004  # a lone word is the text itself
        return severity, rest
    last = severity_of(words[-1].text)
    return (None, words) if last is None else (last, words[:-1])


def incident_key(text: str, *, bare: bool) -> str:
    """Return `INC-7` for `INC-7`, `inc7` or `#7` (and `7` where `bare`), else an empty text."""
    match = _KEY.fullmatch(text)
    number = match.group(1) if match else text if bare and _NUMBER.fullmatch(text) else ""
    return f"INC-{number}" if number else ""


LINE_MARK: Final = "\ue000"
"""Stands for the end of a line while a text is cut into words: nobody types it."""
_MARKS: Final = ",:;."
_TOO_LONG = re.compile(r"inc[-_]?[0-9]{19,}", re.IGNORECASE)


def take_incident(tokens: Sequence[Token], *, bare: bool = False) -> tuple[str, tuple[Token, ...]]:
    """Take an incident from the front of the words: `INC-7`, `INC-7:`, `inc 7`. Raises Misread for what can be none."""
    words = tuple(tokens)
    if not words or words[0].quoted:
        return "", words
    text = words[0].text.rstrip(_MARKS)
    if _TOO_LONG.fullmatch(text):
        raise Misread(f"“{text[:40]}” is no incident: write its key, such as INC-7")
    if key := incident_key(text, bare=bare):
        return key, words[1:]
    # `note incident 3 hours ago …` speaks of no INC-3.
    named = text.lower() in ({"inc", "incident"} if bare else {"inc"})
    if named and len(words) > 1 and not words[1].quoted:
        key = incident_key(words[1].text.rstrip(_MARKS), bare=True)
        return (key, words[2:]) if key else ("", words)
    return "", words


def one_incident(incident: str, rest: Sequence[Token]) -> None:
    """Raise Misread where a second incident follows the first: `INC-1 and INC-2`. What is done to one is never half of what was meant."""
    words = [token for token in rest if token.text.lower() not in {"and", "&", "+", ",", "/", LINE_MARK}]
    if incident and words and not words[0].quoted and incident_key(words[0].text.rstrip(_MARKS), bare=False):
        raise Misread("one incident at a time: nothing was done to any of them")


def take_incident_around(tokens: Sequence[Token]) -> tuple[str, tuple[Token, ...]]:
    """Take an incident from the front or, failing that, from the end of the words: `@bob INC-7`, `@bob for INC-7`."""
    key, words = take_incident(tokens)
    if key or not words or words[-1].quoted:
        return key, words
    key = incident_key(words[-1].text, bare=False)
    if not key:
        return "", words
    rest = words[:-1]
    return key, rest[:-1] if rest and rest[-1].text.lower() in {"for", "on", "of", "to", "in"} else rest


def joined(tokens: Sequence[Token]) -> str:
    """Return the words as one text; quotes within it are kept, those around the whole of it are not."""
    if len(tokens) == 1:
        return tokens[0].text
    return " ".join(f'"{token.text}"' if token.quoted else token.text for token in tokens)


def only_incident(words: Words) -> str:
    """Return the incident that the words are, empty where there are none. Raises Misread for anything else."""
    incident, rest = take_incident(words.tokens, bare=True)
    if rest:
        raise Misread(f"“{joined(rest)}” is not an incident: write its key, such as INC-7")
    return incident


def is_person(text: str) -> bool:
    """Return whether a word can only be a person: a mention, an `@name`, an e-mail address, `me`."""
    return text.startswith(("@", "<@")) or "@" in text or text.lower() in {"me", "myself"}


def is_period(text: str) -> bool:
    """Return whether a word is a period: `2h`, `today`."""
    return _PERIOD.fullmatch(text) is not None or text.lower() in {"today", "yesterday"}


_UNITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "m"),
    **dict.fromkeys(("hour", "hours", "hrs", "hr"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
}


def take_period(tokens: Sequence[Token]) -> tuple[str, tuple[Token, ...]]:
    """Take a period from the end of the words, with `the last` or `since` before it."""
    words = tuple(tokens)
    if not words:
        return "", words
    period, rest = words[-1].text.lower(), words[:-1]
    if unit := _UNITS.get(period, ""):  # `30 minutes`, `the last hour`
        number = rest[-1].text if rest and re.fullmatch(r"[1-9][0-9]{0,3}", rest[-1].text) else ""
        period, rest = f"{number or 1}{unit}", rest[:-1] if number else rest
    elif not is_period(period):
        return "", words
    while rest and rest[-1].text.lower() in {"last", "the", "since", "past", "in", "for"}:
        rest = rest[:-1]
    return period, rest

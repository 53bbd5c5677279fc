"""The grammar of the commands: one table, from which parsing, help and suggestions all come. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final

from callout.chatops.commands import Act, AddNote, Command, Help, Unclear
from callout.chatops.grammar import lifecycle, looking, people
from callout.chatops.grammar.words import (
    LINE_MARK,
    NEARNESS,
    Flag,
    Misread,
    Verb,
    Words,
    incident_key,
    joined,
    severity_of,
    take_incident,
)
from callout.chatops.tokens import Token, tokens_of

TEXT_LIMIT: Final = 8_000
"""Longest command that is read, in characters; no platform lets people type more."""

VERBS: Final[tuple[Verb, ...]] = (*lifecycle.VERBS, *people.VERBS, *looking.VERBS)
"""The commands, in the order in which help shows them."""

BY_WORD: Final[Mapping[str, Verb]] = {word: verb for verb in VERBS for word in (verb.name, *verb.aliases)}
LINED: Final = frozenset({word for word, verb in BY_WORD.items() if {AddNote, Act} & set(verb.makes)})
"""First words of commands whose text may have several lines."""
# A character that nobody types stands for the indentation of a line, as another does for its end.
_INDENT: Final = "\ue001"
_UNMARKED: Final = {ord(LINE_MARK): None, ord(_INDENT): None}
_LINE = re.compile(r"\r?\n([ \t]*)")
_MARKED = re.compile(f" ?{LINE_MARK}{_INDENT}* ?")
_OUR_NAMES: Final = frozenset({"/im", "/callout", "@callout", "callout"})
_SURELY: Final = 0.75
"""How alike a word has to be for the whole line to be offered with it put right."""
LINE_LIMIT: Final = 150
SAID_FOR: Final[Mapping[str, str]] = {
    **dict.fromkeys(("take", "claim", "own", "grab", "mine"), "assign {incident} me"),
    **dict.fromkeys(("start", "open", "raise", "report", "incident"), "declare {rest}"),
    **dict.fromkeys(("cancel", "delete", "remove", "abort", "end"), "close {incident}"),
    **dict.fromkeys(("unack", "unresolve", "undo"), "reopen {incident}"),
    **dict.fromkeys(("info", "details", "summary", "get"), "status {incident}"),
    **dict.fromkeys(("comment", "log", "write"), "note {rest}"),
    **dict.fromkeys(("ping", "wake", "notify", "alert"), "page {rest}"),
    "oncall": "who {incident}",
    "please": "{rest}",
}
"""What people type for a command that there is → the line that is offered, never done."""
GROUPS: Final = tuple(dict.fromkeys(verb.group for verb in VERBS))


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command with the verb it came from; `verb` is None for help and for what was not understood."""

    command: Command
    verb: Verb | None = field(default=None)


def parse(text: str) -> Parsed:
    """Return the command that `text` (without the command's own name) stands for; never raises."""
    text = text[:TEXT_LIMIT]
    if "\n" in text.strip() and text.split(maxsplit=1)[0].lower().rstrip(":") in LINED:
        return _lined(text)
    tokens: Sequence[Token] = tokens_of(text)
    if not tokens:
        return Parsed(Help())
    tokens = _in_order(tokens)
    word = tokens[0].text.lower().rstrip(":,!")
    verb = BY_WORD.get(word)
    if word in {"?", "-h", "--help", ""}:
        return Parsed(Help())
    if verb is None:
        return Parsed(Unclear(f"“{tokens[0].text[:40]}” is not a command.", _nearest(word, tokens)))
    try:
        return Parsed(verb.build(_words(verb, tokens[1:])), verb)
    except Misread as error:
        problem = str(error)
        ending = "" if problem.endswith((".", "?")) else "."
        return Parsed(Unclear(f"{problem[0].upper()}{problem[1:]}{ending}", (verb.name,)))


def _lined(text: str) -> Parsed:
    """Parse a text in which lines count: a pasted log stays one, with its lines as far in as they were."""
    first, _, rest = text.translate(_UNMARKED).strip().partition("\n")
    said = f"{first} {rest}" if " " not in first else f"{first}\n{rest}"
    marked = _LINE.sub(lambda match: f" {LINE_MARK}{_INDENT * len(match[1])} ", said)
    parsed = parse(marked)
    command = parsed.command
    if isinstance(command, AddNote):
        command = replace(command, text=_unmarked(command.text))
    elif isinstance(command, Act):
        command = replace(command, comment=_unmarked(command.comment))
    elif isinstance(command, Unclear):
        command = Unclear(_unmarked(command.problem), tuple(_unmarked(one) for one in command.suggestions))
    return replace(parsed, command=command)


def _unmarked(text: str) -> str:
    return _MARKED.sub(lambda match: "\n" + " " * match[0].count(_INDENT), text).strip()


def _in_order(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return words with the verb first, where it is surely one: `INC-7 ack`, `INC-7` alone, `sev2`, `sev2 INC-7`, and our own name."""
    first = tokens[0]
    if first.text.lower() in _OUR_NAMES and len(tokens) > 1:  # `/im /im status`
        return _in_order(tokens[1:])
    if first.quoted:
        return tokens
    if incident_key(first.text.rstrip(":,"), bare=False):
        if len(tokens) == 1:
            return (Token("status"), first)
        verb = tokens[1].text.lower().rstrip(":,!")
        return (tokens[1], first, *tokens[2:]) if verb in BY_WORD else tokens
    if severity_of(first.text) is not None:
        rest = tokens[1:]
        if not rest or (len(rest) == 1 and incident_key(rest[0].text, bare=False)):
            return (Token("severity"), *rest, first)
    return tokens


def _nearest(word: str, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return what was probably meant: whole lines where only the first word is wrong, else names of commands."""
    rest = joined(tokens[1:])
    if severity_of(tokens[0].text) is not None:
        return _lines(f"declare {joined(tokens)}")
    if line := SAID_FOR.get(word):
        incident, _ = take_incident(tokens[1:])
        return _lines(line.format(incident=incident or "", rest=rest))
    near = get_close_matches(word, BY_WORD, n=3, cutoff=NEARNESS)
    names = tuple(dict.fromkeys(BY_WORD[name].name for name in near))
    if rest and near and len(get_close_matches(word, near, n=1, cutoff=_SURELY)) == 1:
        return _lines(f"{names[0]} {rest}")
    return names or ("help",)


def _lines(line: str) -> tuple[str, ...]:
    text = " ".join(line.replace("`", "'").split())
    return ((text if len(text) <= LINE_LIMIT else text.partition(" ")[0]) or "help",)


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
            raise Misread(_unknown_flag(verb, name, names))
        if not flag.takes_value:
            flags[flag.name] = ("",)
            continue
        if not equals:
            if not queue or (not queue[0].quoted and queue[0].text.startswith("--")):
                raise Misread(f"--{flag.name} needs a value: {flag.meaning}")
            value = queue.pop(0).text
        flags[flag.name] = (*flags.get(flag.name, ()), value)
    return Words(tuple(plain), flags)


def _unknown_flag(verb: Verb, name: str, names: Mapping[str, Flag]) -> str:
    near = get_close_matches(name.lower(), names, n=1, cutoff=NEARNESS)
    if near:
        return f"{verb.name} knows no --{name}. Did you mean --{names[near[0]].name}?"
    return f"{verb.name} knows no --{name}. Put it in quotes if it belongs to the text."


def usage(verb: Verb, command: str, *, flags: bool = True) -> str:
    """Return one line that shows how to type a command, for instance `/im ack [INC-7] [note]`."""
    shown = " ".join(f"[--{flag.name}{' …' if flag.takes_value else ''}]" for flag in verb.flags)
    return " ".join(filter(None, (command, verb.name, verb.usage, shown if flags else "")))


def overview(command: str, group: str) -> str:
    """Return the commands of a group, one line each (Markdown)."""
    return "\n".join(
        f"- `{usage(verb, command, flags=False)}`: {verb.summary}" for verb in VERBS if verb.group == group
    )


def help_text(command: str, topic: str = "") -> str:
    """Return the help (Markdown), generated from the table: all commands, or the one that `topic` names."""
    verb = BY_WORD.get(topic)
    if verb is None:
        first = "" if not topic else "There is no such command. "
        groups = "\n\n".join(f"**{group}**\n\n{overview(command, group)}" for group in GROUPS)
        return f"{first}What you can type:\n\n{groups}\n\n{CLOSING.format(command=command)}"
    lines = [f"**{verb.summary}**", "", f"`{usage(verb, command)}`"]
    if verb.aliases:
        lines += ["", f"Also: {', '.join(verb.aliases)}"]
    if verb.flags:
        lines += ["", *(f"- `--{flag.name}`: {flag.meaning}" for flag in verb.flags)]
    if verb.examples:
        lines += ["", *(f"Example: `{command} {example}`" for example in verb.examples)]
    return "\n".join(lines)


CLOSING: Final = (
    "In an incident's own channel its key may be left out. `{command} help task` tells more of one command."
)

__all__ = [
    "BY_WORD",
    "CLOSING",
    "GROUPS",
    "VERBS",
    "Flag",
    "Parsed",
    "Verb",
    "Words",
    "help_text",
    "incident_key",
    "overview",
    "parse",
    "usage",
]

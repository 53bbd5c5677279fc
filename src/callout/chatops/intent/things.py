"""What words name: incidents, severities, tickets, roles; and words that stand for one another. Pure."""

from __future__ import annotations

from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Tape
from callout.chatops.intent.shapes import KEY, SEVERITY, TICKET
from callout.chatops.intent.spans import take_period
from callout.chatops.intent.spelling import Speller

SPELLER: Final = Speller(lexicon.VOCABULARY, lexicon.ERRORS)
_INCIDENTS: Final = frozenset({"inc", "incident", "incidnet", "inicdent", "incedent"})
_NUMBERED: Final = lexicon.words_of("- # no nr num number . id")
_NUMBERED_LIMIT: Final = 3
_LONGEST_KEY: Final = 9
"""An `inc` with more digits in one word is ServiceNow's."""
_OUTSIDE: Final = frozenset({"INTEG", "ticket", "issue", "case", "pr", "request"})
_ELSEWHERE: Final = frozenset({"from", "in", "at"})


def take_word(tape: Tape, low: str) -> None:
    """Take the next token, which is a word, with those after it that name one thing with it."""
    if low.endswith("'s") and KEY.fullmatch(low[:-2]):
        low = low[:-2]
    if not (
        _incident(tape, low)
        or _severity(tape, low)
        or _ticket(tape, low)
        or take_period(tape)
        or _several(tape, low)
    ):
        _plain(tape, low)


# --------------------------------------------------------------------------------- incidents, severities, tickets


def _incident(tape: Tape, low: str) -> bool:
    if match := KEY.fullmatch(low):
        if low.startswith("inc") and low[3:].isdigit() and len(low) > _LONGEST_KEY:
            return False
        tape.take("INC", value=f"INC-{match.group(1)}")
        return True
    if low.startswith("#") and low[1:].isdigit() and KEY.fullmatch("inc" + low[1:]):
        outside = tape.before() in _OUTSIDE or (
            tape.low(1) in _ELSEWHERE and lexicon.SAME.get(tape.low(2)) == "INTEG"
        )
        tape.take("TICKET" if outside else "INC", value=low if outside else f"INC-{low[1:]}")
        return True
    if low not in _INCIDENTS:
        return False
    digits, taken = _number_at(tape, 1)
    if digits:
        tape.take("INC", 1 + taken, f"INC-{digits}")
    elif low == "inc":
        tape.take("inc")
    return bool(digits) or low == "inc"


def _number_at(tape: Tape, ahead: int) -> tuple[str, int]:
    """Return the number (`12`, `#12`, `number 12`) that stands `ahead` tokens on, and how many tokens it takes."""
    skipped = 0
    while skipped < _NUMBERED_LIMIT and tape.low(ahead + skipped) in _NUMBERED:
        skipped += 1
    digits = tape.low(ahead + skipped).removeprefix("#")
    if KEY.fullmatch("inc" + digits) and tape.low(ahead + skipped + 1) not in lexicon.UNITS:
        return digits, skipped + 1
    return "", 0


_SEVERITIES: Final = frozenset({"sev", "severity", "priority", "prio", "severtiy", "serverity"})
_WRITTEN: Final = {
    **{str(number): f"SEV-{number}" for number in range(1, 5)},
    **{word: f"SEV-{lexicon.NUMBERS[word]}" for word in ("one", "two", "three", "four")},
}
_OF_LEVELS: Final = frozenset({"severity", "sev", "priority"})


def _severity(tape: Tape, low: str) -> bool:
    if match := SEVERITY.fullmatch(low):
        one, other, word = match.groups()
        tape.take("SEV", value=f"SEV-{one or other or lexicon.NUMBERS[word]}")
        return True
    if low in _SEVERITIES or SPELLER.correct(low) == "severity":
        skip = 1 if tape.low(1) in {"-", ":", "="} else 0
        written = tape.low(1 + skip)
        if value := _WRITTEN.get(written) or lexicon.LEVELS.get(written):
            tape.take("SEV", 2 + skip, value, values=(low,))
            return True
    return _level(tape, low)


def _level(tape: Tape, low: str) -> bool:
    """Take `high`, `high severity` and `high-priority`."""
    level, _, rest = low.partition("-")
    if level not in lexicon.LEVELS or (rest and rest not in _OF_LEVELS):
        return False
    value = lexicon.LEVELS[level]
    if rest:
        tape.take("SEV", value=value)
    elif tape.low(1) in _OF_LEVELS | {"prio"}:
        tape.take("SEV", 2, value)
    else:
        tape.take("LEVEL", value=value)
    return True


_TICKETS: Final = frozenset({"ticket", "issue", "case", "INTEG", "request"})
_LED_BY: Final = frozenset({"ticket", "issue", "INTEG", "link"})


def _ticket(tape: Tape, low: str) -> bool:
    raw = tape.raw()
    if TICKET.fullmatch(low):
        is_one = raw[: raw.find("-")].isupper() or raw[:3].isupper() or tape.before() in _LED_BY
    else:
        named = _TICKETS & {tape.before(), tape.before(2)} and tape.before() in _TICKETS | {
            "number",
            "no",
            "nr",
        }
        is_one, raw = bool(low.isdigit() and len(low) > 1 and named), low
    if is_one:
        tape.take("TICKET", value=raw)
    return is_one


# --------------------------------------------------------------------------------------- several words for one

_COMMANDERS: Final = frozenset({"commander", "ic", "cmdr", "comander", "commader"})
_PAIRS: Final = {
    **dict.fromkeys(
        (("incident", "commander"), ("incident", "comander"), ("incident", "lead")), ("ROLE", "commander")
    ),
    **dict.fromkeys((("in", "charge"), ("in", "command")), ("ROLE", "commander")),
    ("on", "call"): ("oncall", ""),
    ("re", "open"): ("reopen", ""),
    ("re", "opened"): ("reopened", ""),
    ("service", "now"): ("INTEG", "servicenow"),
    ("action", "item"): ("task", ""),
    ("action", "point"): ("task", ""),
    ("customer", "facing"): ("AUD", "customer"),
    ("customer", "visible"): ("AUD", "customer"),
}
_ROLES: Final = {
    **dict.fromkeys(("comms", "communications", "communication"), "communications"),
    **dict.fromkeys(("ops", "operations"), "operations"),
    "scribe": "scribe",
}
_HOLDERS: Final = frozenset({"lead", "officer", "manager", "person", "owner", "guy"})


def _several(tape: Tape, low: str) -> bool:
    """Take what two or three words name together."""
    after = tape.low(1)
    if low in _COMMANDERS:
        tape.take("ROLE", value="commander")
    elif low in _ROLES:
        tape.take("ROLE", 1 + (after in _HOLDERS), _ROLES[low])
    elif (low, after) in _PAIRS:
        kind, value = _PAIRS[low, after]
        tape.take(kind, 2, value)
    else:
        return _thanks(tape, low)
    return True


_THANKS: Final = frozenset({"thanks", "thx", "ty"})
_THANKED: Final = frozenset({"you", "u", "thanks", "thx"})
_SO_MUCH: Final = tuple(
    tuple(words.split())
    for words in (
        "a lot",
        "so much",
        "very much",
        "in advance",
        "a million",
        "a bunch",
        "much",
        "everyone",
        "all",
        "guys",
    )
)


def _thanks(tape: Tape, low: str) -> bool:
    """Take `thank you very much`, `thanks a lot`, `many thanks` as one."""
    taken = 1 if low in _THANKS else 2
    if low not in _THANKS and (low not in {"thank", "many"} or tape.low(1) not in _THANKED):
        return False
    for words in _SO_MUCH:
        if all(tape.low(taken + at) == word for at, word in enumerate(words)):
            taken += len(words)
            break
    tape.take("thanks", taken)
    if tape.before(2) == "and":  # `close it, and thank you`
        del tape.found[-2]
    return True


# -------------------------------------------------------------------------------------------------- single words

_VALUES_FOLLOW: Final = frozenset({"to", "as", "at", "from", "is", ":", "severity"})
_ANY: Final = lexicon.words_of("a an any some every another one new each")
_ROLE_WORDS: Final = frozenset({"commander", "communications", "scribe", "operations"})


def _plain(tape: Tape, low: str) -> None:
    if low in lexicon.AUDIENCES:
        tape.take("AUD", value=lexicon.AUDIENCES[low])
    elif low in lexicon.PARTS:
        tape.spread(lexicon.PARTS[low])
    elif "'" in low:
        _apostrophe(tape, low)
    elif (word := SPELLER.correct(low)) in lexicon.PARTS:
        tape.spread(lexicon.PARTS[word])
    else:
        _single(tape, low, word)


def _single(tape: Tape, low: str, word: str) -> None:
    """Take a word by what it is `low` and, corrected, as `word`."""
    kind = lexicon.SAME.get(word, word)
    if kind in _ROLE_WORDS:
        tape.take("ROLE", value=kind)
    elif kind == "INTEG":
        tape.take("INTEG", value=word.replace("service-now", "servicenow"))
    elif kind in tape.hearing.bot_names and _greeted_only(tape):
        tape.take("BOT")
    elif low == "one" and tape.before() not in _VALUES_FOLLOW:
        tape.take("one")
    elif low in _WRITTEN:
        tape.take("NUM", value=_WRITTEN[low])
    else:
        tape.take(kind, value="any" if kind == "incident" and tape.before() in _ANY else "")


def _greeted_only(tape: Tape) -> bool:
    return all(item.kind in lexicon.FILLERS | lexicon.GREETINGS | {"BOT", ","} for item in tape.found)


def _apostrophe(tape: Tape, low: str) -> None:
    stem, _, _ = low.partition("'")
    ending = low[len(stem) :]
    if ending == "'t" and stem.endswith("n"):
        tape.spread((stem[:-1], "not"))
    elif ending in lexicon.ENDINGS and (ending != "'s" or stem in lexicon.SUBJECTS):
        tape.spread((stem, lexicon.ENDINGS[ending]))
    else:
        tape.take(lexicon.SAME.get(stem, stem) if ending == "'s" else low)

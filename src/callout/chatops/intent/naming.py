"""People who are named without a mark: `assign INC-4 to Maria Lopez`. Pure.

A name is only looked for where everything else is understood already, so a word that is none cannot make a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.patterns import SEEN
from callout.chatops.intent.spelling import REAL_WORDS

WORDS_LIMIT: Final = 3
"""Names have no more words than this."""
SHORTEST: Final = 3
_NOT_PEOPLE: Final = (
    lexicon.VOCABULARY
    | lexicon.PREPOSITIONS
    | frozenset(lexicon.NUMBERS)
    | lexicon.words_of("""
        monday tuesday wednesday thursday friday saturday sunday january february march april june july august september
        october november december support security platform network database networking infra infrastructure backend frontend
        engineering billing finance legal marketing sales management devops oncall on-call operations development product
        helpdesk desk everybody everyone whoever nobody callout slack teams google amazon microsoft azure aws redis kafka
        postgres kubernetes linux windows engineers developers customers vendor provider north south east west
        the this that these those his her their our your its and or but not who what
        """)
)
"""Words that begin with a capital letter and name nobody."""


def with_names(items: Sequence[Item], reading: Reading) -> list[Item]:
    """Return the items with words that are written as names (`Maria Lopez`) as people; the first word is never one."""
    found: list[Item] = []
    run: list[Item] = []
    for at, item in enumerate(items):
        if at and _is_name(item, reading):
            run.append(item)
            continue
        found += _person(run, reading)
        run = []
        found.append(item)
    return [*found, *_person(run, reading)]


def with_plain_name(items: Sequence[Item], reading: Reading) -> list[Item]:
    """Return the items with the one word that can only be a name in small letters (`assign INC-4 to priya`) as a person.

    Unchanged where no word is one, or two are: then it is not known who is meant.
    """
    at = [
        at
        for at, item in enumerate(items)
        if at and _may_be_a_name(item, reading) and _stands_for_one(items, at)
    ]
    if len(at) != 1:
        return list(items)
    item = items[at[0]]
    named = Item("PERSON", item.start, item.end, reading.text(item.start, item.end))
    return [*items[: at[0]], named, *items[at[0] + 1 :]]


def _may_be_a_name(item: Item, reading: Reading) -> bool:
    written = reading.text(item.start, item.end)
    return (
        SHORTEST <= len(written) <= LONGEST
        and written.isalpha()
        and item.kind == written.lower()
        and item.kind not in _NOT_PEOPLE | SEEN | REAL_WORDS | _COMMON_WORDS
        and not item.kind.endswith(("ing", "tion", "ment", "ness", "ity", "ers", "ware", "able", "less"))
    )


def _stands_for_one(items: Sequence[Item], at: int) -> bool:
    """Whether a name can stand here: `give it a rest` and `to the dogs` name nobody, nor does `bobs team` one person."""
    after = items[at + 1].kind if at + 1 < len(items) else ""
    return items[at - 1].kind not in lexicon.ARTICLES and after not in {
        "team",
        "guys",
        "folks",
        "people",
        "'",
    }


LONGEST: Final = 14
_COMMON_WORDS: Final = lexicon.words_of(
    """
    him her them it he she they you us we one ones else other others another same first last next none all both each every
    any some somebody someone anybody anyone nobody noone everybody everyone whoever whomever whatever something anything
    nothing everything self itself himself herself themselves myself yourself

    team teams dev devs dba dbas sre sres admin admins ops devops infra eng engineer engineering helpdesk desk support service
    security platform backend frontend network database databases data billing finance legal marketing sales management manager
    boss lead leads chief cto ceo cio vp director head owner intern interns trainee vendor vendors provider supplier partner
    customer customers client clients user users people folks guys guy man woman dude mate colleague colleagues staff crew squad
    group rotation rota shift
    tbd tba nightshift dayshift duty primary secondary backup tertiary level tier line next oncall pager bot callout robot machine
    computer system systems tool tools server servers app apps site api web mobile cloud prod production staging test testing

    god pope satan santa devil jesus heaven hell trash bin garbage void hr it qa uk usa

    today tonight tomorrow yesterday now later soon then again instead maybe perhaps please monday tuesday wednesday thursday
    friday saturday sunday morning noon evening night week month year january february march april may june july august
    september october november december hour hours minute minutes day days moment time

    yes no not never ever always often still yet also too very much more less most least many few lot lots only even just
    here there where when why how what which who whom whose this that these those the and or but nor for from with without
    about above across after against along among around before behind below beneath beside between beyond down during except
    inside into like near off onto out outside over past since through till until toward under until up upon via within

    done open closed resolved mitigated acked fixed broken down dead alive good bad better worse best worst big small large
    little old new young long short high low medium critical urgent important minor major severe easy hard fast slow right
    wrong true false ready free busy late early hot cold full empty quiet loud green red yellow blue black white

    be am is are was were been being have has had do does did can could will would shall should might must go goes went gone
    come came get got give gave given take took taken make made see saw seen know knew known think thought say said tell told
    ask asked use used want wanted need needed try tried find found put set keep kept let begin began seem help show heard play
    run ran move live believe hold bring happen write wrote provide sit stand lose pay meet include continue learn change lead
    understand watch follow stop create speak read allow add spend grow open walk win offer remember love consider appear buy
    wait serve die send expect build stay fall cut reach kill remain review handle own drop dump

    issue issues problem problems bug bugs ticket tickets task tasks note notes incident incidents alert alerts alarm alarms
    outage error errors failure fix fixes change changes deploy release rollback patch root cause reason report reports call
    calls bridge channel thread room list lists board queue backlog sprint page pages status severity title role roles command
    plan step steps case thing things stuff part place way point side end start work works job jobs fire water food coffee
    pizza lunch dinner home office house car cat dog money world life country company business government number name names
    word words question answer idea fact example
    """
)
"""Words in small letters that name nobody."""


def with_names_after(items: Sequence[Item], reading: Reading) -> list[Item]:
    """Return the items with the names that follow `for` before the first colon as people: `task for Rashid on INC-4: …`.

    As many items go in as come out before the cursor of a reader, for the first word is never a name.
    """
    end = next((at for at, item in enumerate(items) if item.kind in {":", "QUOTED", "NEWLINE"}), 0)
    led = next((at for at in range(end) if items[at].kind == "for"), end)
    return [*items[:led], *with_names(items[led:end], reading), *items[end:]]


def _person(run: list[Item], reading: Reading) -> list[Item]:
    if not run or len(run) > WORDS_LIMIT:
        return run
    start, end = run[0].start, run[-1].end
    return [Item("PERSON", start, end, reading.text(start, end))]


def _is_name(item: Item, reading: Reading) -> bool:
    written = reading.text(item.start, item.end)
    return (
        len(written) >= SHORTEST
        and written.replace("-", "").isalpha()
        and written.istitle()
        and item.kind == written.lower()
        and item.kind not in _NOT_PEOPLE
    )

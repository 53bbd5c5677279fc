"""What stands around a command: greetings, requests, wishes, thanks. It is taken off, and what it says is remembered.

Pure. Only what surely asks us to do the thing is taken off; anything else stays and keeps the phrase from acting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Item
from callout.chatops.intent.patterns import any_of, spell

REQUESTS: Final = any_of(
    """
    (would|do) you mind (to|and)
    (would|do) you mind
    mind
    (can|could|would|will|might) you [(go ahead and|be able to|be so kind (and|to|as to)|be kind enough to|be so good (and|as to))]
    (can|could|may|might) (i|we) (ask|trouble|bother) you to
    (can|could) (i|we) get you to
    would it be (possible|ok|okay) for you to
    would it be possible to
    (is there) any chance (that you|you) (could|can|would)
    any chance you (could|can|would)
    """
)
"""Asking us to do it: a question mark is part of the manners."""
WISHES: Final = any_of(
    """
    (i|we) would (like|want|wish) [you] to
    (i|we) (want|need|wish|have|request|ask|would ask|am asking|beg|require) [you] to
    (i|we) (must|have to) [to]
    (i|we) (want|need|would like) that you
    it is (necessary|needed|required|important|urgent) to
    you are (free|allowed|welcome|cleared) to
    you have (permission|my permission|my ok|green light|my blessing|ok) to
    (i|we) (allow|authorise|authorize|permit) you to
    (be|make) sure to
    do needful and
    (need|want|have|wish) [you] to
    would like to
    must
    you (may|can|might) [go ahead and]
    go ahead (and|to)
    go on and
    go and
    feel free to
    be (so|very) (kind|good|nice) (and|to|as to)
    be (kind|good) enough (to|and)
    do me favour (and|, |:)
    do me favour
    (i|we) would be [so|most] (grateful|glad|happy|thankful|obliged|pleased) if you [could|would|can]
    it would be [so|very] (great|nice|good|lovely|helpful|cool|kind|wonderful|awesome) if you [could|would|can]
    (i|we) would appreciate [it] if you (could|would|can)
    if you (could|would) [be so kind (and|to|as to)]
    if you please
    to
    """
)
"""Saying that it is to be done."""
OPENINGS: Final = any_of(
    """
    [good] (morning|evening|afternoon|day) [all|everyone|everybody|there]
    good night
    (there|all|everyone|everybody|gm) (,|!)
    excuse me [,]
    (sorry|oops|whoops|ah|argh|ugh|damn) [,]
    my bad
    (i am|we are) [so|terribly|awfully] sorry [to (disturb|bother|interrupt|trouble)] [you] [,] [but]
    sorry to (disturb|bother|interrupt|trouble) [you] [,] [but]
    one more thing
    quick one
    (yes|yep|yeah|yup|so|and|then|well|now) ,
    (yes|yep|yup)
    BOT
    EMOJI
    ,
    -
    !
    .
    :
    NEWLINE
    """
)
CLOSINGS: Final = any_of(
    """
    [,] (would|will|can|could) you
    [,] [that|it|this] would be (great|nice|good|lovely|helpful|cool|kind|wonderful|awesome|appreciated)
    [,] if you (please|would|will|do not mind|would not mind|would be so kind|would be so good)
    [,] thanks [,] (a lot|so much|much|very much|in advance|lot|you)
    [,] (many|much) thanks
    [,] much appreciated
    [,] appreciate it
    [,] (right|straight) (away|now)
    [,] right
    [,] at once
    [,] as soon as possible
    [,] for (me|us)
    [,] for good
    [,] instead
    [,] for now
    [,] from on
    [,] bye
    [,] once and for all
    [,] if possible
    [,] as well
    [,] too
    [,] then
    [,] callout
    [,] good night
    [,] good (morning|evening|day)
    BOT
    EMOJI
    ,
    -
    !
    .
    ;
    NEWLINE
    """
)
_REQUEST_CLOSING: Final = any_of("[,] (would|will|can|could) you")
_SOMEBODY: Final = any_of("(can|could|would|will) (somebody|anybody|anyone)")
_PLEASE_DO: Final = any_of("do [it|so|that|this]")
MOST: Final = 24
"""Commands are shorter than this, in items; what is longer is not taken for one."""


@dataclass(frozen=True, slots=True)
class Core:
    """What is left of a phrase. `asked`: by a request; `wished`: by a statement of the sender's will; `first`: it says I."""

    items: tuple[Item, ...]
    asked: bool = False
    wished: bool = False
    first: bool = False
    gerund: bool = False
    pleased: bool = False
    questioned: bool = False


def without_lead(items: Sequence[Item]) -> Core:
    """Return the phrase without greetings and requests before it. Fillers inside the lead go, those after it stay."""
    rest = tuple(items)
    asked = wished = first = gerund = False
    pleased = any(item.kind == "please" for item in rest)
    for _ in range(8):
        kept = [at for at, item in enumerate(rest[:MOST]) if not _filler(item)]
        words = [rest[at] for at in kept]
        text = spell(words)
        for expression in (OPENINGS, REQUESTS, WISHES):
            match = expression.match(text)
            if match and match.end():
                break
        else:
            match, expression = _SOMEBODY.match(text), _SOMEBODY
            if not match or not _asked_to_do(words):
                skip = next(
                    (
                        at
                        for at, item in enumerate(rest)
                        if item.kind in lexicon.ARTICLES or not _filler(item)
                    ),
                    len(rest),
                )
                return Core(
                    rest[skip:], asked=asked, wished=wished, first=first, gerund=gerund, pleased=pleased
                )
        count = match.group().count(" ")
        if match.group() == "to " and not (kept[0] and rest[kept[0] - 1].kind == "please"):
            return Core(
                rest[kept[0] :], asked=asked, wished=wished, first=first, gerund=gerund, pleased=pleased
            )
        lead = words[:count]
        asked |= expression in {REQUESTS, _SOMEBODY}
        wished |= expression is WISHES
        first |= expression is WISHES and lead[0].kind in {"i", "want", "need", "would", "have", "must"}
        first = first and not any(item.kind == "you" for item in lead)
        gerund = lead[-1].kind == "mind"
        rest = rest[kept[count - 1] + 1 :]
    return Core(rest, asked=asked, wished=wished, first=first, gerund=gerund, pleased=pleased)


def _asked_to_do(words: Sequence[Item]) -> bool:
    """Whether a question to somebody ends with a word to us: `could somebody close it, @callout please do`."""
    kinds = [item.kind for item in words]
    return "BOT" in kinds[2:] and kinds[-1] in {"do", "it", "so", "that"} and "do" in kinds[-2:]


def without_tail(core: Core) -> Core:
    """Return the phrase without thanks, question marks and emoji after it."""
    items = list(core.items)
    asked, questioned = core.asked, core.questioned
    for _ in range(12):
        while items and _filler(items[-1]):
            items.pop()
        if items and items[-1].kind == "?":
            questioned = True
            items.pop()
            continue
        kept = [at for at, item in enumerate(items) if not _filler(item)][-8:]
        for start in range(max(0, len(kept) - 7), len(kept)):
            text = spell([items[at] for at in kept[start:]])
            if CLOSINGS.fullmatch(text) or (asked and _PLEASE_DO.fullmatch(text)):
                asked |= bool(_REQUEST_CLOSING.fullmatch(text))
                del items[kept[start] :]
                break
        else:
            break
    return Core(
        tuple(items),
        asked=asked,
        wished=core.wished,
        first=core.first,
        gerund=core.gerund,
        pleased=core.pleased,
        questioned=questioned,
    )


def _filler(item: Item) -> bool:
    return item.kind in lexicon.FILLERS or item.kind in {"EMOJI", "*", "_"}


def plain(items: Sequence[Item]) -> list[Item]:
    """Return the items that say something: no fillers, no emoji, no marks between words."""
    return [
        item
        for item in items
        if not _filler(item)
        and item.kind not in {",", ".", "!", ";", "-", "NEWLINE", "BOT", '"', "*", "_", "again"}
    ]

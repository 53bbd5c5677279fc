"""When Python's garbage collector looks: seldom while a program is imported, then now and then, and no more at what stays."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_USUAL = gc.get_threshold()
_SELDOM = 100_000
"""New objects between two looks. An import makes half a million that all stay; looking at them takes a fifth of its time."""
_AT_WORK: Final = (10_000, 20, 20)
"""Of a process that stays: an answer makes some thousand objects that are gone by its end, and a look at them is a twentieth of it."""


class _Pauses:
    """How many pause it now."""

    __slots__ = ("count", "lock")

    def __init__(self) -> None:
        self.count = 0
        self.lock = threading.Lock()


_pauses: Final = _Pauses()


def importing() -> None:
    """Let the collector look seldom."""
    gc.set_threshold(_SELDOM, *_USUAL[1:])


def working() -> None:
    """Let the collector look as usual again."""
    gc.set_threshold(*_USUAL)


def settled() -> None:
    """Take all there is out of the collector's rounds, since it lives as long as the process, and let it look now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_AT_WORK)


@contextmanager
def paused() -> Iterator[None]:
    """Keep the collector from looking while a page of rows is made of another: for work that ends soon and awaits nothing.

    Such a page makes some ten thousand objects that are all in use until its end. The collector would look at them every 700 objects,
    again and again at those that it has seen, and find nothing. It looks once when the last one who paused it is done.
    """
    with _pauses.lock:
        _pauses.count += 1
        gc.disable()
    try:
        yield
    finally:
        with _pauses.lock:
            _pauses.count -= 1
            if not _pauses.count:
                gc.enable()

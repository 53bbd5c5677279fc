"""The three descriptors that every program expects to have."""

from __future__ import annotations

import os


def fill() -> None:
    """Open the standard descriptors that whoever started us left closed, on nothing.

    Else the next files and sockets would get their numbers: what is printed would go there, and libuv aborts the whole program where
    it has to close one of its own under such a number, which is when it ends (`callout serve <&-`).
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


__all__ = ["fill"]

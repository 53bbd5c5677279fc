"""Named crash points: the places where a `kill -9` must lose nothing and double nothing.

Each place that matters calls :func:`crash_point` with its name. In ordinary life that is one comparison. When the environment
variable `CALLOUT_CRASH_AT` holds `NAME` or `NAME:N`, the process kills itself with SIGKILL the N-th time it comes by (the first
time when N is absent): no clean-up runs, no buffer is flushed, exactly as when the machine's owner kills it.
The list of all points is in `docs/crash-points.md`; a test compares it with the code.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "CALLOUT_CRASH_AT"
_armed, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count) if _count.isdecimal() else 1


def crash_point(name: str) -> None:
    """Die here by SIGKILL when this process was told to; otherwise do nothing."""
    global _left  # noqa: PLW0603  # one counter per process is the point
    if name != _armed:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

"""The collector looks seldom while a program is imported, and now and then, but not at what stays, when it works."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from callout.kit import collector
usual = gc.get_threshold()
collector.importing()
seldom = gc.get_threshold()
assert gc.isenabled() and seldom[0] > usual[0], seldom
collector.working()
assert gc.get_threshold() == usual
collector.importing()
collector.settled()
assert usual[0] < gc.get_threshold()[0] < seldom[0], gc.get_threshold()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
"""


PAUSED = """
import gc
from callout.kit import collector
with collector.paused():
    with collector.paused():
        assert not gc.isenabled()
    assert not gc.isenabled()  # as long as anybody wants it so
assert gc.isenabled()
try:
    with collector.paused():
        raise KeyError
except KeyError:
    pass
assert gc.isenabled()
"""


def test_paused_until_the_last_one_is_done_whatever_happened() -> None:
    done = subprocess.run([sys.executable, "-c", PAUSED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_seldom_then_as_usual_and_what_is_there_is_left_alone() -> None:
    # In a process of its own: the one of the tests has its own ways.
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

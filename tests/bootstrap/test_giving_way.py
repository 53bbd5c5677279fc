"""A worker by itself gives way to the other processes of its machine, as far as its operator says."""

from __future__ import annotations

import os

import pytest

from callout.bootstrap.settings import SettingsError, load_settings
from callout.kit.priority import give_way


@pytest.mark.parametrize("wanted", [(0,), (10,), (10, 4), (4, 10), (19, 19)])
def test_a_process_gives_way_as_far_as_is_said_and_never_less_than_before(wanted: tuple[int, ...]) -> None:
    child = os.fork()
    if not child:  # what a process gave up it does not get back
        for nice in wanted:
            give_way(nice)
        os._exit(max(0, os.nice(0)))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == max(0, os.nice(0), *wanted)


def test_how_far_is_a_setting() -> None:
    assert load_settings({}, environ={}, file=None).worker_nice == 10
    assert load_settings({}, environ={"CALLOUT_WORKER_NICE": "0"}, file=None).worker_nice == 0
    with pytest.raises(SettingsError, match="worker_nice"):
        load_settings({}, environ={"CALLOUT_WORKER_NICE": "20"}, file=None)

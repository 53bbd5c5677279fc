"""What a test leaves behind is that test's fault: it is collected at its end, not when it happens to be, which is in another test.

An HTTP session, a socket or an event loop that nobody closed warns when it is collected, and a warning fails the test that runs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def leaks_are_found_in_their_own_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Torn down after all other fixtures of a test. Pure tests (ring 1) open nothing."""
    yield
    ring = request.node.get_closest_marker("ring")
    if ring is None or ring.args != (1,):
        gc.collect()
        # What lives on, lives for long: not looked at again, the next collection takes milliseconds.
        gc.freeze()

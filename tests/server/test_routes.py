"""How routes are put together: what a request pays for that nobody asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

from callout.server.api import management, ticketing_routes
from callout.server.app import _ROUTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.dependencies.models import Dependant


def _routes() -> list[APIRoute]:
    routers = (*_ROUTERS, *management.ROUTERS, *ticketing_routes.ROUTERS)
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def _called(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for below in dependant.dependencies:
        yield from _called(below)


def test_no_request_visits_a_thread_on_its_way() -> None:
    # The framework calls whatever is no coroutine function in a thread: half a millisecond for each request.
    calls = {(route.path, call.__name__): call for route in _routes() for call in _called(route.dependant)}
    assert len(calls) > 150
    assert [where for where, call in calls.items() if not asyncio.iscoroutinefunction(call)] == []

"""What machines ask a process: whether it lives, whether it is ready, and its metrics."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PATHS: Final = ("/healthz", "/readyz", "/metrics")
Ready: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
ReadFigures: TypeAlias = Callable[[], Awaitable[Sequence[Metric]]]
"""Reads what is counted in the database, for all processes together."""


def health_routes(ready: Ready, figures: ReadFigures) -> list[Route]:
    """Return the routes of a process that answers these."""

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def is_ready(_request: Request) -> Response:
        found = await ready()
        return JSONResponse(dict(found), 200 if found.get("ready") else 503)

    async def metrics(_request: Request) -> Response:
        registry = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # one of several processes answers for all
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry) + generate_latest(_registry(await figures()))
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return [Route(path, answer) for path, answer in zip(PATHS, (alive, is_ready, metrics), strict=True)]


def create_health_app(ready: Ready, figures: ReadFigures) -> ASGIApp:
    """Return an application that answers these and nothing else: that of a process which does jobs only."""
    return Starlette(routes=health_routes(ready, figures))


def _registry(families: Sequence[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Read(families))
    return registry


class _Read:
    """Figures that were read already, as a collector."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families

"""Webhooks in, put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from callout.webhooks import Intake
from callout.webhooks.outbound import TICKETS
from callout.webhooks.pressure import Pressure, PressureLimits

if TYPE_CHECKING:
    from callout.bootstrap.core import Core


def build_intake(core: Core, kind: str) -> Intake:
    """Return the way in for webhooks; `kind` is the job that works on each of them."""
    settings = core.settings
    limits = PressureLimits(
        per_second=settings.webhooks_per_second / settings.processes,
        backlog=settings.webhook_backlog,
        backlog_of_all=settings.webhook_backlog_all,
        free_mib=settings.disk_free_mib,
    )
    file = make_url(settings.database).database if settings.embedded else None
    folder = None if not file else Path(file).parent
    pressure = Pressure(core.database, core.queue, kind, limits, folder=folder)
    return Intake(
        core.database,
        core.queue,
        subscribers=(kind,),
        wanted={TICKETS: core.outbound.interest.wanted},
        pressure=pressure,
    )

"""Looking over a whole installation: for `callout doctor`, and for the page that shows the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from callout.bootstrap.connections import Connections
from callout.bootstrap.core import build_core
from callout.bootstrap.doctor_database import check_clock, check_postgres, check_schema, check_sqlite
from callout.bootstrap.doctor_model import Diagnosis, Finding, Findings
from callout.bootstrap.doctor_place import (
    check_data_directory,
    check_keys,
    check_public_address,
    check_settings,
)
from callout.bootstrap.doctor_work import (
    check_audit,
    check_integrations,
    check_pauses,
    check_secrets,
    check_work,
)
from callout.bootstrap.memory import open_rules, remembered
from callout.kit.clock import Clock, SystemClock
from callout.storage import StorageError, open_database

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings


async def diagnose(
    settings: Settings, *, ask: bool = False, memory: bool = False, clock: Clock | None = None
) -> Diagnosis:
    """Look over the installation of `settings` from outside: it may be stopped, half there, or broken. Nothing is made or changed.

    Args:
        settings: which installation.
        ask: whether every integration's vendor is asked.
        memory: whether facts that rest on memory are listed.
        clock: ours.
    """
    clock = clock or SystemClock()
    keys, about_keys = check_keys(settings)
    usable, about_schema = await check_schema(settings)
    findings = [
        *check_settings(settings),
        *check_data_directory(settings),
        *about_keys,
        *await check_public_address(settings),
        *about_schema,
    ]
    blind = not usable or keys is None
    if usable and settings.embedded:
        findings += await check_sqlite(settings, deep=True)
    if usable and keys is not None:
        try:
            database = await open_database(settings.database, pool_size=2)
            try:
                core = build_core(settings, database, keys, clock)
                connections = Connections(core)
                try:
                    findings += await _inside(core, connections, ask=ask)
                finally:
                    await connections.close()
            finally:
                await database.close()
        except StorageError as error:
            found = Findings("database")
            found.wrong(str(error), "Look at the database's own log, then ask again.")
            findings += found.all
            blind = True
    if memory:
        findings += check_memory()
    return Diagnosis(tuple(findings), clock.now(), blind=blind)


async def diagnose_running(core: Core, connections: Connections, *, ask: bool = False) -> Diagnosis:
    """Look over the installation from inside a running server; the pages of the database's file are not read through."""
    findings = [
        *check_settings(core.settings),
        *check_data_directory(core.settings),
        *check_keys(core.settings)[1],
        *await check_public_address(core.settings),
        *(await check_schema(core.settings))[1],
    ]
    if core.settings.embedded:
        findings += await check_sqlite(core.settings, deep=False)
    findings += await _inside(core, connections, ask=ask)
    return Diagnosis((*findings, *check_memory()), core.clock.now())


async def _inside(core: Core, connections: Connections, *, ask: bool) -> list[Finding]:
    findings: list[Finding] = []
    if core.database.dialect == "postgresql":
        findings += await check_postgres(core.settings, core.database)
    findings += await check_clock(core.database, core.clock)
    findings += await check_secrets(core)
    findings += await check_work(core)
    findings += await check_audit(core)
    findings += await check_pauses(core)
    findings += await check_integrations(core, connections, ask=ask)
    return findings


def check_memory() -> list[Finding]:
    """Return, by connector, how much rests on memory, and what its quality list says is not done."""
    found = Findings("memory")
    facts = Counter(one.connector for one in remembered())
    todo = Counter(one.connector for one in open_rules())
    for name in sorted(facts.keys() | todo.keys()):
        words = f"{name}: {facts[name]} facts about the vendor rest on memory"
        if todo[name]:
            words += f", {todo[name]} rules of its quality list are not done"
        found.unknown(
            words, "`callout doctor --memory` lists them: hold them against the vendor's own documents."
        )
    return found.all


__all__ = ["check_memory", "diagnose", "diagnose_running"]

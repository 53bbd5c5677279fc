"""The services without their ways in: what the server, the worker and the command line share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from callout.access import (
    Accounts,
    Authentication,
    ChatIdentities,
    Idempotency,
    Members,
    Organizations,
    Sessions,
    SessionTimes,
    SettingsVersion,
    Tokens,
)
from callout.access.setup_links import SetupLinks
from callout.access.tries import SignInTries
from callout.audit import Audit, Sealer
from callout.bootstrap.outbound import Outbound, build_outbound
from callout.bootstrap.registry import MANIFESTS
from callout.bootstrap.responding import build_responding
from callout.bootstrap.tables import METADATA
from callout.incidents import Incidents
from callout.incidents.attachments import MIB
from callout.incidents.responding import Responding
from callout.integrations import Credentials, Health, Integrations, Pauses, Problems
from callout.jobs import Budgets, Engine, Limits, Queue, open_engine
from callout.jobs.outbox import Outbox, Subscriptions
from callout.kit.clock import Clock, SystemClock
from callout.kit.secrets import KeyRing
from callout.storage import Database, open_database
from callout.storage import migrate as migrations
from callout.storage.database import SESSIONS
from callout.sync import needs_store, returning

if TYPE_CHECKING:
    from callout.bootstrap.settings import Settings
    from callout.storage import Tx


class NotReadyError(Exception):
    """The installation cannot start as it is; the message says what to do."""

    code = "NOT_READY"


@dataclass(frozen=True, slots=True)
class Core:
    """Everything below the ways in, built once."""

    settings: Settings
    database: Database
    clock: Clock
    keys: KeyRing
    engine: Engine
    queue: Queue
    subscriptions: Subscriptions
    outbox: Outbox
    budgets: Budgets
    audit: Audit
    sealer: Sealer
    version: SettingsVersion
    organizations: Organizations
    accounts: Accounts
    members: Members
    tokens: Tokens
    authentication: Authentication
    sessions: Sessions
    setup_links: SetupLinks
    sign_in_tries: SignInTries
    identities: ChatIdentities
    idempotency: Idempotency
    integrations: Integrations
    health: Health
    pauses: Pauses
    problems: Problems
    incidents: Incidents
    responding: Responding
    outbound: Outbound


def load_keys(settings: Settings) -> KeyRing:
    """Return the encryption keys: from `CALLOUT_KEYS`, else from the key file, which is made when absent."""
    given = settings.keys.get_secret_value()
    if given:
        return KeyRing.parse(given)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return KeyRing.load_or_create(settings.data_dir / "keys")


def _make_file(file: Path) -> None:
    """Make the embedded database's file where there is none: it holds incidents, and is not for other users of this machine."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)


def require_engine(settings: Settings) -> None:
    """Raise NotReadyError where the database is PostgreSQL, and what it needs beside the default install is not there."""
    if settings.embedded:
        return
    try:
        import callout.jobs.procrastinate  # noqa: F401, PLC0415  # an optional extra
    except ImportError as error:
        raise NotReadyError(
            f"PostgreSQL needs the extra `postgres`, which is not installed ({error}):"
            " run pip install '.[postgres]' in the folder of the program, or give pip the wheel with [postgres] behind its name"
        ) from error


async def prepare_database(settings: Settings, *, migrate: bool | None = None) -> None:
    """Bring the database up to date, or say that it is not.

    The embedded database migrates by itself; a PostgreSQL one only when `migrate` is true. Raises NotReadyError.
    """
    require_engine(settings)
    if settings.embedded:
        _make_file(Path(settings.database.removeprefix("sqlite:///")))
    current, head = await migrations.current(settings.database), migrations.head()
    if migrate or (migrate is None and settings.embedded):
        if current != head:
            await migrations.upgrade(settings.database)
            current = await migrations.current(settings.database)
        if not settings.embedded:
            from callout.jobs.procrastinate import ensure_schema  # noqa: PLC0415  # an optional extra

            await ensure_schema(settings.database)
    if current != head:
        raise NotReadyError(
            f"the database is at schema {current or 'nothing'}, this program needs {head}: run `callout migrate` first"
        )


@asynccontextmanager
async def open_core(
    settings: Settings, *, clock: Clock | None = None, name: str = SESSIONS
) -> AsyncIterator[Core]:
    """Open the database and build the services; close it at the end. Raises NotReadyError, StorageUnavailableError.

    `name` is what the database calls our sessions.
    """
    keys = load_keys(settings)
    await prepare_database(settings)
    database = await open_database(settings.database, pool_size=settings.pool_size, name=name)
    try:
        core = build_core(settings, database, keys, clock or SystemClock())
        await database.transaction(lambda tx: _first_start(core, tx))
        yield core
    finally:
        await database.close()


def build_core(settings: Settings, database: Database, keys: KeyRing, clock: Clock) -> Core:
    """Build the services over an open database whose schema is up to date."""
    engine = open_engine(database)
    queue = Queue(engine, clock=clock)
    subscriptions = Subscriptions()
    outbox = Outbox(queue, subscriptions, clock=clock)
    audit = Audit(clock)
    audit.listen(needs_store.audited)
    audit.listen(returning.audited(queue))
    version = SettingsVersion()
    members = Members(clock, audit, version)
    authentication = Authentication(clock)
    tokens = Tokens(clock, audit, version)
    integrations = Integrations(
        clock,
        audit,
        version,
        tokens=tokens,
        credentials=Credentials(clock, audit, version, keys),
        keys=keys,
        manifests=MANIFESTS,
    )
    incidents = Incidents(
        clock=clock,
        audit=audit,
        outbox=outbox,
        attachment_limit=settings.attachment_mib * MIB,
        roles=settings.roles,
    )
    return Core(
        settings=settings,
        database=database,
        clock=clock,
        keys=keys,
        engine=engine,
        queue=queue,
        subscriptions=subscriptions,
        outbox=outbox,
        budgets=Budgets(
            engine,
            clock=clock,
            default=Limits(),
            slot_lease=timedelta(seconds=2 * settings.takeover_seconds),
        ),
        audit=audit,
        sealer=Sealer(keys, clock),
        version=version,
        organizations=Organizations(clock, audit),
        accounts=Accounts(clock, audit, version),
        members=members,
        tokens=tokens,
        authentication=authentication,
        sessions=Sessions(
            clock,
            audit,
            authentication,
            times=SessionTimes(
                idle=timedelta(hours=settings.session_idle_hours),
                whole=timedelta(days=settings.session_days),
                openid=timedelta(hours=settings.oidc_session_hours),
            ),
        ),
        setup_links=SetupLinks(clock, audit, members),
        sign_in_tries=SignInTries(clock),
        identities=ChatIdentities(clock, audit, members),
        idempotency=Idempotency(clock),
        integrations=integrations,
        outbound=build_outbound(
            settings, clock, audit=audit, keys=keys, queue=queue, integrations=integrations
        ),
        health=Health(clock),
        pauses=Pauses(clock, audit, version),
        problems=Problems(clock),
        incidents=incidents,
        responding=build_responding(
            clock, audit, incidents=incidents, members=members, integrations=integrations, queue=queue
        ),
    )


async def _first_start(core: Core, tx: Tx) -> None:
    await core.organizations.ensure(tx)
    await core.accounts.ensure_default(tx)


__all__ = ["METADATA", "Core", "NotReadyError", "build_core", "load_keys", "open_core", "prepare_database"]

"""`callout backup`, `callout restore` and `callout resume`: a copy while everything runs, putting it back, and going on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.run import data_option, json_option, run, settings_of, with_core

if TYPE_CHECKING:
    from callout.bootstrap.backup import Manifest, Restored
    from callout.bootstrap.core import Core
    from callout.bootstrap.import_quiet import Resumed

_IDLE = ("audit.", "schedule", "retention.", "integrations.watch", "sync.poll", "incident.clock")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE)
@data_option
@json_option
def backup(file: Path, data_dir: Path | None, *, as_json: bool) -> None:
    """Write everything but the encryption keys to FILE, as it is at one moment, while the product runs."""
    settings = settings_of({"data_dir": data_dir, "log_level": "warning"})

    async def make() -> Manifest:
        from callout.bootstrap.backup import make_backup

        return await make_backup(settings, file)

    made = run(make)
    if as_json:
        click.echo(json.dumps({"file": str(file), **made.to_json()}))
        return
    incidents = made.counts.get("incident", 0)
    click.echo(
        f"{file}: {made.database} at schema {made.schema}, {incidents:,} incidents, {made.size / (1 << 20):,.1f} MiB"
    )
    click.echo(f"all that was acknowledged before {made.begun_at:%Y-%m-%d %H:%M:%S} UTC is in it")
    click.echo(f"the keys are not ({', '.join(made.keys)}): keep them too, and elsewhere")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Put aside what is there; else the database must be empty.")
@click.option(
    "--skip-numbers",
    type=click.IntRange(0, 1_000_000),
    default=100,
    show_default=True,
    help="Leave out so many incident numbers, which may have been given since the backup.",
)
@data_option
@json_option
def restore(file: Path, skip_numbers: int, data_dir: Path | None, *, replace: bool, as_json: bool) -> None:
    """Put the backup in FILE in place, with everything held back that would go out: nothing may be running."""
    settings = settings_of({"data_dir": data_dir, "log_level": "warning"})

    async def put() -> Restored:
        from callout.bootstrap import backup as backups

        return await backups.restore(settings, file, replace=replace, skip_numbers=skip_numbers)

    done = run(put)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "manifest": done.manifest.to_json(),
                    "migrated_to": done.migrated_to,
                    "put_aside": done.put_aside,
                    "secrets": done.secrets.opened,
                    "unreadable": [one.whose for one in done.secrets.unreadable],
                    "waiting": dict(done.waiting),
                    "endpoints_off": done.endpoints,
                    "doubtful": dict(done.doubtful),
                }
            )
        )
        return
    _tell(done)


def _tell(done: Restored) -> None:
    made = done.manifest
    click.echo(
        f"restored: {made.counts.get('incident', 0):,} incidents as of {made.begun_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if done.migrated_to:
        click.echo(f"migrated from schema {made.schema} to {done.migrated_to}")
    if done.put_aside:
        click.echo(f"what was there before is kept as {done.put_aside}; remove it when you need it no more")
    click.echo(f"{done.secrets.opened} stored secrets can be read")
    for one in done.secrets.unreadable:
        click.echo(f"  cannot be read: {one.whose}: {one.why}", err=True)
    click.echo("held: nothing is written to tickets or chats, nobody is called, no webhook is sent")
    work = {kind: number for kind, number in done.waiting.items() if not kind.startswith(_IDLE)}
    for kind, number in sorted(work.items()):
        click.echo(f"  {kind}: {number} waited when the backup was made, and may have been done since")
    for what, number in done.doubtful.items():
        if number:
            click.echo(
                f"  {number} {what} were still to be made: they are looked for before, or wait for somebody"
            )
    if done.endpoints:
        click.echo(f"  {done.endpoints} webhook endpoints are switched off")
    click.echo("now:")
    click.echo(
        "  1. `callout serve`: webhooks and polling bring what tickets became meanwhile; everybody signs in anew"
    )
    click.echo(
        "  2. look at incidents since then in tickets and chats; declare again those that are missing here"
    )
    click.echo(
        "  3. revoke tokens again that were revoked since; connect again what says its sign-in has ended"
    )
    click.echo(
        "  4. `callout doctor --ask`, then `callout resume` (`--drop-deliveries`: without webhooks that waited)"
    )


@click.command()
@click.option(
    "--drop-deliveries", is_flag=True, help="Drop the webhook deliveries that waited; else send them."
)
@data_option
@json_option
def resume(data_dir: Path | None, *, drop_deliveries: bool, as_json: bool) -> None:
    """Let go what a restore or an import holds.

    After a restore: end the pause of all writes, switch webhook endpoints on. After an import: switch integrations on, those whose
    credentials were entered again; exit code 1 while some stay off.
    """

    async def work(core: Core) -> tuple[int | None, Resumed]:
        from callout.bootstrap import backup as backups
        from callout.bootstrap import import_quiet
        from callout.ports.errors import NotFoundError

        back = await core.database.transaction(lambda tx: import_quiet.resume(core, tx))
        try:
            number = await core.database.transaction(
                lambda tx: backups.resume(core, tx, send_held=not drop_deliveries)
            )
        except NotFoundError:
            if not back.on and not back.off:
                raise
            return None, back
        return number, back

    number, back = with_core({"data_dir": data_dir}, work)
    if as_json:
        told = {"writes_go_on": number is not None, "endpoints_on": number or 0}
        click.echo(json.dumps({**told, "integrations_on": back.on, "integrations_off": dict(back.off)}))
    else:
        if number is not None:
            click.echo("writes go on" + (f"; {number} webhook endpoints are on again" if number else ""))
        if back.on:
            click.echo(f"on again: {', '.join(back.on)}")
        for name, why in back.off.items():
            click.echo(f"{name} stays off: {why}", err=True)
    if back.off:
        sys.exit(1)

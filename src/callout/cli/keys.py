"""`callout keys`: the encryption keys of stored credentials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.run import data_option, fail, settings_of, with_core

if TYPE_CHECKING:
    from callout.bootstrap.core import Core


@click.group()
def keys() -> None:
    """Make and rotate encryption keys."""


@keys.command()
@data_option
def rotate(data_dir: Path | None) -> None:
    """Add a new key to the key file and seal every credential with it, while the product runs.

    Running processes find the new key in the file by themselves. With `CALLOUT_KEYS` the operator adds the key there and restarts
    every process first; this command then only seals anew.
    """
    settings = settings_of({"data_dir": data_dir, "log_level": "warning"})
    if not settings.keys.get_secret_value():
        from callout.kit.secrets import KeyFileError, KeyRing

        path = settings.data_dir / "keys"
        try:
            KeyRing.load_or_create(path).with_new_primary().save(path, replace=True)
        except KeyFileError as error:
            fail(str(error))

    async def rewrap(core: Core) -> tuple[int, str]:
        done = await core.database.transaction(core.integrations.rewrap)
        done += await core.database.transaction(core.outbound.endpoints.rewrap)
        # The audit's head too: it must stay genuine when the old key is gone.
        done += await core.database.transaction(core.sealer.resign)
        return done, core.keys.primary

    done, primary = with_core({"data_dir": data_dir}, rewrap)
    click.echo(f"key {primary} is in use; {done} records were sealed anew")
    click.echo("keep the old key as long as there are backups that need it")

"""`callout audit`: is the record of who did what still whole?"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.run import data_option, fail, json_option, with_core

if TYPE_CHECKING:
    from callout.bootstrap.core import Core


@click.group()
def audit() -> None:
    """Verify the audit record."""


@audit.command()
@click.option(
    "--head",
    "expected",
    type=click.Path(exists=True, path_type=Path),
    help="A head exported earlier, to compare with.",
)
@data_option
@json_option
def verify(expected: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Check every sealed row against the chain and its signed head."""
    exported = None if expected is None else json.loads(expected.read_text(encoding="utf-8"))

    async def check(core: Core) -> Any:
        from callout.audit import AuditTamperedError, Head

        # A chain that cannot be sealed on is what the check is for.
        with contextlib.suppress(AuditTamperedError):
            await core.database.transaction(core.sealer.seal)
        head = None if exported is None else Head.from_json(exported)
        return await core.database.read(lambda tx: core.sealer.verify(tx, expected=head))

    result = with_core({"data_dir": data_dir}, check)
    if as_json:
        click.echo(json.dumps({"ok": result.ok, "rows": result.rows, "problems": list(result.problems)}))
    elif result.ok:
        click.echo(f"whole: {result.rows} sealed rows, the chain and its signature hold")
    if not result.ok:
        for problem in result.problems:
            click.echo(f"  {problem}", err=True)
        fail("the audit record was tampered with", remediation="Compare with a backup and an exported head.")


@audit.command()
@data_option
def head(data_dir: Path | None) -> None:
    """Print the signed head; keep it elsewhere to notice a record that was wound back as a whole."""

    async def find(core: Core) -> Any:
        await core.database.transaction(core.sealer.seal)
        return await core.database.read(core.sealer.head)

    found = with_core({"data_dir": data_dir}, find)
    click.echo(json.dumps(None if found is None else found.to_json()))

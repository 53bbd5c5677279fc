"""`callout export` and `callout import`: what the organization owns, taken from one installation to another, whatever their databases."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.in_account import in_account
from callout.cli.run import account_option, data_option, fail, json_option, run, settings_of, with_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callout.bootstrap.core import Core
    from callout.bootstrap.exporting import Exported
    from callout.bootstrap.importing import Imported
    from callout.ports.values import Origin
    from callout.storage import AccountTx

_DOUBTFUL = {
    "tickets": "tickets were being made: they are looked for before they are made",
    "channels": "chat channels were being made: make them from the incident where they are missing",
    "messages": "chat messages were being sent: they are shown as perhaps sent",
}


@contextlib.contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far it is on standard error, where somebody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--incident", "key", help="Only this incident, as Markdown (or --json), to FILE or to standard output."
)
@click.option(
    "--audience",
    type=click.Choice(["internal", "responders", "customer"]),
    default="responders",
    show_default=True,
    help="With --incident: who is going to read it.",
)
@account_option
@data_option
@json_option
def export_command(
    file: Path | None,
    key: str | None,
    audience: str,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write what the organization owns to FILE (a .tar.gz of JSON lines), without any secret, while the product runs."""
    if key is not None:
        _one(file, key, audience, account=account, data_dir=data_dir, as_json=as_json)
        return
    if file is None:
        raise click.UsageError("name the file to write, or one incident with --incident")
    _everything(file, data_dir, as_json=as_json)


def _one(
    file: Path | None, key: str, audience: str, *, account: str | None, data_dir: Path | None, as_json: bool
) -> None:
    from callout.bootstrap import one_incident
    from callout.ports.values import Audience

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> dict[str, Any]:
        return await one_incident.document(core, tx, key, Audience(audience))

    found = in_account(data_dir, account, work)
    text = json.dumps(found, indent=2) + "\n" if as_json else one_incident.markdown(found)
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        fail(
            f"{file} exists already: an export never takes the place of another",
            remediation="Name a file that is not there yet.",
        )
    except OSError as error:
        fail(
            f"{file} cannot be written: {error.strerror}",
            remediation="Name a file in a folder that you may write to.",
        )
    click.echo(f"{file}: {found['key']} for {audience}", err=as_json)


def _everything(file: Path, data_dir: Path | None, *, as_json: bool) -> None:

    async def work(core: Core) -> Exported:
        from callout.bootstrap.exporting import export

        with _bar(quiet=as_json) as progress:
            return await export(core, file, progress=progress)

    made = with_core({"data_dir": data_dir}, work)
    manifest = made.manifest
    if as_json:
        click.echo(json.dumps({"file": str(file), "sha256": made.sha256, **manifest.to_json()}))
        return
    click.echo(
        f"{file}: {manifest.rows_of('incident'):,} incidents with {manifest.rows_of('timeline_entry'):,} lines,"
        f" {manifest.rows:,} rows in all, of schema {manifest.schema}"
    )
    click.echo(f"sha256 {made.sha256}")
    if manifest.left_behind:
        click.echo(
            "work under way is not in it; where the installation is to move, let it finish and stop it first:"
        )
        for kind, number in sorted(manifest.left_behind.items()):
            click.echo(f"  {kind}: {number}")
    _tell_secrets(manifest.to_enter_again)


def _tell_secrets(lacking: tuple[Mapping[str, str], ...]) -> None:
    if not lacking:
        return
    click.echo("no secret is in it; to be entered again, or made anew:")
    for one in lacking:
        whose = one.get("integration") or one.get("endpoint")
        account = f" of {one['account']}" if one.get("account", "default") != "default" else ""
        click.echo(f"  {whose}{account}: {one['what']}" if whose else f"  {one['what']}")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@json_option
def import_command(file: Path, data_dir: Path | None, *, as_json: bool) -> None:
    """Take in the export in FILE, into an installation with nothing in it: nothing may be running.

    Everything or nothing: what fails or is killed leaves the installation empty. Integrations and webhook endpoints come in switched
    off, until `callout resume`.
    """
    settings = settings_of({"data_dir": data_dir, "log_level": "warning"})

    async def work() -> Imported:
        from callout.bootstrap.importing import import_into

        with _bar(quiet=as_json) as progress:
            return await import_into(settings, file, progress=progress)

    done = run(work)
    manifest = done.manifest
    if as_json:
        click.echo(
            json.dumps(
                {
                    "manifest": manifest.to_json(),
                    "integrations_off": done.integrations,
                    "endpoints_off": done.endpoints,
                    "escalations_stopped": done.escalations,
                    "doubtful": dict(done.doubtful),
                }
            )
        )
        return
    click.echo(
        f"imported: {manifest.rows_of('incident'):,} incidents with {manifest.rows_of('timeline_entry'):,} lines,"
        f" {manifest.rows:,} rows in all, as of {manifest.exported_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    click.echo(
        f"off: {done.integrations} integrations, {done.endpoints} webhook endpoints; nothing is written, sent or read anywhere"
    )
    if done.escalations:
        click.echo(
            f"{done.escalations} escalations were running and are stopped: call again where it is needed"
        )
    for what, number in done.doubtful.items():
        if number:
            click.echo(f"{number} {_DOUBTFUL[what]}")
    _tell_secrets(manifest.to_enter_again)
    click.echo("now:")
    click.echo("  1. stop the installation that the export is from, for good")
    click.echo(
        "  2. `callout serve`; `callout token create` to sign in, and set passwords for people on their pages"
    )
    click.echo(
        "  3. enter credentials: `callout integration set NAME --config …`, or on the integration's page"
    )
    click.echo(
        "  4. give vendors the new address of their webhooks, where it has changed (`callout integration verify`)"
    )
    click.echo(
        "  5. `callout resume`; then `callout webhook rotate NAME` shows a receiver's new secret, and `enable` lets it be told"
    )


__all__ = ["export_command", "import_command"]

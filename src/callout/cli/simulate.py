"""`callout simulate`: the real sync on a mapping, through histories of people, vendors, networks and crashes made by chance."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.run import account_option, data_option, fail, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.bootstrap.core import Core
    from callout.ports.values import Origin
    from callout.storage import AccountTx
    from callout.sync.simulate.report import Report
    from callout.sync.simulate.run import Options


@click.command()
@click.option(
    "--histories", type=click.IntRange(1), default=2_000, show_default=True, help="How many to play."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the first.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes to play in.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with an integration's sync settings, JSON or TOML.",
)
@click.option("--integration", help="Try the sync settings of this integration of the installation.")
@click.option("--stop", is_flag=True, help="End at the first history that fails.")
@click.option("--verbose", is_flag=True, help="Show the history in plain words even when nothing fails.")
@account_option
@data_option
@json_option
def simulate(
    *,
    histories: int,
    seed: int,
    jobs: int,
    mapping_file: Path | None,
    integration: str | None,
    stop: bool,
    verbose: bool,
    account: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Play histories on a mapping and check that nothing is lost, doubled or echoed.

    The real sync code runs against simulated ticketing systems, with a clock of its own. A failure is shown as a small history
    with the command that replays it; the exit code is then 1.
    """
    from callout.ports.errors import InvalidRequestError
    from callout.sync.simulate.run import Options
    from callout.sync.simulate.run import simulate as play

    if mapping_file is not None and integration is not None:
        fail("give either --mapping or --integration", code=2)
    settings: Mapping[str, Any] = {}
    if mapping_file is not None:
        settings = _read(mapping_file)
    elif integration is not None:
        settings = _settings_of(integration, account, data_dir)
    options = Options(histories, seed, jobs, settings, stop=stop)
    try:
        report = _with_progress(options, play, shown=not as_json)
    except InvalidRequestError as error:
        fail(error.message, remediation=error.remediation, code=2)
    command = _command(mapping_file, integration)
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _show(report, command)
        if verbose:
            _tell(seed, settings)
    sys.exit(1 if report.failed else 0)


def _read(path: Path) -> Mapping[str, Any]:
    """Return the settings in a file; also those that lie under `sync`, as in an integration's settings."""
    try:
        text = path.read_text()
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        fail(f"{path} cannot be read: {error}", remediation="Write the settings as JSON or TOML.", code=2)
    inner = found.get("sync", found)
    if not isinstance(inner, dict):
        fail(f"{path}: sync must be an object", code=2)
    return inner


def _settings_of(name: str, account: str | None, data_dir: Path | None) -> Mapping[str, Any]:
    from callout.cli.incident import in_account

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> dict[str, Any]:
        return dict((await core.integrations.get(tx, name)).settings.get("sync", {}))

    return in_account(data_dir, account, work)


def _with_progress(
    options: Options, play: Callable[[Options, Callable[[int], None]], Report], *, shown: bool
) -> Report:
    if not shown or not sys.stderr.isatty():
        return play(options, lambda _done: None)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Playing", total=options.histories)
        return play(options, lambda done: bar.advance(task, done))


def _command(mapping_file: Path | None, integration: str | None) -> Callable[[int], str]:
    extra = f" --mapping {mapping_file}" if mapping_file else ""
    extra += f" --integration {integration}" if integration else ""
    return lambda seed: f"callout simulate --histories 1 --seed {seed}{extra}"


def _show(report: Report, command: Callable[[int], str]) -> None:
    for line in report.told():
        click.echo(line)
    for failure in report.failures:
        click.echo("")
        click.echo(failure.told(command(failure.seed)))


def _tell(seed: int, settings: Mapping[str, Any]) -> None:
    from callout.sync.simulate.histories import history
    from callout.sync.simulate.meaning import Meaning

    click.echo(f"The history of seed {seed}:")
    for line in history(seed, meaning=Meaning(settings)).told():
        click.echo(f"  {line}")

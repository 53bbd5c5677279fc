"""`callout sla` and `callout escalation`: how soon is answered, and who is called when nobody does."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, fail, json_option

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.incidents.escalation.pages import Page
    from callout.incidents.escalation.runs import Run
    from callout.incidents.response_settings import Response
    from callout.incidents.sla.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import AccountTx


@click.group()
def sla() -> None:
    """Show and set how soon incidents are acknowledged, updated and resolved."""


@click.group()
def escalation() -> None:
    """Show and set who is called when nobody answers; call them now."""


def read_document(path: Path) -> dict[str, Any]:
    """Return what a TOML or JSON file holds; ends with code 2 when it is neither."""
    try:
        text = path.read_text("utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        fail(
            f"{path} cannot be read: {error}",
            remediation="Write TOML, or JSON in a file named .json.",
            code=2,
        )
    if not isinstance(found, dict):
        fail(f"{path} holds no table of settings", code=2)
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]  # dates become text


async def _load(core: Core, tx: AccountTx, _origin: Origin) -> Response:
    return await core.responding.settings.load(tx)


@sla.command("show")
@click.argument("incident", required=False)
@account_option
@data_option
@json_option
def show_sla(incident: str | None, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show the rules, or the clocks of INCIDENT."""
    if incident is not None:
        _show_clocks(incident, account, data_dir, as_json=as_json)
        return
    from callout.incidents.sla.rules import DEFAULTS, shown

    found = in_account(data_dir, account, _load)
    if as_json:
        click.echo(json.dumps(dict(found.rules.document if found.rules_version else DEFAULTS), default=str))
        return
    click.echo("built in:" if not found.rules_version else f"version {found.rules_version}:")
    for one in shown(found.rules):
        limits = ", ".join(
            f"{name} {one[name]}" for name in ("acknowledge", "update", "resolve") if name in one
        )
        warned = f", warned at {one['warn_at']} %" if one["warn_at"] else ""
        click.echo(f"  {one['for']}: {limits or 'nothing'} ({one['hours']}{warned})")
    if not found.rules.rules:
        click.echo("  no rules: no incident has clocks")


def _show_clocks(incident: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    async def work(core: Core, tx: AccountTx, _origin: Origin) -> tuple[list[Clock], Any]:
        return list((await core.responding.levels.clocks(tx, incident)).values()), core.clock.now()

    found, now = in_account(data_dir, account, work)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "clock": one.kind.value,
                        "state": one.state(now).value,
                        "rule": one.rule,
                        "due_at": None if one.due_at is None else one.due_at.isoformat(),
                    }
                    for one in found
                ]
            )
        )
        return
    for one in sorted(found, key=lambda clock: clock.kind):
        due = "" if one.due_at is None else f", due {one.due_at:%Y-%m-%d %H:%M:%S} UTC"
        missed = f", missed {one.missed} time{'s' if one.missed > 1 else ''}" if one.missed else ""
        click.echo(f"{one.kind.value:<12} {one.state(now).value:<9} {one.rule}{due}{missed}")
    if not found:
        click.echo("no rule holds for it")


@sla.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@account_option
@data_option
def set_sla(file: Path, account: str | None, data_dir: Path | None) -> None:
    """Replace the rules by those of FILE (TOML or JSON); see docs/escalation.md."""
    document = read_document(file)

    async def work(core: Core, tx: AccountTx, origin: Origin) -> int:
        return len((await core.responding.levels.set_rules(tx, document, origin)).rules)

    made = in_account(data_dir, account, work)
    click.echo(f"{made} rule{'' if made == 1 else 's'} set")


@escalation.command("show")
@click.argument("incident", required=False)
@account_option
@data_option
@json_option
def show_escalation(
    incident: str | None, account: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Show the policies, or who was called for INCIDENT."""
    if incident is not None:
        _show_calls(incident, account, data_dir, as_json=as_json)
        return
    from callout.incidents.documents import duration_text

    found = in_account(data_dir, account, _load).policies
    if as_json:
        click.echo(json.dumps(dict(found.document), default=str))
        return
    for name, policy in found.policies.items():
        used = [str(severity) for severity, chosen in found.default.items() if chosen == name]
        click.echo(f"{name}{' for ' + ', '.join(used) if used else ''}")
        for number, step in enumerate(policy.steps, 1):
            whom = ", ".join(str(one) for one in step.targets)
            click.echo(f"  {number}. after {duration_text(step.after)}: {whom}")
        if policy.repeat:
            click.echo(f"  repeated {policy.repeat} times, {duration_text(policy.repeat_after)} later")
    if not found.policies:
        click.echo("none: nobody is called; write some and set them with: callout escalation set FILE")


def _show_calls(incident: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    async def work(core: Core, tx: AccountTx, _origin: Origin) -> tuple[Run | None, list[Page]]:
        escalations = core.responding.escalations
        return await escalations.run_of(tx, incident), await escalations.pages(tx, incident)

    run, pages = in_account(data_dir, account, work)
    if as_json:
        shown = {"escalation": run and run.to_json(), "pages": [one.to_json() for one in pages]}
        click.echo(json.dumps(shown))
        return
    if run is not None:
        following = "" if run.next_at is None else f", the next at {run.next_at:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(
            f"policy {run.policy.name}: {run.state.value}, {run.position} of {run.policy.length} steps taken{following}"
        )
    _show_pages(pages)
    if run is None and not pages:
        click.echo("nobody was called")


def _show_pages(pages: list[Page]) -> None:
    for one in pages:
        how = f" by {one.means}" if one.means else ""
        why = f": {one.why}" if one.why else ""
        click.echo(f"  {one.asked_at:%Y-%m-%d %H:%M:%S}  {one.callee.who}: {one.state.value}{how}{why}")


@escalation.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@account_option
@data_option
def set_escalation(file: Path, account: str | None, data_dir: Path | None) -> None:
    """Replace the policies by those of FILE (TOML or JSON); see docs/escalation.md."""
    document = read_document(file)

    async def work(core: Core, tx: AccountTx, origin: Origin) -> int:
        return len((await core.responding.escalations.set_policies(tx, document, origin)).policies)

    made = in_account(data_dir, account, work)
    click.echo(f"{made} polic{'y' if made == 1 else 'ies'} set")


@escalation.command("next")
@click.argument("incident")
@click.option("--policy", default="", help="Another policy than the incident's.")
@click.option("--reason", default="")
@account_option
@data_option
def next_step(incident: str, policy: str, reason: str, account: str | None, data_dir: Path | None) -> None:
    """Take the next step for INCIDENT now."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> list[Page]:
        done = await core.responding.escalations.escalate(
            tx, incident, origin=origin, policy=policy, reason=reason
        )
        return list(done.pages)

    _show_pages(in_account(data_dir, account, work))


@escalation.command("page")
@click.argument("incident")
@click.argument("target")
@click.option("--reason", default="")
@account_option
@data_option
def page(incident: str, target: str, reason: str, account: str | None, data_dir: Path | None) -> None:
    """Call TARGET for INCIDENT now: a person, a team, role:commander, #channel or oncall:INTEGRATION."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> list[Page]:
        return await core.responding.escalations.page(
            tx, incident, target=target, origin=origin, reason=reason
        )

    _show_pages(in_account(data_dir, account, work))

"""The `callout` command. Commands are imported when they are called, so that `callout --help` is instant.

Exit codes: 0 done; 1 it failed, with the reason on standard error; 2 the command line or a setting is wrong.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

import callout
from callout.cli import descriptors
from callout.kit import collector

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("callout.cli.demo:demo", "Tell the main story on the wire, with twins of Slack and Jira."),
    "serve": ("callout.cli.serve:serve", "Run the product."),
    "sandbox": ("callout.cli.sandbox:sandbox", "Run the twins of the vendors."),
    "migrate": ("callout.cli.serve:migrate", "Bring the database up to date."),
    "token": ("callout.cli.token:token", "Make and end API tokens."),
    "member": ("callout.cli.member:member", "Give members a code by which chat knows them; end that."),
    "incident": (
        "callout.cli.incident:incident",
        "Declare, read and move incidents; say who does what; decide about their tickets.",
    ),
    "team": ("callout.cli.catalogue:team", "Add, list and change teams."),
    "service": ("callout.cli.catalogue:service", "Add, list and change services."),
    "sla": ("callout.cli.responding:sla", "Show and set how soon incidents are answered."),
    "escalation": (
        "callout.cli.responding:escalation",
        "Show and set who is called when nobody answers; call them now.",
    ),
    "integration": (
        "callout.cli.integration:integration",
        "Add, list and test integrations; pause their writes.",
    ),
    "plan": ("callout.cli.plan:plan", "Check mappings against the live instances, before the first write."),
    "why": ("callout.cli.why:why", "Tell why a field of an incident has its value; take it back."),
    "simulate": (
        "callout.cli.simulate:simulate",
        "Try sync on a mapping through histories made by chance.",
    ),
    "webhook": (
        "callout.cli.webhook:webhook",
        "Add, list and test webhook endpoints; switch them off and on.",
    ),
    "deliveries": (
        "callout.cli.deliveries:deliveries",
        "List what was sent to webhooks, look into it, send it again.",
    ),
    "jobs": ("callout.cli.jobs:jobs", "List, explain, replay and discard jobs."),
    "audit": ("callout.cli.audit:audit", "Verify the audit record."),
    "doctor": ("callout.cli.doctor:doctor", "Check the whole installation, and say what to do."),
    "backup": ("callout.cli.backup:backup", "Copy everything but the keys to a file, while it runs."),
    "restore": ("callout.cli.backup:restore", "Put a backup in place, with all that would go out held back."),
    "export": (
        "callout.cli.moving:export_command",
        "Write what the organization owns to a file, without secrets.",
    ),
    "import": ("callout.cli.moving:import_command", "Take in an export, with all that would go out off."),
    "resume": ("callout.cli.backup:resume", "Let go what a restore or an import holds."),
    "keys": ("callout.cli.keys:keys", "Make and rotate encryption keys."),
    "bench": ("callout.cli.bench:bench", "Measure, as ratios in one run."),
}
"""Name → where the command is, and its line in the help."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help lines, and imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        module, _, name = found[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(callout.__version__, "-V", "--version", prog_name="callout")
def main() -> None:
    """Callout: incidents, and the tickets and chat channels they live in."""
    descriptors.fill()
    collector.importing()

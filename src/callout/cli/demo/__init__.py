"""`callout demo`: the main story on the wire, told while it happens, with twins of Slack and Jira in place of the vendors."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--check", is_flag=True, help="End by itself: exit code 0 or 1, and a last line of JSON.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the dashboard [a free one].")
@click.option("--keep", is_flag=True, help="Keep the demo's folder (database, settings, logs) at the end.")
def demo(*, check: bool, port: int, keep: bool) -> None:
    """Tell a whole incident over real HTTP, check every step, then stay up until Ctrl-C.

    Twins of Slack, Jira, ServiceNow and PagerDuty, the API and a worker run as processes of their own on a throw-away SQLite database;
    one worker is killed with `kill -9` in the middle of its work. Exit codes: 0 all went as it should, 1 a step failed, 130 and 143
    stopped by a signal.
    """
    from callout.cli.demo.run import run_demo

    sys.exit(run_demo(check=check, port=port, keep=keep))


__all__ = ["demo"]

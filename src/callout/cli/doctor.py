"""`callout doctor`: is everything as it should be, and what to do where it is not?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.run import data_option, json_option, run, settings_of

if TYPE_CHECKING:
    from callout.bootstrap.doctor_model import Diagnosis

_SIGNS = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  ", "not checked": "?      "}


@click.command()
@click.option("--ask", is_flag=True, help="Ask the vendor of every integration, side by side.")
@click.option("--memory", is_flag=True, help="List the facts about vendors that rest on memory.")
@data_option
@json_option
def doctor(data_dir: Path | None, *, ask: bool, memory: bool, as_json: bool) -> None:
    """Check database, keys, addresses, clocks, the worker and every integration; change nothing.

    Exit code 0: nothing is wrong (there may be warnings); 1: something is; 2: it cannot be told.
    """
    settings = settings_of({"data_dir": data_dir, "log_level": "error"})

    async def look() -> Diagnosis:
        from callout.bootstrap.doctor import diagnose

        return await diagnose(settings, ask=ask, memory=memory)

    found = run(look)
    if as_json:
        click.echo(json.dumps(found.to_json() | ({"memory": _memory()} if memory else {})))
    else:
        _tell(found)
        if memory:
            _tell_memory()
    sys.exit(found.exit_code)


def _tell(found: Diagnosis) -> None:
    for area, findings in found.areas.items():
        click.echo(area)
        for one in findings:
            click.echo(f"  {_SIGNS[one.verdict.value]}  {one.what}")
            if one.next:
                click.echo(f"             → {one.next}")
    told = found.to_json()
    counts = ", ".join(f"{count} {name}" for name, count in told["counts"].items() if count)
    click.echo(f"{told['verdict']}: {counts}")


def _memory() -> dict[str, list[dict[str, str]]]:
    from callout.bootstrap.memory import open_rules, remembered

    return {
        "facts": [{"connector": one.connector, "place": one.place, "fact": one.fact} for one in remembered()],
        "not_done": [{"connector": one.connector, "rule": one.rule, "why": one.why} for one in open_rules()],
    }


def _tell_memory() -> None:
    told = _memory()
    for one in told["facts"]:
        click.echo(f"{one['connector']}/{one['place']}  {one['fact']}")
    for one in told["not_done"]:
        click.echo(f"{one['connector']}  not done: {one['rule']}: {one['why']}")

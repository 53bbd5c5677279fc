"""The reference of the command line, read from the commands themselves: one page per command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import click

from callout.cli import COMMANDS, main
from scripts.docs_site.markdown import cell, literal, page, table

FOLDER: Final = "reference/cli"


def pages() -> Mapping[str, str]:
    """Return path → Markdown of every page of the reference."""
    root = click.Context(main, info_name="callout")
    made = {}
    for name, (_, line) in COMMANDS.items():
        command = main.get_command(root, name)
        assert command is not None, name
        parts = [part for path, one in walk(command, name, root) for part in told(one, path, name)]
        made[f"{FOLDER}/{name}.md"] = page(f"`callout {name}`", line, *parts)
    rows = [(f"[`callout {name}`]({name}.md)", cell(line)) for name, (_, line) in COMMANDS.items()]
    made[f"{FOLDER}/index.md"] = page(
        "Command line",
        "Read from the commands themselves. `--json` makes every answer one JSON document; `callout COMMAND --help` says the same as here.",
        table(("Command", "What"), rows),
        "Exit codes: 0 done; 1 it failed, with the reason on standard error; 2 the command line or a setting is wrong.",
        toctree(COMMANDS),
    )
    return made


def toctree(names: Mapping[str, object]) -> str:
    """Return the navigation of this folder."""
    return "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])


def walk(command: click.Command, path: str, parent: click.Context) -> Iterator[tuple[str, click.Context]]:
    """Yield a command and all below it, with the words that call them."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    yield path, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from walk(child, f"{path} {name}", context)


def told(context: click.Context, path: str, name: str) -> Iterator[str]:
    """Yield what is said about one command."""
    command = context.command
    if path != name:
        yield f"## `callout {path}`"
        yield prose(command.help or "")
    else:
        yield prose(command.help or "").removeprefix(COMMANDS[name][1])
    yield literal(command.get_usage(context).removeprefix("Usage: "))
    records = [
        record for one in command.get_params(context) if (record := one.get_help_record(context)) is not None
    ]
    yield table(
        ("Option", "What"),
        [(f"`{cell(option)}`", cell(what)) for option, what in records if option != "--help"],
    )


def prose(text: str) -> str:
    """Return a help text as Markdown: what click must not wrap stays as it is."""
    paragraphs = re.split(r"\n\s*\n", re.sub(r"^[ \t]+", "", text.strip(), flags=re.MULTILINE))
    return "\n\n".join(
        literal(one.removeprefix("\b").strip("\n")) if one.startswith("\b") else one.replace("<", "&lt;")
        for one in paragraphs
    )

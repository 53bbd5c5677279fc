"""Facts about vendors that nobody could look up when the connector was written: each is marked in the code that rests on it."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import callout.connectors

MARK: Final = re.compile(r"from memory:\s*(.*)")
_ENDS: Final = '"#. '


@dataclass(frozen=True, slots=True)
class Remembered:
    """One such fact: the connector, the file and line below its folder, and its words."""

    connector: str
    place: str
    fact: str


@dataclass(frozen=True, slots=True)
class Open:
    """A rule of a connector's quality list that it does not keep yet, and why."""

    connector: str
    rule: str
    why: str


def folders() -> list[Path]:
    """Return the connectors' folders."""
    root = Path(callout.connectors.__path__[0])
    return sorted(path.parent for path in root.glob("*/manifest.py"))


@functools.cache
def remembered() -> tuple[Remembered, ...]:
    """Return every fact that is marked in a connector's source. Read once: it does not change while we run."""
    found = []
    for folder in folders():
        for file in sorted(folder.rglob("*.py")):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                mark = MARK.search(line)
                if mark is not None:
                    place = f"{file.relative_to(folder)}:{number}"
                    fact = mark[1].strip(_ENDS) or line.strip(_ENDS)
                    found.append(Remembered(folder.name, place, fact))
    return tuple(found)


@functools.cache
def open_rules() -> tuple[Open, ...]:
    """Return what the connectors' `quality.toml` say is not done."""
    found = []
    for folder in folders():
        file = folder / "quality.toml"
        if not file.exists():
            continue
        rules = tomllib.loads(file.read_text(encoding="utf-8")).get("rules", {})
        for name, state in rules.items():
            if isinstance(state, dict) and state.get("status") == "todo":
                found.append(Open(folder.name, name, str(state.get("why", ""))))
    return tuple(found)


__all__ = ["Open", "Remembered", "folders", "open_rules", "remembered"]

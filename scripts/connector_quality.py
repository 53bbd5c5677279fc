"""The state of each connector by `quality.toml` in its folder: what it has, what is missing, and what does not apply.

What can be looked up in the code is: a file that claims what is not there is told by :func:`problems`.
"""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from callout.bootstrap.registry import MANIFESTS
from callout.ports.manifest import Manifest

ROOT: Final = Path(__file__).parents[1]
FILE: Final = "quality.toml"
DONE, TODO, EXEMPT = "done", "todo", "exempt"
EVERYWHERE: Final[Mapping[str, str]] = {
    "manifest": "described once, settings and credentials checked before use",
    "twin": "a twin of the vendor that tests and newcomers run",
    "independent-client": "the vendor's or others' own client library works against the twin",
    "no-vendor-sdk": "runs without the vendor's library",
    "errors": "the vendor's errors by a table: what happened, what to do",
    "effects": "of each write is declared what a repeat would do",
    "rate-limits": "the vendor's limits are learned from its answers and kept",
    "signatures": "signatures verified over raw bytes; two valid secrets during a rotation; replays refused",
    "oauth": "signs in by OAuth and renews its tokens",
    "uploads-streamed": "files go out without being held in memory",
    "live": "tried on a live account",
}
TICKETING: Final[Mapping[str, str]] = {
    "conformance": "passes the conformance suite",
    "polling": "polls, so that a lost webhook heals",
    "lost-answer": "finds what a lost answer may have made, before it makes it again",
    "crowded-write": "an edit in the very moment of a write is not lost in silence",
    "audience": "internal notes and public comments are kept apart, and tested so",
    "injection": "users' text in queries is harmless, and tested so",
    "webhook-registration": "makes, watches and renews its webhook there",
    "notes": "notes beside comments",
    "attachments": "files",
}
CHAT: Final[Mapping[str, str]] = {
    "install": "installs by consent in several workspaces",
    "no-public-address": "works without a public address",
    "forms": "opens forms and reads them",
    "channels": "makes and keeps channels of incidents",
    "files": "files and images both ways",
    "mentions": "users' text cannot mention or notify anybody, and tested so",
}


@dataclass(frozen=True, slots=True)
class State:
    """How a connector stands to one rule."""

    status: str
    why: str = ""


def connectors() -> list[Manifest]:
    """Return the connectors that say how they stand; what else a vendor's client serves is told with them."""
    found = [one for one in MANIFESTS.values() if one.category in {"ticketing", "chat"}]
    return sorted(found, key=lambda one: one.title)


def rules_of(manifest: Manifest) -> Mapping[str, str]:
    """Return the rules for connectors of a manifest's category, each in words."""
    return {**EVERYWHERE, **(CHAT if manifest.category == "chat" else TICKETING)}


def folder_of(manifest: Manifest) -> Path:
    """Return the folder that a provider's class lives in."""
    module: Any = importlib.import_module(_home(manifest))
    return Path(inspect.getfile(module)).parent


def _home(manifest: Manifest) -> str:
    kind = manifest.provider_class
    return kind.__module__ if kind is not None else manifest.build.__module__


def states(folder: Path) -> dict[str, State]:
    """Read a connector's file. Raises OSError, ValueError."""
    found = tomllib.loads((folder / FILE).read_text())["rules"]
    return {
        name: State(value) if isinstance(value, str) else State(value["status"], value["why"])
        for name, value in found.items()
    }


def problems(manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with the file of a connector."""
    folder = folder_of(manifest)
    try:
        told = states(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{folder / FILE} cannot be read: {error}"
        return
    rules = rules_of(manifest)
    for name in rules.keys() - told.keys():
        yield f"{manifest.provider} says nothing about {name}: {rules[name]}"
    for name in told.keys() - rules.keys():
        yield f"{manifest.provider}: there is no rule {name}"
    for name, state in told.items():
        if state.status not in {DONE, TODO, EXEMPT}:
            yield f"{manifest.provider}: {name} is {state.status!r}"
        if (state.status == DONE) is bool(state.why):
            yield f"{manifest.provider}: {name} needs a reason, unless it is done"
        there = _LOOKED_UP.get(name)
        if there is not None and name in rules and (state.status == DONE) is not there(manifest):
            yield f"{manifest.provider}: {name} is said to be {state.status}, and the code says otherwise"


def _has(*methods: str) -> Callable[[Manifest], bool]:
    return lambda manifest: all(callable(getattr(manifest.provider_class, name, None)) for name in methods)


def _twin(manifest: Manifest) -> bool:
    areas = {part for part in _home(manifest).split(".") if part not in {"callout", "connectors"}}
    twins = ROOT / "src" / "callout" / "sandbox"
    return any((twins / area / "twin.py").exists() for area in areas)


_LOOKED_UP: Final[Mapping[str, Callable[[Manifest], bool]]] = {
    "twin": _twin,
    "polling": _has("changes_since"),
    "lost-answer": _has("find_by_key"),
    "crowded-write": _has("get_ticket_with_edits"),
    "notes": _has("list_notes", "create_note"),
    "attachments": _has("create_attachment", "download_attachment"),
    "rate-limits": lambda manifest: manifest.limits is not None,
    "signatures": lambda manifest: manifest.inbound is not None or manifest.category == "chat",
}


def lacking() -> str:
    """Return what is missing, and what does not apply, by connector, as Markdown."""
    lines: list[str] = []
    for manifest in connectors():
        told = states(folder_of(manifest))
        rules = rules_of(manifest)
        open_ones = [
            f"  - {rules[name]}: {'not yet' if state.status == TODO else 'does not apply'}; {state.why}"
            for name, state in told.items()
            if state.status != DONE
        ]
        lines += [f"- {manifest.title}", *open_ones]
    return "\n".join(lines)

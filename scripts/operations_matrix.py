"""Write which ticketing provider can do what into docs/connectors/README.md; `--check` only says whether that is up to date.

    python scripts/operations_matrix.py [--check]

Nothing in it is listed by hand: operations are the methods of each provider's class, what a repeat would do is what it declares,
and the conformance row names the contracts that the tests of its folder inherit. A provider without them has no green row.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from callout.bootstrap.registry import MANIFESTS
from callout.kit.clock import SystemClock
from callout.ports.manifest import Credential, Manifest, Tools
from callout.ports.provider import OPERATIONS, Effect, Findable, Idempotent, Unknown

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "connectors" / "README.md"
BEGIN: Final = "<!-- made by scripts/operations_matrix.py: begin -->"
END: Final = "<!-- made by scripts/operations_matrix.py: end -->"
ABILITIES: Final[Mapping[str, str]] = {
    "find_by_key": "find a ticket by our key",
    "find_comment": "find a comment by our key",
    "find_attachment": "find a file by name, size and content",
    "changes_since": "poll for changes",
    "list_transitions": "read a ticket's moves",
    "field_catalogue": "plan a mapping",
    "find_person": "look people up",
}
"""Method → what sync can do with it; the unified API does not offer these."""
CONTRACTS: Final[Mapping[str, str]] = {
    "TicketContract": "tickets",
    "QueryContract": "queries",
    "OptionalContract": "options",
    "LaggingContract": "late search",
    "NormalisingContract": "changed values",
    "ManyToOneContract": "shared statuses",
    "LagContract": "index lag",
    "RemoteContract": "wire faults",
}
"""Class of the conformance suite → its word."""
NO: Final = "no"


def matrix() -> str:
    """Return the generated part of the page."""
    from scripts.connector_quality import lacking  # noqa: PLC0415  # run as a file, `scripts` is found only once its path is known

    providers = sorted((m for m in MANIFESTS.values() if m.category == "ticketing"), key=lambda m: m.title)
    suites = {manifest.provider: Suite(manifest) for manifest in providers}
    rows = [
        ["", *(f"[{m.title}]({Path(m.docs).name})" if m.docs else m.title for m in providers)],
        ["---", *("---" for _ in providers)],
        ["provider", *(f"`{m.provider}`" for m in providers)],
        ["conformance", *(suites[m.provider].words() for m in providers)],
    ]
    for operation, method in OPERATIONS.items():
        rows.append([f"`{operation}`", *(cell(m, method) for m in providers)])
    for method, words in ABILITIES.items():
        rows.append([words, *(cell(m, method) for m in providers)])
    rows.append(["webhooks", *("yes" if m.inbound is not None else NO for m in providers)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows if _says_something(row))
    return f"{table}\n\n{_replaced(providers, suites)}\n\nWhat each lacks, by its own `quality.toml`:\n\n{lacking()}"


def _says_something(row: Sequence[str]) -> bool:
    return set(row[1:]) != {NO}


def _replaced(providers: Sequence[Manifest], suites: Mapping[str, Suite]) -> str:
    lines = [
        f"- {manifest.title}: {', '.join(names)}"
        for manifest in providers
        if (names := [name.replace("_", " ") for name in suites[manifest.provider].replaced])
    ]
    if not lines:
        return "Every provider passes the suite as it is."
    head = "Where a vendor cannot do what a test of the suite asks, its own test in that place asserts how it is said instead:"
    return "\n".join([head, "", *lines])


def cell(manifest: Manifest, method: str) -> str:
    """Return whether a provider has `method` and, of a write, what a repeat would do."""
    kind = manifest.provider_class
    if kind is None or not callable(getattr(kind, method, None)):
        return NO
    effect = effects_of(manifest).get(method)
    match effect:
        case Idempotent():
            return "yes, repeatable"
        case Findable(lag=lag):
            seconds = int(lag.total_seconds())
            by = "what it is" if method == "create_attachment" else "key"
            return f"yes, found by {by} after {seconds} s" if seconds else f"yes, found by {by}"
        case Unknown():
            return "yes, in doubt after a lost answer"
        case _:
            return "yes"


def effects_of(manifest: Manifest) -> Mapping[str, Effect]:
    """Return what a provider declares of its writes; one that depends on settings is built with none."""
    found: Any = getattr(manifest.provider_class, "effects", None)
    if found is None:
        tools = Tools(http=_no_http, clock=SystemClock(), credential=Credential("none"))
        found = manifest.build(manifest.config(), tools).effects
    effects: Mapping[str, Effect] = found
    return effects


def _no_http(*_arguments: object, **_options: object) -> NoReturn:
    raise RuntimeError("a matrix is made without a network")


class Suite:
    """What of the conformance suite the tests of one provider inherit.

    `replaced` names the suite's tests in whose place they have one of their own.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.contracts: set[str] = set()
        self.replaced: list[str] = []
        module = getattr(manifest.provider_class, "__module__", "")
        for tests in _conformance_modules(module):
            for name, kind in inspect.getmembers(tests, inspect.isclass):
                if name.startswith("Test") and kind.__module__ == tests.__name__:
                    self._read(kind)

    def _read(self, kind: type) -> None:
        suite = [base for base in kind.__mro__ if base.__module__.startswith("tests.conformance")]
        self.contracts |= {base.__name__ for base in suite} & set(CONTRACTS)
        asked = {name for base in suite for name in vars(base) if name.startswith("test_")}
        own = [base for base in kind.__mro__ if base not in suite]
        for name in sorted({name for base in own for name in vars(base)} & asked):
            words = name.removeprefix("test_")
            if words not in self.replaced:
                self.replaced.append(words)

    def words(self) -> str:
        """Return the contracts in words; a missing one is a gap that a reader should see."""
        missing = [words for name, words in CONTRACTS.items() if name not in self.contracts]
        if len(missing) == len(CONTRACTS):
            return "none"
        return "all" if not missing else f"all but {', '.join(missing)}"


def _conformance_modules(provider_module: str) -> Iterator[Any]:
    """Yield the conformance tests of every folder whose files import the provider's module."""
    for path in sorted((ROOT / "tests" / "connectors").glob("*/test_conformance.py")):
        files = sorted(path.parent.glob("*.py"))
        if provider_module and any(provider_module in _imported(file) for file in files):
            yield importlib.import_module(f"tests.connectors.{path.parent.name}.test_conformance")


def _imported(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_bytes()))
    return {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def page() -> str:
    """Return the page as it should be. Raises ValueError when it has lost its markers."""
    text = PAGE.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has lost its markers")
    return f"{head}{BEGIN}\n\n{matrix()}\n\n{END}{tail}"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` compare it; return the exit code."""
    wanted = page()
    if wanted == PAGE.read_text():
        return 0
    if "--check" in arguments:
        print(f"{PAGE} is out of date: run `python scripts/operations_matrix.py`")
        return 1
    PAGE.write_text(wanted)
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main(sys.argv[1:]))

"""What the import contracts in pyproject.toml cannot say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "callout"
# The vendors' own clients: independent peers in tests, never in the product.
VENDOR_SDKS = {
    "jira",
    "slack_sdk",
    "slack_bolt",
    "pysnow",
    "pdpyras",
    "pagerduty",
    "zenpy",
    "atlassian",
    "synqly",
    "requests",
}


def imports_of(file: Path) -> Iterator[str]:
    """Every module that `file` imports, wherever in the file."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def python_files(*folder: str) -> list[Path]:
    return sorted(SOURCE.joinpath(*folder).rglob("*.py"))


def offenders(files: list[Path], *, allowed: tuple[str, ...]) -> list[str]:
    """`file: module` of each import of Callout that is not in a package of `allowed`."""
    return [
        f"{file.relative_to(SOURCE)}: {name}"
        for file in files
        for name in imports_of(file)
        if name.split(".")[0] == "callout" and not f"{name}.".startswith(allowed)
    ]


def test_twins_import_nothing_of_callout() -> None:
    assert offenders(python_files("sandbox"), allowed=("callout.sandbox.",)) == []


def test_migrations_import_nothing_of_callout() -> None:
    """A migration of last year must not change with a table of today."""
    assert offenders(python_files("storage", "migrations", "versions"), allowed=()) == []


def test_connectors_import_only_ports_kit_and_themselves() -> None:
    for folder in sorted(path for path in (SOURCE / "connectors").iterdir() if path.is_dir()):
        allowed = ("callout.ports.", "callout.kit.", f"callout.connectors.{folder.name}.")
        assert offenders(python_files("connectors", folder.name), allowed=allowed) == []


@pytest.mark.parametrize("package", sorted(path.name for path in SOURCE.iterdir() if path.is_dir()))
def test_no_vendor_sdk_at_run_time(package: str) -> None:
    used = {name.split(".")[0] for file in python_files(package) for name in imports_of(file)}
    assert used.isdisjoint(VENDOR_SDKS)

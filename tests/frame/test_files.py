"""The files themselves: readable in one sitting, honestly named, free of anybody's machine; locks that stay locks."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 500
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "stuff"}
# Pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile("|".join(("/" + "work/", "/" + "root/", "/" + "opt/pypi", "/" + "tmp/pgdev")))
LOCKS = ["build", "dev", "runtime"]
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
GENERATED = {"__pycache__", "node_modules", "dist", "build"}


def project_files(*suffixes: str) -> Iterator[Path]:
    """Our own files below the folders we write, and at the top."""
    for folder, names, files in os.walk(ROOT):
        hidden = {name for name in names if name.startswith(".") and name != ".ci"}
        names[:] = sorted(set(names) - hidden - GENERATED)
        for name in sorted(files):
            if not suffixes or name.endswith(suffixes):
                yield Path(folder, name)


def test_no_python_file_is_longer_than_one_sitting() -> None:
    # A schema is as long as it is, and its migration is written by a program.
    written = (path for path in project_files(".py") if path.parent.name != "versions")
    lengths = {path: len(path.read_text().splitlines()) for path in written}
    assert {f"{path.relative_to(ROOT)}: {n}" for path, n in lengths.items() if n > LONGEST_FILE} == set()


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in project_files(".py") if {path.stem, path.parent.name} & VAGUE_NAMES] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    texts = project_files(
        ".py", ".md", ".toml", ".txt", ".in", ".sh", ".html", ".js", ".json", "Makefile", "run"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_and_hashes_everything_and_names_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    assert not re.search(r"://|--index|--extra|--find-links|--trusted|file:| @ ", text)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [
        entry.split("\n")[0] for entry in entries if not PIN.match(entry) or "--hash=sha256:" not in entry
    ] == []


def test_what_runs_is_what_was_tested() -> None:
    pins = {lock: dict(PIN.findall((ROOT / "requirements" / f"{lock}.txt").read_text())) for lock in LOCKS}
    assert pins["runtime"].items() <= pins["dev"].items()
    assert pins["build"].items() <= pins["dev"].items()


def test_the_lock_covers_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = dict(PIN.findall((ROOT / "requirements" / "runtime.txt").read_text()))
    names = [re.split(r"[\[<>=;! ]", line)[0].lower() for line in project["project"]["dependencies"]]
    assert [name for name in names if name not in pins] == []


def test_no_copyleft_in_the_default_install() -> None:
    pins = dict(PIN.findall((ROOT / "requirements" / "runtime.txt").read_text()))
    assert pins.keys().isdisjoint({"psycopg", "psycopg-binary", "psycopg-pool", "procrastinate"})


def test_scripts_that_are_called_can_be_called() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "Apache License" in (ROOT / "LICENSE").read_text()

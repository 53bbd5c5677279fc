"""The documents say what the code does: commands exist, settings and connectors are described; test_site.py follows their links."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")])
SETTING = re.compile(r"\bCALLOUT_[A-Z][A-Z_]*[A-Z]\b")
# `module:function`, as architecture.md lists the steps of each flow.
STEP = re.compile(r"`(callout(?:\.\w+)+):(\w+(?:\.\w+)*)`")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_make_command_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        assert set(re.findall(r"`make ([a-z-]+)", document.read_text())) <= targets, name(document)


def test_every_make_command_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(phony.split()) == set(re.findall(r"^([a-z-]+):.*## \w", makefile, re.MULTILINE))


def test_every_setting_is_documented() -> None:
    files = [*(ROOT / "src" / "callout").rglob("*.py"), *(ROOT / "scripts").iterdir(), ROOT / "Makefile"]
    code = {word for file in files if file.is_file() for word in SETTING.findall(file.read_text())}
    documents = {word for document in DOCUMENTS for word in SETTING.findall(document.read_text())}
    assert code - documents == set()


def test_every_step_that_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        for module, attribute in STEP.findall(document.read_text()):
            found: object = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)


def test_every_test_that_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        named = set(re.findall(r"`((?:tests|scripts)/[\w/]+\.(?:py|sh))", document.read_text()))
        assert {one for one in named if not (ROOT / one).is_file()} == set(), name(document)


def test_every_connector_has_its_page() -> None:
    folders = {path.parent.name for path in (ROOT / "src" / "callout" / "connectors").glob("*/manifest.py")}
    pages = {path.stem for path in (ROOT / "docs" / "connectors").glob("*.md")}
    assert folders - pages == set()


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))

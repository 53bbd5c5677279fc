"""`make new-connector`: what it makes is sound at once, and says plainly what is not done."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.connector_quality import DONE, EVERYWHERE, TICKETING, states
from scripts.new_connector import ScaffoldError, files_for, main

ROOT = Path(__file__).parents[2]


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in `project`, whose Callout comes before the installed one."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env={"PYTHONPATH": str(project / "src"), "PATH": "", "HOME": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product with one new connector."""
    root = tmp_path_factory.mktemp("scaffold") / "project"
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "conformance", root / "tests" / "conformance")
    (root / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert main(["acme_desk", str(root)]) == 0
    return root


def made(project: Path) -> list[str]:
    return [
        str(path) for path in files_for("acme_desk") if path.suffix == ".py" and (project / path).exists()
    ]


def test_it_passes_format_and_lint(project: Path) -> None:
    for tool in (["format", "--check"], ["check"]):
        done = run(project, "ruff", *tool, *made(project))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(240)  # mypy starts without a cache
def test_it_passes_the_type_check(project: Path) -> None:
    done = run(
        project, "mypy", "--follow-imports=silent", "--cache-dir", str(project / "cache"), *made(project)
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_works_against_its_twin(project: Path) -> None:
    tests = [f"tests/connectors/acme_desk/test_{part}.py" for part in ("mapping", "client")]
    done = run(project, "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert re.search(r"^6 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_the_contract_says_what_is_left_to_do(project: Path) -> None:
    contract = "tests/connectors/acme_desk/test_conformance.py"
    done = run(project, "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", contract)
    assert re.search(r"^\d+ failed, \d+ passed", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert "connector cannot change tickets yet" in done.stdout


def test_it_says_how_it_stands(project: Path) -> None:
    told = states(project / "src" / "callout" / "connectors" / "acme_desk")
    assert told.keys() == {**EVERYWHERE, **TICKETING}.keys()
    assert all(state.why or state.status == DONE for state in told.values())


def test_it_overwrites_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acme_desk", str(project)]) == 2
    assert "there is a connector of that name" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Jira", "a-b", "../x", "class", "9lives", "x__y"])
def test_a_name_that_cannot_be_a_package_is_refused(name: str) -> None:
    with pytest.raises(ScaffoldError, match="usage"):
        files_for(name)


def test_the_walkthrough_names_every_file_it_makes() -> None:
    walk = (ROOT / "docs" / "adding-a-connector.md").read_text()
    assert [
        path.name for path in files_for("acme_desk") if path.stem != "__init__" and path.name not in walk
    ] == ["acme_desk.md"]

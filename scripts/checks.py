"""The checks behind `make check` and `make test`, each with its time: python scripts/checks.py [--tests] [pytest arguments]

Everything runs even when something failed before it, so that one run shows all that is wrong. Few tests that failed run once more by
themselves; those that hold then are named as unsteady (docs/decisions, "Unsteady tests"). Ends with one line
`N passed, M failed, K skipped` (of the tests), what is unsteady counted apart, and exit status 1 if anything failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
CHECKS = {
    "types": [PYTHON, "-m", "mypy"],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "--output-format=concise", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."],
    "imports": [
        PYTHON,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
        "--no-logo",
    ],
}
# More than a small machine has cores: many tests wait, for servers, browsers, databases and the pace of vendors.
WORKERS = "3"
# Tests start hundreds of processes: each would compile the whole program anew where the machine keeps no compiled files.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
# A worker that is free takes what is left of another's.
DISTRIBUTION = "worksteal"
# So many tests may have failed that what they say could be the machine's or another test's doing.
UNSTEADY_MOST = 3
# What hypothesis says of an example that it found.
FOUND = ("Failing test case: ", "Falsifying example: ")


class Step(NamedTuple):
    """One finished check."""

    name: str
    ok: bool
    seconds: float


def run(name: str, command: list[str], *, ok_statuses: tuple[int, ...] = (0,), held: bool = False) -> Step:
    """Run `command` in the project folder with its output shown; as a whole at its end, where it is `held`."""
    print(end="" if held else f"\n== {name}\n", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        check=False,
        text=True,
        stdout=subprocess.PIPE if held else None,
        stderr=subprocess.STDOUT if held else None,
    )
    step = Step(name, done.returncode in ok_statuses, time.monotonic() - started)
    verdict = "ok" if step.ok else f"FAILED (status {done.returncode})"
    told = f"\n== {name}\n{done.stdout}" if held else ""
    print(f"{told}== {name}: {verdict} in {step.seconds:.1f} s", flush=True)
    return step


def run_checks() -> list[Step]:
    """Run what needs no test, two at a time: most of them keep one core busy, and one takes longer than all others together."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda name: run(name, CHECKS[name], held=True), CHECKS))


def run_tests(report: Path, extra: list[str]) -> Step:
    """Run the tests of all rings (tests/rings.py), in one go: no core waits for the end of a ring. Results go to the file `report`."""
    command = [
        *(PYTHON, "-m", "pytest", "--quiet", f"--junitxml={report}"),
        *("-n", WORKERS, "--dist", DISTRIBUTION, "--durations=10", "--durations-min=1.0"),
        *extra,
    ]
    return run("tests", command)


def hold_alone(report: Path, failed: int) -> bool:
    """Whether the `failed` tests of the run before all pass when they run again one after the other, in a process of their own.

    Their first failure was shown in full. Results go to the file `report`.
    """
    again = [
        PYTHON,
        "-m",
        "pytest",
        "--quiet",
        f"--junitxml={report}",
        "--last-failed",
        "--last-failed-no-failures=none",
    ]
    return run("tests that failed, by themselves", again).ok and count(report) == Counter(passed=failed)


def failed_tests(report: Path) -> dict[str, str]:
    """The tests of a JUnit file that failed, each with what was said of it."""
    found: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314  pytest wrote it a second ago
        said = [one.text or "" for one in case if one.tag in {"failure", "error"}]
        if said:
            name = f"{case.get('classname')}::{case.get('name')}"
            found[name] = found.get(name, "") + "".join(said)
    return found


def may_be_unsteady(failed: dict[str, str]) -> bool:
    """Whether these few failures may be the machine's or another test's doing: no example that was found is."""
    return 0 < len(failed) <= UNSTEADY_MOST and not any(
        words in said for said in failed.values() for words in FOUND
    )


def count(report: Path) -> Counter[str]:
    """How many tests of a JUnit file passed, failed and were skipped; a missing file counts as one failure."""
    if not report.exists():
        return Counter(failed=1)
    counts: Counter[str] = Counter()
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314  pytest wrote it a second ago
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts.update(failed=failed, skipped=skipped, passed=int(suite.get("tests", 0)) - failed - skipped)
    return counts


def main(arguments: list[str]) -> int:
    """Run the checks, with `--tests` the tests too; exit status."""
    steps = run_checks()
    counts: Counter[str] = Counter()
    unsteady: list[str] = []
    if "--tests" in arguments:
        extra = [argument for argument in arguments if argument != "--tests"]
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "tests.xml"
            tests = run_tests(report, extra)
            counts = count(report)
            failed = failed_tests(report) if report.exists() else {}
            if may_be_unsteady(failed) and hold_alone(Path(folder) / "again.xml", len(failed)):
                unsteady, tests = sorted(failed), tests._replace(ok=True)
                counts = Counter(passed=counts.total() - counts["skipped"], skipped=counts["skipped"])
            steps.append(tests)

    print()
    for step in steps:
        print(f"  {'ok    ' if step.ok else 'FAILED'} {step.seconds:7.1f} s  {step.name}")
    if "--tests" in arguments:
        for name in unsteady:
            print(
                f"UNSTEADY: {name} failed among the others and held by itself. That is a defect: of the test, or of what it tests."
            )
        print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
        if not counts["passed"]:
            print("No test ran: that is a failure too.")
            return 1
    return 0 if all(step.ok for step in steps) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

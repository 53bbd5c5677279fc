"""The checks behind `make check` and `make test`, each with its time: python scripts/checks.py [--tests] [pytest arguments]

Everything runs even when something failed before it, so that one run shows all that is wrong. Ends with one line
`N passed, M failed, K skipped` (of the tests) and exit status 1 if anything failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.rings import RING_OF_FOLDER, RINGS, TESTS  # noqa: E402  needs the line above

PYTHON = sys.executable
CHECKS = {
    "format": [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "--output-format=concise", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."],
    "types": [PYTHON, "-m", "mypy"],
    "imports": [
        PYTHON,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
        "--no-logo",
    ],
}
# Pure tests keep a core busy each. The others wait as often as they work, for servers, browsers, databases and the pace of vendors:
# on two cores a third worker takes a fifth of their time away, and for whole flows, which wait most, a fourth some more.
WORKERS = {1: "2", 2: "3", 3: "4"}
# A worker that is free takes what is left of another's.
DISTRIBUTION = "worksteal"
NO_TESTS_COLLECTED = 5


class Step(NamedTuple):
    """One finished check."""

    name: str
    ok: bool
    seconds: float


def run(name: str, command: list[str], *, ok_statuses: tuple[int, ...] = (0,)) -> Step:
    """Run `command` in the project folder with its output shown."""
    print(f"\n== {name}", flush=True)
    started = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    step = Step(name, status in ok_statuses, time.monotonic() - started)
    print(
        f"== {name}: {'ok' if step.ok else f'FAILED (status {status})'} in {step.seconds:.1f} s", flush=True
    )
    return step


def run_ring(ring: int, report: Path, extra: list[str]) -> Step:
    """Run the tests of one ring; their results go to the JUnit file `report`."""
    command = [
        *(PYTHON, "-m", "pytest", "--quiet", "--ring", str(ring), f"--junitxml={report}"),
        *("-n", WORKERS[ring], "--dist", DISTRIBUTION, "--durations=5", "--durations-min=1.0"),
        *extra,
    ]
    folders = [TESTS / name for name, number in RING_OF_FOLDER.items() if number == ring]
    is_empty = ring != 1 and not any(any(folder.rglob("test_*.py")) for folder in folders)
    ok_statuses = (0, NO_TESTS_COLLECTED) if is_empty else (0,)
    return run(f"tests, ring {ring}: {RINGS[ring]}", command, ok_statuses=ok_statuses)


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
    steps = [run(name, command) for name, command in CHECKS.items()]
    counts: Counter[str] = Counter()
    if "--tests" in arguments:
        extra = [argument for argument in arguments if argument != "--tests"]
        with tempfile.TemporaryDirectory() as folder:
            for ring in RINGS:
                report = Path(folder) / f"ring{ring}.xml"
                steps.append(run_ring(ring, report, extra))
                counts += count(report)

    print()
    for step in steps:
        print(f"  {'ok    ' if step.ok else 'FAILED'} {step.seconds:7.1f} s  {step.name}")
    if "--tests" in arguments:
        print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
        if not counts["passed"]:
            print("No test ran: that is a failure too.")
            return 1
    return 0 if all(step.ok for step in steps) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

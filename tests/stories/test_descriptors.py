"""Programs that are started without standard input, as some supervisors do, end as they should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from callout.cli.bench.installation import at_home, stop


def test_a_loop_on_closed_descriptors_would_abort_and_filled_ones_do_not() -> None:
    pytest.importorskip("uvloop", reason="Windows has no uvloop")
    program = (
        "import os; os.close(0)\n"
        "{}\n"
        "import asyncio\n"
        "from callout.cli.run import fast_loop\n"
        "with asyncio.Runner(loop_factory=fast_loop()) as runner: runner.run(asyncio.sleep(0))\n"
    )

    def ended(first: str) -> int:
        # Of bytes: a closed descriptor cannot be asked what text it takes.
        words = [sys.executable, "-c", program.format(first)]
        return subprocess.run(words, capture_output=True, check=False, timeout=150).returncode

    assert ended("pass") == -signal.SIGABRT, "then nothing needs to be filled any more"
    assert ended("from callout.cli.descriptors import fill; fill()") == 0


def test_serve_without_standard_input_stops_when_asked(sqlite_path: Path, tmp_path: Path) -> None:
    one = at_home(tmp_path, f"sqlite:///{sqlite_path}")
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$0" -m callout serve <&-', sys.executable],
        env={**one.environment, "CALLOUT_LOG_LEVEL": "info"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        one.wait_ready(process)
        process.terminate()
        said, _ = process.communicate(timeout=120)
    finally:
        stop(process)
    assert process.returncode == 0, said.decode()
    assert b"stopped" in said


def test_a_process_of_the_crash_benchmarks_stops_when_asked(sqlite_path: Path, tmp_path: Path) -> None:
    one = at_home(tmp_path, f"sqlite:///{sqlite_path}")
    nursery = subprocess.Popen(
        [sys.executable, "-m", "callout.cli.bench.crashing.nursery"],
        env=one.environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    log = tmp_path / "api.log"
    try:
        assert json.loads(nursery.stdout.readline()) == {"ready": True}
        asked = {"role": "api", "environment": {"CALLOUT_LOG_LEVEL": "info"}, "log": str(log)}
        nursery.stdin.write(json.dumps(asked) + "\n")
        nursery.stdin.flush()
        pid = json.loads(nursery.stdout.readline())["pid"]
        deadline = time.monotonic() + 120
        while "listening" not in (log.read_text() if log.exists() else ""):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        os.kill(pid, signal.SIGTERM)
        assert json.loads(nursery.stdout.readline()) == {"ended": pid, "by": 0}, log.read_text()
    finally:
        nursery.stdin.close()
        nursery.wait(60)
        nursery.stdout.close()

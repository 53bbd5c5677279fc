"""`callout demo`, as the process that people run: it succeeds, it fails in plain words, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callout.cli.demo.killing import Tally, tally

COMMAND = [sys.executable, "-m", "callout", "demo"]
PATIENCE = 240.0
"""For one that hangs; how long a demo takes is the machine's affair."""

pytestmark = pytest.mark.timeout(PATIENCE + 60)
PID = re.compile(r"\(pid (\d+)\)")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Like a stranger's machine: folders of its own, and settings of another installation that must not matter."""
    (tmp_path / "callout.toml").write_text('database_url = "postgresql://nobody@127.0.0.1:1/none"\n')
    return {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "CALLOUT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a demo; what a failed test left of it is killed."""
    running: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str) -> subprocess.Popen[str]:
        popen = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(popen)
        return popen

    yield start_one
    for popen in running:
        popen.kill()
        popen.wait()
        if popen.stdout is not None:
            popen.stdout.close()


def read_until(popen: subprocess.Popen[str], text: str) -> str:
    """Return the output up to the line that holds `text`; the test's own time-out is the limit."""
    assert popen.stdout is not None
    lines = []
    for line in popen.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} never came:\n{''.join(lines)}")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A killed process whose new parent has not collected it yet still has a number.
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if not gone(pid)]}"
        time.sleep(0.02)


def last_line(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def test_the_whole_story_holds_and_leaves_nothing_behind(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    demo = start("--check")
    output, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 0, output
    result = last_line(output)
    assert result["ok"] is True
    assert [step["name"] for step in result["steps"] if not step["ok"]] == []
    assert len(result["steps"]) == 18
    ledger = result["ledger"]
    assert ledger.pop("perhaps sent") == 1
    assert {name: found["doubled"] for name, found in ledger.items() if found["doubled"]} == {}
    assert {
        name: found["wanted"] - found["done"] for name, found in ledger.items() if found["wanted"] < 1
    } == {}
    assert all(found["wanted"] == found["done"] for found in ledger.values())
    assert ledger["Jira issues by label"]["done"] == 2
    assert set(result["processes"]) == {"twins", "api", "worker 1", "worker 2"}
    wait_until_gone(list(result["processes"].values()))
    assert list(tmp_path.glob("callout-demo-*")) == []
    # Plain lines, since this is no terminal: no colours, no cursor movements.
    assert "\x1b" not in output


def test_a_taken_port_is_said_in_plain_words(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start("--check", "--port", str(port))
        output, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1
    result = last_line(output)
    assert result["ok"] is False
    assert f"port {port} is free" in result["failure"]["expected"]
    assert "--port" in result["failure"]["seen"]
    assert Path(result["folder"]).is_relative_to(tmp_path)


def test_a_process_that_dies_fails_the_step_and_shows_its_log(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    demo = start("--check")
    shown = read_until(demo, "API at")
    [twins, api] = [int(pid) for pid in PID.findall(shown)]
    os.kill(api, signal.SIGKILL)
    output, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 1
    result = last_line(output)
    [failed] = [step for step in result["steps"] if not step["ok"]]
    assert failed == result["steps"][-1]
    assert result["failure"]["seen"]
    assert (Path(result["folder"]) / "logs" / "api.log").exists()
    wait_until_gone([twins, *result["processes"].values()])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_everything(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    demo = start("--check")
    shown = read_until(demo, "worker 1")
    demo.send_signal(number)
    demo.communicate(timeout=PATIENCE)
    assert demo.returncode == code
    wait_until_gone([int(pid) for pid in PID.findall(shown)])
    assert list(tmp_path.glob("callout-demo-*")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process together with its parent")
def test_killing_the_demo_itself_leaves_no_process_behind(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    demo = start()
    shown = read_until(demo, "worker 1")
    pids = [int(pid) for pid in PID.findall(shown)]
    assert len(pids) == 3
    demo.kill()
    demo.wait()
    wait_until_gone(pids)


def test_a_tally_notices_what_is_lost_and_what_is_doubled() -> None:
    assert tally(["a", "b"], ["b", "a"]) == Tally(2, 2, 0)
    assert not tally(["a", "b"], ["a"]).ok
    assert not tally(["a"], ["a", "a"]).ok
    assert not tally(["a"], ["a", "x", "x"]).ok
    assert not tally(["a", "b"], ["a", "b"], ["key 1", "key 1"]).ok
    assert tally(["a", "b"], ["a", "b"], ["key 1", "key 2"]).ok

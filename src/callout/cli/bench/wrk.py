"""The load: `wrk` with a script that sends signed webhooks, each with a delivery id of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.events import sign

CONNECTIONS = 50
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_LATENCY = re.compile(r"^\s+(50|99)%\s+([0-9.]+)(us|ms|s|m)$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s*(\d+) requests in ([0-9.]+)(us|ms|s|m)", re.MULTILINE)
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")

_LUA = """
-- Bodies and signatures were made beforehand; only the delivery id is new in each request.
local parts = dofile("{parts}")
local n, sent = #parts, 0
request = function()
  sent = sent + 1
  return "POST {path} HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nX-Atlassian-Webhook-Identifier: {run}-" .. sent .. "\\r\\n" .. parts[sent % n + 1]
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw; latencies in milliseconds."""

    answered: int
    refused: int
    errors: int
    per_second: float
    p50: float
    p99: float


class Wrk:
    """Sends `bodies` to `path` of a server on this machine, over 50 connections from one thread. Raises NotMeasuredError."""

    def __init__(self, folder: Path, port: int, path: str, bodies: Sequence[bytes]) -> None:
        found = shutil.which("wrk")
        if found is None:
            raise NotMeasuredError("wrk is not installed (apt-get install wrk)")
        self._program, self._folder, self._path = found, folder, path
        self._url = f"http://127.0.0.1:{port}"
        self._parts = folder / "parts.lua"
        lines = ",\n".join(_quoted(_rest(body)) for body in bodies)
        self._parts.write_bytes(f"return {{\n{lines}\n}}\n".encode())
        self._runs = 0

    def __call__(self, seconds: float, *, connections: int = CONNECTIONS) -> Load:
        """Load the server for so long."""
        self._runs += 1
        script = self._folder / "load.lua"
        script.write_text(_LUA.format(parts=self._parts, path=self._path, run=f"run{self._runs}"))
        arguments = [
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--latency",
            "-s",
            str(script),
        ]
        done = subprocess.run(  # noqa: S603  # the program found above, with arguments of ours
            [self._program, *arguments, self._url], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotMeasuredError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
        return read(done.stdout)


def read(output: str) -> Load:
    """Read what wrk printed. Raises NotMeasuredError."""
    requests = _REQUESTS.search(output)
    latency = {share: float(value) * _UNITS[unit] for share, value, unit in _LATENCY.findall(output)}
    if requests is None or set(latency) != {"50", "99"}:
        raise NotMeasuredError(f"wrk printed something else than expected: {output[-300:]}")
    refused, errors = _REFUSED.search(output), _ERRORS.search(output)
    answered = int(requests.group(1))
    lasted = float(requests.group(2)) * _UNITS[requests.group(3)] / 1000
    return Load(
        answered=answered,
        refused=int(refused.group(1)) if refused else 0,
        errors=sum(int(part) for part in errors.groups()) if errors else 0,
        per_second=answered / lasted,
        p50=latency["50"],
        p99=latency["99"],
    )


def _rest(body: bytes) -> str:
    text = body.decode("ascii")
    head = (
        f"Content-Type: application/json\r\nX-Hub-Signature: {sign(body)}\r\nContent-Length: {len(body)}\r\n"
    )
    return f"{head}\r\n{text}"


def _quoted(text: str) -> str:
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n") + '"'
    )

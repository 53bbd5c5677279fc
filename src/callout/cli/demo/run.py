"""One run of the demo: its folder, its signals, its steps in order, and what is left at the end."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from callout.cli.demo.checks import StepFailedError
from callout.cli.demo.killing import Killing
from callout.cli.demo.narration import Narrator
from callout.cli.demo.processes import Processes
from callout.cli.demo.stage import Stage, choose_places
from callout.cli.demo.story import Story
from callout.cli.demo.together import Together

LOOK_AFTER_SECONDS = 0.5


class StoppedError(BaseException):
    """A signal asked to stop. No Exception, so that nothing in between takes it for a failed step."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_demo(*, check: bool, port: int, keep: bool) -> int:
    """Run the demo and return its exit code. Whatever happens, its processes end with it."""
    folder = Path(tempfile.mkdtemp(prefix="callout-demo-"))
    code = 1
    try:
        with _stoppable():
            code = _Run(folder, check=check).play(port)
    except StoppedError as stopped:
        code = 128 + stopped.number
    finally:
        # After a failure the logs are what people need.
        if not keep and code != 1:
            shutil.rmtree(folder, ignore_errors=True)
    return code


@contextmanager
def _stoppable() -> Iterator[None]:
    def stop(number: int, _frame: FrameType | None) -> None:
        raise StoppedError(number)

    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    def __init__(self, folder: Path, *, check: bool) -> None:
        self._folder = folder
        self._check = check
        self._started = time.monotonic()
        self._narrator = Narrator(len(STEPS), started=self._started)
        self._killing: Killing | None = None
        self._failure: dict[str, str] | None = None

    def play(self, port: int) -> int:
        """Play the story; with `--check` end, else stay up. Return the exit code."""
        say = self._narrator.plain
        say("Callout demo: one incident, from a Slack command to the audit record.")
        say("Real processes, real HTTP, real signatures; twins stand in for the vendors.")
        processes = None
        try:
            places = choose_places(self._folder, port)
            with Processes(self._folder / "logs", places.environment()) as processes:
                stage = Stage(places, processes)
                try:
                    self._tell(stage)
                    if not self._check:
                        self._stay(stage)
                finally:
                    stage.close()
        except StepFailedError as error:
            self._failure = {"expected": error.expected, "seen": error.seen}
            self._explain(error)
        except Exception as error:  # noqa: BLE001  # the demo's own fault: said as such, with everything ended
            self._failure = {"expected": "no error in the demo itself", "seen": repr(error)}
            say(traceback.format_exc())
            say(f"The demo itself failed. Logs: {self._folder / 'logs'}")
        if self._check:
            self._last_line({} if processes is None else processes.started)
        return 1 if self._failure else 0

    def _tell(self, stage: Stage) -> None:
        story = Story(stage, self._narrator)
        self._killing = Killing(story)
        acts = _Acts(story, self._killing, Together(story))
        with self._narrator.live():
            for name, title, act in STEPS:
                with self._narrator.step(name, title):
                    act(acts)
                    stage.processes.check()
        seconds = time.monotonic() - self._started
        self._narrator.heading(f"All {len(STEPS)} steps went as they should, in {seconds:.1f} s.")

    def _stay(self, stage: Stage) -> None:
        say, places = self._narrator.plain, stage.places
        say()
        say(f"  dashboard   {places.callout}/incidents")
        say(f"  token       {stage.connected.token}")
        say(f"  twins       {places.twins}")
        say(f"  commands    CALLOUT_CONFIG={places.settings_file} {program()} incident list")
        say(f"  logs        {self._folder / 'logs'}")
        say()
        say("Everything is still running. Ctrl-C ends and removes it.")
        try:
            while True:
                stage.processes.check()
                time.sleep(LOOK_AFTER_SECONDS)
        except StoppedError:
            say("Ended.")

    def _explain(self, error: StepFailedError) -> None:
        say = self._narrator.plain
        say()
        if not self._narrator.steps:
            say(f"callout: the demo cannot start: expected that {error.expected}; {error.seen}")
        say(f"A step failed. Logs and database: {self._folder}")

    def _last_line(self, processes: dict[str, int]) -> None:
        tallies = {} if self._killing is None else self._killing.tallies
        perhaps = 0 if self._killing is None else self._killing.perhaps_sent
        line = {
            "ok": self._failure is None,
            "steps": [
                {"name": step.name, "ok": step.ok, "seconds": round(step.seconds, 3)}
                for step in self._narrator.steps
            ],
            "ledger": {
                **{name: asdict(found) for name, found in tallies.items()},
                "perhaps sent": perhaps,
            },
            "seconds": round(time.monotonic() - self._started, 3),
            "processes": processes,
            **({} if self._failure is None else {"failure": self._failure, "folder": str(self._folder)}),
        }
        self._narrator.plain(json.dumps(line))


def program() -> str:
    """Return how this very Callout is called from the working directory."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return f"{python} -m callout"


@dataclass(frozen=True, slots=True)
class _Acts:
    """Who plays: the steps share what they know through these."""

    story: Story
    killing: Killing
    together: Together


STEPS: tuple[tuple[str, str, Callable[[_Acts], None]], ...] = (
    ("start", "Processes: twins, API, worker", lambda acts: acts.story.start()),
    ("connect", "Jira and Slack are told where Callout is", lambda acts: acts.story.connect()),
    ("declare", "An incident is declared in Slack", lambda acts: acts.story.declare()),
    ("channel", "Slack: a channel and cards", lambda acts: acts.story.channel()),
    ("ticket", "Jira: an issue", lambda acts: acts.story.ticket()),
    ("edit", "A person edits the issue; incident and Slack follow", lambda acts: acts.story.edit()),
    ("acknowledge", "Acknowledged in Slack; the issue moves", lambda acts: acts.story.acknowledge()),
    ("kill", "kill -9 in the middle of three pushes", lambda acts: acts.killing.kill()),
    ("takeover", "Another worker takes over; the ledgers are counted", lambda acts: acts.killing.take_over()),
    ("resolve", "Resolved in Jira; incident and Slack follow", lambda acts: acts.story.resolve()),
    ("record", "What is on record", lambda acts: acts.story.record()),
    ("recount", "The ledgers, at the end of the first act", lambda acts: acts.killing.recount()),
    ("join", "Second act: ServiceNow and PagerDuty join", lambda acts: acts.together.join()),
    ("together", "One incident, three tickets", lambda acts: acts.together.declare()),
    ("outage", "All three are away, and everybody edits", lambda acts: acts.together.outage()),
    ("heal", "They are back: polling heals, one conflict waits", lambda acts: acts.together.heal()),
    ("decide", "A person decides", lambda acts: acts.together.decide()),
    ("silence", "One of each, and no echo", lambda acts: acts.together.count()),
)


__all__ = ["STEPS", "run_demo"]

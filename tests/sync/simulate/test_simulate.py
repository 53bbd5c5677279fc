"""The command and its parts: the same seed is the same history, failures are small and replayable, own mappings are tried."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from callout.cli import main
from callout.ports.errors import InvalidRequestError
from callout.sync.simulate.histories import history
from callout.sync.simulate.records import FAULTS
from callout.sync.simulate.run import Options, replay, simulate, smallest
from callout.sync.simulate.shrink import shrink
from callout.sync.simulate.steps import Plan, Step
from tests.sync.simulate.mutants import MUTANTS

OWN = {
    "fields": {"title": {"resolution": "local"}, "assignee": {"direction": "outbound"}},
    "statuses": {"open": "To Do", "mitigated": "Monitoring", "resolved": "Done"},
    "statuses_in": {"Monitoring": "mitigated", "Waiting": "acknowledged"},
}


def test_a_seed_is_one_history_and_has_one_outcome() -> None:
    assert history(7) == history(7) != history(8)
    first, second = simulate(Options(30, 500)), simulate(Options(30, 500))
    assert first.counts == second.counts


@pytest.mark.timeout(240)
def test_every_fault_and_quirk_occurs_and_every_property_is_checked() -> None:
    report = simulate(Options(500))
    assert report.failed == []
    for kind in (
        *FAULTS,
        "webhook lost",
        "webhook repeated",
        "webhook out of order",
        "outage",
        "refused values",
    ):
        assert report.counts["faults"][kind], kind
    habits = {name.partition(" ")[0] for name in report.counts["quirks"]}
    assert habits >= {
        "title_limit",
        "tidies_text",
        "priorities",
        "no_reopen",
        "needs_resolution",
        "lag",
        "events",
    }
    assert len(report.counts["checks"]) == 10
    places = {place.partition(", ")[2] for place in report.counts["crashes"]}
    assert places >= {"before create_ticket", "after create_ticket", "after patch_ticket", "after a commit"}


def test_several_processes_play_the_same_histories() -> None:
    assert simulate(Options(30, jobs=2)).counts == simulate(Options(30)).counts


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_its_processes_end_with_it(way: signal.Signals) -> None:
    # Who starts the tests in the background has them, and all they start, ignore Ctrl-C.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "from callout.sync.simulate import run; run.CHUNK = 1; "
    program += "run.simulate(run.Options(5_000, jobs=2), lambda done: print(done, flush=True))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as playing:
        assert playing.stdout is not None
        assert playing.stdout.readline() == "1\n"
        playing.send_signal(way)
        # Its processes write where it writes: the output ends when the last of them does.
        try:
            _, told = playing.communicate(timeout=150)
        finally:
            playing.kill()
        assert playing.returncode == -way
    assert told.count("Traceback") == (way is signal.SIGINT), told


def test_a_failure_is_small_told_in_words_and_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS["key_search_skipped"](monkeypatch)
    report = simulate(Options(60, stop=True))
    [failure] = report.failures
    assert failure.broken.startswith("more than one ticket")
    assert len(failure.plan.steps) < len(history(failure.seed).steps)
    assert failure.plan.told()[-1] == "the process dies and starts again" or len(failure.plan.steps) < 6
    assert replay(failure.plan, {})
    monkeypatch.undo()
    assert replay(failure.plan, {}) == []
    with pytest.raises(ValueError, match="breaks nothing"):
        smallest(failure.seed, {})


def test_shrinking_leaves_only_what_is_needed() -> None:
    plan = history(3)
    needed = Step("their comment", 1, "customer", "#99 this one")
    plan = replace(plan, steps=(*plan.steps[:5], needed, *plan.steps[5:]))

    def fails(candidate: Plan) -> bool:
        return any(step.value == needed.value for step in candidate.steps)

    assert [step.value for step in shrink(plan, fails).steps] == [needed.value]


def test_an_own_mapping_is_tried() -> None:
    assert simulate(Options(60, settings=OWN)).failed == []


def test_settings_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="nonsense"):
        simulate(Options(1, settings={"fields": {"nonsense": {}}}))


def test_the_command_reports_and_ends_with_0(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps({"sync": OWN}))
    done = CliRunner().invoke(main, ["simulate", "--histories", "20", "--mapping", str(path), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["histories"], told["failed"]) == (20, 0)
    plain = CliRunner().invoke(main, ["simulate", "--histories", "5", "--verbose"])
    assert "5 histories" in plain.stdout
    assert "somebody declares" in plain.stdout


def test_the_command_ends_with_1_and_the_history_on_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS["key_search_skipped"](monkeypatch)
    done = CliRunner().invoke(main, ["simulate", "--histories", "60", "--stop"])
    assert done.exit_code == 1
    assert "replay: callout simulate --histories 1 --seed" in done.stdout


def test_a_mapping_that_is_wrong_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text('[fields.title]\nresolution = "perhaps"\n')
    assert CliRunner().invoke(main, ["simulate", "--mapping", str(path)]).exit_code == 2
    path.write_text("[[[")
    assert CliRunner().invoke(main, ["simulate", "--mapping", str(path)]).exit_code == 2

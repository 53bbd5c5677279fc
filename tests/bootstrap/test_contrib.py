"""What lies in contrib/ names only what there is: metrics, commands, files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not among the development tools
from click import Context, Group
from prometheus_client import REGISTRY, generate_latest

import callout.bootstrap.run
import callout.bootstrap.web  # noqa: F401  # what a server imports has defined its metrics
from callout.bootstrap.figures import Counted, families
from callout.cli import COMMANDS, main
from callout.integrations.figures import IntegrationFigures
from callout.webhooks.outbound.figures import DeliveryFigures

CONTRIB = Path(__file__).parents[2] / "contrib"
NO_INTEGRATIONS = IntegrationFigures((), (), ())
NO_DELIVERIES = DeliveryFigures(0, None, (), 0)
OURS = re.compile(r"\bcallout_[a-z_]+\b")
OPERATIONS = CONTRIB.parent / "docs" / "operations.md"
PARTS = ("_created", "_bucket", "_count", "_sum")
DASHBOARD = CONTRIB / "grafana" / "callout.json"
RULES = CONTRIB / "prometheus" / "callout.rules.yml"


def metrics() -> set[str]:
    """The names of the metrics that a server answers with, and of the parts of a histogram."""
    text = generate_latest(REGISTRY).decode()
    types = [line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE")]
    parts = {f"{name}_{part}" for name, kind in types if kind == "histogram" for part in ("bucket", "count")}
    read = families(Counted(datetime.now(UTC), (), None, None, NO_INTEGRATIONS, (), (), NO_DELIVERIES))
    return {name for name, _ in types} | parts | {one.name for one in read} | {"callout_database_up"}


@pytest.mark.parametrize("file", [DASHBOARD, RULES], ids=lambda file: file.name)
def test_every_metric_exists(file: Path) -> None:
    named = set(OURS.findall(file.read_text()))
    assert len(named) >= 12
    assert named <= metrics()


def test_every_metric_is_described_and_none_is_described_that_is_not_there() -> None:
    section = OPERATIONS.read_text().partition("\n### Metrics\n")[2].partition("\n## ")[0]
    described = set(re.findall(r"^\| `(callout_[a-z_]+)`", section, re.MULTILINE))
    own = {name for name in metrics() if name.startswith("callout_") and not name.endswith(PARTS)}
    assert described == own


def test_every_alert_says_what_to_do() -> None:
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]:
        assert rule["expr"]
        assert {"summary", "todo"} <= rule["annotations"].keys(), rule["alert"]
        for command, below in re.findall(r"`callout (\w+)(?: ([a-z]+))?", rule["annotations"]["todo"]):
            assert command in COMMANDS
            found = main.get_command(Context(main), command)
            assert not below or (isinstance(found, Group) and below in found.commands), (command, below)


def test_the_dashboard_has_panels_side_by_side() -> None:
    board = json.loads(DASHBOARD.read_text())
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in board["panels"]]
    assert len(set(places)) == len(places)
    assert all(target["expr"] for one in board["panels"] for target in one["targets"])


def test_the_units_call_commands_that_exist(tmp_path: Path) -> None:
    units = sorted((CONTRIB / "systemd").iterdir())
    called = re.findall(r"/opt/callout/bin/callout (\w+)", "".join(unit.read_text() for unit in units))
    assert sorted(called) == ["backup", "serve"]
    assert set(called) <= COMMANDS.keys()
    if shutil.which("systemd-analyze") is None:
        return  # the machine has no systemd: what could be checked is checked
    for unit in units:
        text = unit.read_text().replace("/opt/callout/bin/callout", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    found = subprocess.run(
        shlex.split("systemd-analyze verify") + [str(tmp_path / unit.name) for unit in units],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert (found.returncode, found.stderr) == (0, "")

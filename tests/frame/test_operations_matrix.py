"""The table of operations in the documents is what the code and the conformance suite say."""

from __future__ import annotations

from pathlib import Path

import pytest

from callout.bootstrap.registry import MANIFESTS
from callout.ports.manifest import Manifest
from scripts import operations_matrix
from scripts.operations_matrix import CONTRACTS, PAGE, Suite, cell, main, page

TICKETING = [manifest for manifest in MANIFESTS.values() if manifest.category == "ticketing"]


def test_the_table_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `python scripts/operations_matrix.py` and commit what it wrote"


@pytest.mark.parametrize("manifest", TICKETING, ids=lambda manifest: manifest.provider)
def test_every_ticketing_connector_inherits_the_conformance_suite(
    manifest: Manifest,
) -> None:
    missing = set(CONTRACTS) - Suite(manifest).contracts
    # What breaks on a wire cannot be tested where there is none.
    assert missing <= ({"RemoteContract"} if manifest.provider == "ticketing_mock_ticketing" else set())


def test_a_stale_table_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "docs" / "README.md"
    stale.parent.mkdir()
    stale.write_text(PAGE.read_text().replace("`create_ticket`", "`make_ticket`"))
    monkeypatch.setattr(operations_matrix, "PAGE", stale)
    assert main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().out
    assert main([]) == 0
    assert stale.read_text() == PAGE.read_text()


def test_a_cell_says_what_a_repeat_would_do() -> None:
    jira = MANIFESTS["ticketing_jira"]
    assert cell(jira, "create_ticket") == "yes, found by key after 30 s"
    assert cell(jira, "patch_ticket") == "yes, repeatable"
    assert cell(jira, "create_attachment") == "yes, found by what it is"
    assert cell(jira, "get_ticket") == "yes"
    assert cell(jira, "create_note") == "no"
    assert main(["--check"]) == 0

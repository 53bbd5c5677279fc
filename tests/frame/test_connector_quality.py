"""What a connector's `quality.toml` claims is there, as far as the code can tell, and nothing goes unsaid."""

from __future__ import annotations

import pytest

from callout.bootstrap.registry import MANIFESTS
from callout.ports.manifest import Manifest
from scripts import connector_quality
from scripts.connector_quality import State, connectors, folder_of, problems, states


@pytest.mark.parametrize("manifest", connectors(), ids=lambda manifest: manifest.provider)
def test_a_connector_says_how_it_stands_and_the_code_agrees(manifest: Manifest) -> None:
    assert list(problems(manifest)) == []


def test_a_claim_that_the_code_does_not_bear_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = MANIFESTS["ticketing_pagerduty"]
    told = states(folder_of(manifest))
    assert told["crowded-write"].status == "todo"
    claimed = {**told, "crowded-write": State("done"), "coffee": State("done"), "live": State("todo")}
    del claimed["manifest"]
    monkeypatch.setattr(connector_quality, "states", lambda _folder: claimed)
    found = " ".join(problems(manifest))
    for words in (
        "crowded-write is said to be done, and the code",
        "nothing about manifest",
        "no rule coffee",
        "live needs",
    ):
        assert words in found

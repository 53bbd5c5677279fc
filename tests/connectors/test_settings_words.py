"""Every setting of every provider says in words what it is for: the forms show it beside the field."""

from __future__ import annotations

import pytest

from callout.bootstrap.registry import MANIFESTS
from callout.integrations.credential_kinds import KINDS
from callout.server.dashboard.integration_form import PART_WORDS, settings_of

FEWEST = 20
"""Characters of a sentence that says something."""


@pytest.mark.parametrize("provider", sorted(MANIFESTS))
def test_every_setting_says_what_it_is_for(provider: str) -> None:
    schema = MANIFESTS[provider].config.model_json_schema()
    told = {name: str(node.get("description", "")) for name, node in schema["properties"].items()}
    assert told
    assert {
        name: text for name, text in told.items() if len(text) < FEWEST or not text.endswith((".", ")"))
    } == {}


@pytest.mark.parametrize("provider", sorted(MANIFESTS))
def test_the_form_shows_those_words(provider: str) -> None:
    manifest = MANIFESTS[provider]
    schema = manifest.config.model_json_schema()
    for setting in settings_of(manifest):
        assert setting.help.startswith(schema["properties"][setting.name]["description"])


def test_every_part_of_a_credential_says_what_it_is() -> None:
    parts = {part for kind in KINDS.values() for part in (*kind.plain, *kind.secret)}
    assert set(PART_WORDS) == parts

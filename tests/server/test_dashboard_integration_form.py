"""The form of a provider's settings: every provider has one, and what is stored comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest

from callout.bootstrap.registry import MANIFESTS
from callout.ports.manifest import Manifest
from callout.server.dashboard import integration_form as forms
from callout.server.dashboard.forms import Form
from tests.server.by_forms import Page, Visitor
from tests.server.desk import SLACK, Desk

REFERENCE = {"type": "basic_id", "value": "1"}
CUSTOM = [{"name": "impact", "project_id": "*", "provider_field_path": "customfield_1"}]
STORED: dict[str, dict[str, Any]] = {
    "ticketing_jira": {
        "url": "https://j.example",
        "default_project": "OPS",
        "custom_field_mappings": CUSTOM,
        "credential": REFERENCE,
        "unknown": {"kept": [1]},
    },
    "ticketing_mock_ticketing": {
        "index_lag_seconds": 0.5,
        "normalise_text": True,
        "three_statuses": False,
        "projects": ["A", "B"],
    },
    "ticketing_servicenow": {
        "url": "https://s.example",
        "state_categories": {"Waiting": "active"},
        "tables": [],
        "credential": REFERENCE,
    },
    "ticketing_pagerduty": {"region": "eu", "credential": {"type": "token_id", "value": "1"}},
    "chat_slack": {
        "channels": {"default": "incidents"},
        "batch_seconds": 0,
        "invite": [],
        "incident_channels": False,
        "routes": [{"when": {"days": ["sat"]}, "to": ["@team"]}],
        "fallback": {"channel": "duty-desk"},
        "credential": {"type": "token_id", "value": "1"},
        "app_credential": {"type": "token_id", "value": "2"},
    },
}


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_an_empty_form_says_what_is_missing_and_nothing_else(manifest: Manifest) -> None:
    form = Form(values=forms.values_of(manifest, {}))
    config = forms.read_config(form, manifest, {})
    needed = {one.name for one in forms.settings_of(manifest) if one.required}
    needed |= {f"{slot.name}.kind" for slot in forms.slots_of(manifest) if slot.required}
    assert set(form.errors) == needed
    assert config == {"type": manifest.provider}
    assert {one.name for one in forms.settings_of(manifest)} == set(manifest.config.model_fields)


@pytest.mark.parametrize("provider", STORED)
def test_what_is_stored_comes_back_as_it_was(provider: str) -> None:
    manifest, stored = MANIFESTS[provider], {"type": provider, **STORED[provider]}
    values = forms.values_of(manifest, stored)
    form = Form(values=values)
    assert forms.read_config(form, manifest, stored) == stored
    assert form.ok, form.errors
    assert "1" not in {values[name] for name in values if "credential" in name}, "not even the reference"


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_every_field_of_an_error_is_found(manifest: Manifest) -> None:
    known = forms.names_of(manifest)
    assert len(known) == len(set(known))
    form = Form(values={f"{slot.name}.kind": slot.kinds[0] for slot in forms.slots_of(manifest)})
    for one in forms.settings_of(manifest):
        for prefix in ("/provider_config", "/integration/provider_config"):
            assert forms.field_of(f"{prefix}/{one.name}", form) == one.name
            assert forms.field_of(f"{prefix}/{one.name}/0/name", form) == one.name
    for slot in forms.slots_of(manifest):
        assert forms.field_of(f"/provider_config/{slot.name}/type", form) == f"{slot.name}.kind"
        for part in slot.parts(slot.kinds[0]):
            name = part.name.rpartition(".")[2]
            assert forms.field_of(f"/provider_config/{slot.name}/{name}", form) == part.name


async def test_every_provider_has_its_form(desk: Desk) -> None:
    me = await Visitor.of(desk)
    choose = await me.see("/integrations/new")
    for provider, manifest in MANIFESTS.items():
        path = f"/integrations/new?provider={provider}"
        assert path in choose.links
        page = await me.see(path)
        fields = page.form("/integrations/new")
        assert set(manifest.config.model_fields) <= set(fields)
        answer = await me.fill(path, "/integrations/new", go="save")
        assert answer.status_code in {303, 422}
    await me.see("/integrations/new?provider=ticketing_none", 404)


async def test_an_app_is_installed_by_a_link(desk: Desk) -> None:
    client = {"type": "o_auth_client", "client_id": "id", "client_secret": "canary-client-secret"}
    one = await desk.add({**SLACK, "team": "T1", "client_credential": client})
    bare = await desk.add(SLACK, name="bare")
    me, viewer = await Visitor.of(desk), await Visitor.of(desk, "viewer")
    home = f"/integrations/{one.id}"
    answer = await me.fill(home, f"{home}/install")
    assert answer.status_code == 200
    assert any(link.startswith("https://slack.com/oauth") for link in Page(answer.text).links)
    assert "canary-client-secret" not in answer.text
    refused = await me.fill(f"/integrations/{bare.id}", f"/integrations/{bare.id}/install")
    assert (refused.status_code, "client id and secret" in refused.text) == (422, True)
    mark = (await viewer.see(home)).form("/logout")["csrf"]
    assert (await viewer.send(f"{home}/install", {"csrf": mark})).status_code == 403


async def test_a_vendors_script_is_there_to_paste_and_holds_no_secret(desk: Desk) -> None:
    config = {
        "type": "ticketing_servicenow",
        "url": "https://s.example",
        "credential": {"type": "basic", "username": "a", "secret": "b"},
    }
    one = await desk.add(config, key="canary-signing-key-0123456789")
    me = await Visitor.of(desk)
    path = f"/integrations/{one.id}/webhooks"
    page = await me.see(path)
    assert f"{path}/script" in page.links
    script = await me.see(f"{path}/script")
    assert f"/v1/hooks/{one.id}" in script.text
    assert "canary-signing-key" not in script.text + page.text

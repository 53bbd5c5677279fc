"""The integrations' pages: adding one by the form of its provider, trying it out, and what is said when it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.by_forms import Page, Visitor
from tests.server.desk import JIRA

if TYPE_CHECKING:
    from tests.server.desk import Desk

CANARY = "canary-s3cr3t-of-the-vendor"
NEW = "/integrations/new"


async def test_an_integration_is_added_by_the_form_of_its_provider(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    choose = await me.see(NEW)
    assert f"{NEW}?provider=ticketing_mock_ticketing" in choose.links
    path = f"{NEW}?provider=ticketing_mock_ticketing"
    answer = await me.fill(path, NEW, go="test", default_project="TST")
    assert answer.status_code == 200, answer.text
    assert "lets us in" in answer.text
    assert (await desk.api("GET", "/v1/integrations")) == []
    home = await me.do(
        path,
        NEW,
        go="save",
        called="trial",
        fullname="Our trial",
        projects="TST\r\nOPS\r\n",
        default_project="TST",
        index_lag_seconds="0.5",
        three_statuses="1",
        custom_field_mappings='[{"name": "impact", "provider_field_path": "impact"}]',
    )
    [one] = await desk.api("GET", "/v1/integrations")
    assert home == f"/integrations/{one['id']}"
    config = one["provider_config"]
    assert (one["name"], one["fullname"]) == ("trial", "Our trial")
    assert config["index_lag_seconds"] == 0.5
    assert config["three_statuses"] is True
    assert config["custom_field_mappings"][0]["name"] == "impact"
    assert one["settings"] == {"sync": {"shadow": True}}, "writes begin when somebody says so"
    page = await me.see("/integrations")
    assert home in page.links
    assert "shadow" in page.text
    await me.do(path, NEW, go="save")
    assert "test-provider" in {each["name"] for each in await desk.api("GET", "/v1/integrations")}


async def test_what_is_wrong_with_settings_is_said_beside_the_field(desk: Desk) -> None:
    me = await Visitor.of(desk)
    path = f"{NEW}?provider=ticketing_jira"
    typed = {
        "go": "save",
        "url": "not an address",
        "default_project": "OPS",
        "credential.kind": "basic",
        "credential.basic.username": "me@example.com",
        "credential.basic.secret": CANARY,
    }
    before = await desk.written()
    for change, field, said in (
        ({}, "url", "give a full address"),
        ({"url": ""}, "url", "is missing"),
        ({"url": "https://u:p@example.com"}, "url", ""),
        (
            {"url": "https://j.example", "credential.basic.username": ""},
            "credential.basic.username",
            "missing",
        ),
        ({"url": "https://j.example", "credential.basic.secret": ""}, "credential.basic.secret", "missing"),
        ({"url": "https://j.example", "credential.kind": "x"}, "credential.kind", "choose"),
        ({"url": "https://j.example", "custom_field_mappings": "[{]"}, "custom_field_mappings", "JSON"),
        ({"url": "https://j.example", "custom_field_mappings": "[" * 40}, "custom_field_mappings", "nested"),
        (
            {"url": "https://j.example", "custom_field_mappings": '[{"name": "x"}]'},
            "custom_field_mappings",
            "0/",
        ),
        ({"url": "https://j.example", "called": "plan"}, "called", "reserved"),
    ):
        answer = await me.fill(path, NEW, **{**typed, **change})
        assert answer.status_code == 422, (change, answer.text[:500])
        page = Page(answer.text)
        assert f"e-{field}" in page.ids, (change, answer.text)
        assert said in answer.text
        assert CANARY not in answer.text
        assert 'value="OPS"' in answer.text, "what else was typed is kept"
    assert await desk.written() == before


async def test_trying_out_tells_the_cause_and_the_remedy_and_stores_nothing(desk: Desk) -> None:
    me = await Visitor.of(desk)
    before = await desk.written()
    answer = await me.fill(
        f"{NEW}?provider=ticketing_jira",
        NEW,
        **{
            "go": "test",
            "url": "http://127.0.0.1:9",
            "credential.kind": "basic",
            "credential.basic.username": "me@example.com",
            "credential.basic.secret": CANARY,
        },
    )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "connect" in answer.text, answer.text
    assert CANARY not in answer.text
    assert "me@example.com" in answer.text
    assert await desk.written() == before


@pytest.mark.parametrize("permission_set", ["viewer", "member"])
async def test_who_may_not_connect_systems_cannot(desk: Desk, permission_set: str) -> None:
    one = await desk.add(JIRA)
    me, viewer = await Visitor.of(desk), await Visitor.of(desk, permission_set)
    page = await viewer.see("/integrations")
    assert one.name in page.text
    assert NEW not in page.links
    await viewer.see(NEW, 403)
    fields = (await me.see(f"{NEW}?provider=ticketing_mock_ticketing")).form(NEW)
    before = await desk.written()
    for go in ("test", "save"):
        refused = await viewer.send(NEW, {**fields, "csrf": page.form("/logout")["csrf"], "go": go})
        assert refused.status_code == 403
    assert await desk.written() == before

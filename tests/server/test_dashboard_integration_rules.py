"""The rules of an integration: which incidents become tickets, which tickets incidents, by a form of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from callout.server.dashboard.integration_rules import text_of, words_in
from tests.server.by_forms import Page, Visitor
from tests.server.desk import JIRA, SLACK

if TYPE_CHECKING:
    from tests.server.desk import Desk

PAGERDUTY = {
    "type": "ticketing_pagerduty",
    "url": "http://127.0.0.1:9",
    "credential": {"type": "token", "secret": "pd-key-0000000000000"},
    "default_project": "PSVC001",
}


async def rules_of(desk: Desk, name: str = "one") -> dict[str, Any]:
    found = await desk.core.database.read(
        lambda tx: desk.core.integrations.get(tx.account(desk.account), name)
    )
    sync = found.settings.get("sync", {})
    assert isinstance(sync, dict)
    return sync


async def test_rules_are_written_changed_and_taken_away(desk_on_both: Desk) -> None:
    desk = desk_on_both
    path = f"/integrations/{(await desk.add(JIRA)).id}/rules"
    me = await Visitor.of(desk)
    await me.do(
        path,
        path,
        **{
            "create": "rules",
            "create.0.severity": "SEV-1, sev2",
            "create.0.team": "payments",
            "accept": "rules",
            "accept.0.title_contains": '"down, again", outage',
            "accept.0.status": "category:new",
            "accept.0.set.service": "mail",
            "accept.0.set.tags": "a, b",
            "file_readers": "customer",
            "watch_webhooks": "",
        },
    )
    assert await rules_of(desk) == {
        "create": [{"severity": ["SEV-1", "sev2"], "team": ["payments"]}],
        "accept": [
            {
                "title_contains": ["down, again", "outage"],
                "status": ["category:new"],
                "set": {"service": "mail", "tags": ["a", "b"]},
            }
        ],
        "file_readers": "customer",
        "watch_webhooks": False,
    }
    shown = (await me.see(path)).form(path)
    assert shown["accept.0.title_contains"] == '"down, again", outage'
    await me.do(path, path, **{"accept.1.every": "1", "accept.1.set.team": "night"})
    assert (await rules_of(desk))["accept"][1] == {"set": {"team": "night"}}
    kept = await rules_of(desk)
    await me.do(path, path)
    assert await rules_of(desk) == kept, "saved as it stands, nothing changes"
    emptied = {name: "" for name in shown if name.startswith("create.0.")}
    await me.do(path, path, **{**emptied, "create": "all", "file_readers": "", "watch_webhooks": "1"})
    assert await rules_of(desk) == {"accept": kept["accept"]}


async def test_what_the_connector_has_is_shown_and_not_stored(desk: Desk) -> None:
    path = f"/integrations/{(await desk.add(PAGERDUTY)).id}/rules"
    me = await Visitor.of(desk)
    form = (await me.see(path)).form(path)
    assert (form["create"], form["accept"]) == ("all", "all"), "PagerDuty's incidents become incidents"
    await me.do(path, path)
    assert await rules_of(desk) == {}
    await me.do(path, path, accept="none")
    assert await rules_of(desk) == {"accept": False}


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"create": "rules"}, "create", "at least one rule"),
        ({"create": "some"}, "create", "of the list"),
        ({"create": "rules", "create.0.severity": "worst"}, "create.0.severity", "not a severity"),
        (
            {"accept": "rules", "accept.3.tag": "x", "accept.5.status": "category:odd"},
            "accept.5.status",
            "not a category",
        ),
        ({"accept": "rules", "accept.0.set.tags": "x"}, "accept.0.every", "write a condition"),
        ({"accept": "rules", "accept.0.tag": "x", "accept.0.every": "1"}, "accept.0.every", "no conditions"),
        ({"accept": "rules", "accept.0.tag": '"x'}, "accept.0.tag", "quote"),
        ({"accept": "rules", "accept.0.tag": "x" * 6_000}, "accept.0.tag", "more than"),
        ({"file_readers": "nobody"}, "file_readers", "of the list"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field_and_kept(
    desk: Desk, typed: dict[str, str], field: str, words: str
) -> None:
    path = f"/integrations/{(await desk.add(JIRA)).id}/rules"
    me = await Visitor.of(desk)
    answer = await me.fill(path, path, **typed)
    assert answer.status_code == 422, answer.text
    page = Page(answer.text)
    assert f"e-{field}" in page.ids
    assert words in answer.text.partition(f'id="e-{field}"')[2].partition("</p>")[0]
    shown = page.form(path)
    assert {name: shown.get(name, "") for name in typed if not name.endswith(("create", "readers"))} == {
        name: value for name, value in typed.items() if not name.endswith(("create", "readers"))
    }
    assert await rules_of(desk) == {}


async def test_who_was_slower_is_told_and_others_are_refused(desk: Desk) -> None:
    one = await desk.add(JIRA)
    path = f"/integrations/{one.id}/rules"
    me, viewer = await Visitor.of(desk), await Visitor.of(desk, "viewer")
    form = (await me.see(path)).form(path)
    await me.do(path, path, accept="all")
    late = await me.send(path, {**form, "create": "none"})
    assert late.status_code == 422
    assert "somebody else" in late.text
    assert "Save</button>" not in (await viewer.see(path)).text
    refused = await viewer.fill("/incidents", "/logout")  # a form of theirs, for its mark
    assert refused.status_code == 303
    chat = await desk.add(SLACK, name="chat")
    await me.see(f"/integrations/{chat.id}/rules", 400)


@pytest.mark.parametrize("words", [["a", "b"], ["down, again"], ['say "x", loud', "b"], ["ü, ö"]])
def test_words_come_back_as_they_were(words: list[str]) -> None:
    assert words_in(text_of(words)) == words

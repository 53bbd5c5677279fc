"""Forms, menus, shortcuts, the home page and actions on messages, as people in Slack use them."""

from __future__ import annotations

from typing import Any

from tests.stories.installation import Installation
from tests.stories.people import Json, eventually

HERE = "C0INCIDENTS"


async def _modal(installation: Installation, user: str, title: str) -> Json:
    """Return the form that a person sees."""

    async def there() -> Json:
        seen = await installation.slack.act("sees", user=user)
        modal: Json = seen["modal"] or {}
        assert modal.get("title", {}).get("text") == title
        return modal

    return await eventually(there, what=f"the form {title!r}")


async def _submit(installation: Installation, user: str, **values: Any) -> Json:
    return await installation.slack.act("submit_view", user=user, values=values)


async def _card(installation: Installation) -> Json:
    await installation.quiet()
    return (await installation.slack.messages("incidents"))[0]


async def test_an_incident_by_forms_alone(installation: Installation) -> None:
    api, slack = installation.api, installation.slack
    assert (await slack.type("declare"))["status"] == 200
    await _modal(installation, "U0ANN", "Declare an incident")
    done = await _submit(installation, "U0ANN", title="checkout is down", severity="SEV-2", service="web")
    assert done["outcome"] == "closed"
    made = await installation.incident_when(
        "INC-1", title="checkout is down", severity="SEV-2", service="web"
    )
    assert made["declared_by"]["name"].lower().startswith("ann")

    where: Json = {"user": "U0BOB", "channel": HERE, "ts": (await _card(installation))["ts"]}
    await slack.act("choose", **where, action_id="menu.severity", value=f"{made['id']}/SEV-1")
    await installation.incident_when("INC-1", severity="SEV-1")

    await slack.act("choose", **where, action_id="menu.more", value=f"{made['id']}/note")
    await _modal(installation, "U0BOB", "Write a note")
    await _submit(installation, "U0BOB", text="the *cache* is cold", audience="internal")
    assert await api.notes("INC-1") == ["the *cache* is cold"]

    await slack.act("choose", **where, action_id="menu.more", value=f"{made['id']}/task")
    await _modal(installation, "U0BOB", "Add a task")
    await _submit(installation, "U0BOB", text="warm the cache", person="U0ANN", due="2030-01-31")
    [task] = await api("GET", "/v1/incidents/INC-1/tasks")
    assert (task["title"], task["assignee"]["name"].lower()[:3]) == ("warm the cache", "ann")
    assert task["due"].startswith("2030-01-31")

    await slack.act("press_button", **where, action_id="form.resolve")
    await _modal(installation, "U0BOB", "Resolve")
    await _submit(installation, "U0BOB", note="warmed it")
    await installation.incident_when("INC-1", status="resolved")
    assert "warmed it" in await api.notes("INC-1")
    await installation.quiet()


async def test_a_form_filled_in_wrongly_says_so_at_its_field(on_sqlite: Installation) -> None:
    installation, slack = on_sqlite, on_sqlite.slack
    await slack.act("global_shortcut", user="U0ANN", callback_id="declare")
    await _modal(installation, "U0ANN", "Declare an incident")
    wrong = await _submit(installation, "U0ANN", title="   ")
    assert wrong["outcome"] == "errors"
    assert set(wrong["errors"]) == {"title"}
    assert await installation.rows("incident") == 0
    assert (await _submit(installation, "U0ANN", title="better"))["outcome"] == "closed"
    await installation.incident_when("INC-1", title="better")
    await installation.quiet()


async def test_the_home_page_shows_what_is_mine(on_sqlite: Installation) -> None:
    installation, slack = on_sqlite, on_sqlite.slack
    await slack.said("declare sev1 checkout is down")
    await slack.said("assign INC-1 me")
    await slack.said("declare search is slow", user="U0BOB")
    await installation.quiet()
    await slack.act("open_home", user="U0ANN")

    async def shown(*words: str) -> str:
        seen = await slack.act("sees", user="U0ANN")
        text = str(seen["home"])
        assert all(word in text for word in words), text
        return text

    page = await eventually(lambda: shown("Your incidents", "INC-1", "INC-2"), what="the home page")
    assert page.index("INC-1") < page.index("Active") < page.index("INC-2")
    seen = await slack.act("sees", user="U0ANN")
    await slack.act(
        "press_button", user="U0ANN", view_id=seen["home"]["id"], action_id="incident.acknowledge"
    )
    await installation.incident_when("INC-1", status="acknowledged")
    await eventually(lambda: shown("(acknowledged)"), what="the home page follows")
    await slack.act("press_button", user="U0ANN", view_id=seen["home"]["id"], action_id="form.declare")
    await _modal(installation, "U0ANN", "Declare an incident")


async def test_a_message_is_put_on_the_timeline_and_followed(installation: Installation) -> None:
    api, slack = installation.api, installation.slack
    await api.declare("checkout is down")
    said = await slack.act("message", user="U0BOB", channel=HERE, text="the <https://x.example|graph> is red")
    about: Json = {"channel": HERE, "ts": said["ts"]}
    await slack.act("message_action", user="U0ANN", callback_id="add_to_timeline", **about)
    await _modal(installation, "U0ANN", "Add to timeline")
    incident = await api.incident("INC-1")
    await _submit(installation, "U0ANN", incident=incident["id"])

    async def lines() -> list[str]:
        return [str(entry["data"].get("text", "")) for entry in await api.timeline("INC-1")]

    async def there(text: str) -> bool:
        assert any(text in line for line in await lines()), await lines()
        return True

    await eventually(lambda: there("is red"), what="the message")
    await slack.act("edit_message", user="U0BOB", **about, text="the graph is green")
    await eventually(lambda: there("is green"), what="its edit")
    # In the incident's own channel nothing has to be asked.
    await installation.quiet()
    own = await slack.own_channel("INC-1")
    await slack.act("join_channel", user="U0BOB", channel=own)
    said = await slack.act("message", user="U0BOB", channel=own, text="rolled back")
    await slack.act("message_action", user="U0BOB", callback_id="add_to_timeline", channel=own, ts=said["ts"])
    await eventually(lambda: there("rolled back"), what="the second message")
    await installation.quiet()


async def test_a_form_that_comes_too_late_is_said(on_sqlite: Installation) -> None:
    slack = on_sqlite.slack
    await slack.fault({"match": {"path": "views.open"}, "effect": {"kind": "latency", "seconds": 4}})
    typed = await slack.type("declare")
    assert typed["elapsed_ms"] < 1500  # the answer does not wait for the form

    async def told() -> bool:
        seen = await slack.act("sees", user="U0ANN", channel=HERE)
        return "did not open the form in time" in str(seen["ephemerals"])

    await eventually(told, what="words in place of the form")

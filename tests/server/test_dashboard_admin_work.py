"""Administration: the audit with its chain, the work with its dead letters, notifications, settings; and no secret on any page."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from callout.bootstrap.administering import facts_of, without_password
from callout.bootstrap.settings import load_settings
from tests.server.by_forms import Page, Visitor
from tests.server.desk import SLACK, opened
from tests.server.test_dashboard_admin import PAGES
from tests.server.visitor import member

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.desk import Desk


async def run(desk: Desk, statement: str, *params: object) -> None:
    """Run a statement as an operator of the database would; parameters are written $1 for both."""
    sqlite = statement.replace("$", "?")
    await desk.core.database.transaction(lambda tx: tx.driver_all(sqlite, statement, params))


async def dead(desk: Desk, number: int, *, error: str, state: str = "dead") -> None:
    await run(
        desk,
        "UPDATE job SET state = $1, dead_at = enqueued_at, attempts = 8, last_error = $2 WHERE id = $3 RETURNING id",
        state,
        error,
        number,
    )


async def jobs_of(desk: Desk, where: str = "1 = 1") -> list[int]:
    asked = f"SELECT id FROM job WHERE {where} ORDER BY id"  # noqa: S608  # constants of this file
    return [row[0] for row in await desk.core.database.read(lambda tx: tx.driver_all(asked, asked))]


# ----------------------------------------------------------------------------------------------- audit


async def test_the_audit_is_filtered_and_taken_away(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    await desk.api("POST", "/v1/teams", json={"name": "=cmd|' /C calc'!A0"})
    await desk.api.declare("down")
    page = await me.see("/admin/audit?action=team.*")
    assert "team.created" in page.text
    assert "incident.declared" not in page.text
    assert "incident.declared" in (await me.see("/admin/audit?subject=incident")).text
    assert "team.created" not in (await me.see("/admin/audit?who=nobody-called-so")).text
    assert "team.created" in (await me.see("/admin/audit?who=TEST&channel=api")).text
    answer = await me.answer("/admin/audit.csv?action=team.created")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["action"], row["actor_name"]) == ("team.created", "tests")
    found = json.loads((await me.answer("/admin/audit.json")).text)
    assert [one["created_at"] for one in found] == sorted(one["created_at"] for one in found)
    wrong = await me.answer("/admin/audit?since=yesterday")
    assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)
    assert (await me.answer("/admin/audit.csv?since=yesterday")).status_code == 400


async def test_pages_and_exports_of_the_audit_leave_nothing_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callout.server.dashboard.admin_audit.AT_ONCE", 3)
    monkeypatch.setattr("callout.server.dashboard.admin_audit.EXPORTED_AT_ONCE", 2)
    me = await Visitor.of(desk)
    for number in range(7):
        await desk.api("POST", "/v1/teams", json={"name": f"team-{number}"})
    found = json.loads((await me.answer("/admin/audit.json?action=team.created")).text)
    assert [one["data"]["name"] for one in found] == [f"team-{number}" for number in range(7)]
    path, seen = "/admin/audit?action=team.created", []
    while path:
        page = await me.see(path)
        seen += [name for name in [f"team-{n}" for n in reversed(range(7))] if f"{name}&#34;" in page.text]
        path = next((one for one in page.links if "after=" in one), "")
    assert seen == [f"team-{number}" for number in reversed(range(7))]


async def test_the_chain_is_checked_and_a_break_is_told_in_words(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    assert "Nothing has been sealed so far" in (await me.see("/admin/audit/chain")).text
    await desk.core.database.transaction(desk.core.sealer.seal)
    assert "Yes." in (await me.see("/admin/audit/chain")).text
    head = await me.answer("/admin/audit/head.json")
    assert "attachment" in head.headers["content-disposition"]
    same = await me.fill("/admin/audit/chain", "/admin/audit/chain", head=head.text)
    assert (same.status_code, "still holds" in same.text) == (200, True)
    for typed in ("", "{}", "[]", "null", "not a head"):
        wrong = await me.fill("/admin/audit/chain", "/admin/audit/chain", head=typed)
        assert (wrong.status_code, "e-head" in Page(wrong.text).ids) == (422, True), typed
    forged = {**json.loads(head.text), "count": 1}
    told = await me.fill("/admin/audit/chain", "/admin/audit/chain", head=json.dumps(forged))
    assert "not signed by this installation" in told.text
    # Somebody with the database in hand, and without the keys.
    await run(desk, "UPDATE audit_heads SET count = count + 5 RETURNING count")
    broken = await me.see("/admin/audit/chain")
    assert "No." in broken.text
    assert "cut off" in broken.text


# ------------------------------------------------------------------------------------------------ work


async def test_dead_letters_are_explained_replayed_and_discarded(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    await desk.api.declare("down")
    await desk.api.declare("up")
    chat = await jobs_of(desk, "kind = 'event:chat'")
    assert len(chat) >= 2
    await dead(desk, chat[0], error="the channel is <b>archived</b>", state="blocked")
    await dead(desk, chat[1], error="the channel is archived")
    page = await me.see("/admin/jobs")
    assert "after 8 attempts: the channel is &lt;b&gt;archived" in page.text
    assert "holds up what comes after it" in page.text
    assert f"behind job {chat[0]}" in page.text
    asked = await me.see(f"/admin/jobs?job={chat[0]}")
    assert "Later jobs of its key wait for it" in asked.text
    csrf = page.form("/logout")["csrf"]
    assert (await me.send("/admin/jobs/replay", {"csrf": csrf, "job": str(chat[1])})).status_code == 303
    assert await jobs_of(desk, "state <> 'waiting'") == [chat[0]]
    assert (await me.send("/admin/jobs/replay", {"csrf": csrf, "kind": "event:chat"})).status_code == 303
    assert await jobs_of(desk, "state <> 'waiting'") == []
    for number in chat[:2]:
        await dead(desk, number, error="gone")
    assert (await me.send("/admin/jobs/discard", {"csrf": csrf, "kind": "event:chat"})).status_code == 303
    assert not {*chat[:2]} & {*await jobs_of(desk)}
    for fields in ({"job": str(chat[0])}, {"job": "x"}, {"job": "9" * 40}, {}, {"kind": "no.such"}):
        again = await me.send("/admin/jobs/discard", {"csrf": csrf, **fields})
        assert (again.status_code, 'role="alert"' in again.text) == (422, True), fields
    trail = json.loads((await me.answer("/admin/audit.json?action=jobs.*")).text)
    assert [(one["action"], one["data"]["jobs"], one["channel"]) for one in trail] == [
        ("jobs.replayed", 1, "dashboard"),
        ("jobs.replayed", 1, "dashboard"),
        ("jobs.discarded", 2, "dashboard"),
    ]


async def test_who_is_in_for_one_account_sees_and_touches_its_own_only(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await desk.api.declare("a secret of the default account")
    east = await desk.add_account("east")
    await member(desk)
    number = (await jobs_of(desk))[0]
    await dead(desk, number, error="only for the default account")
    one = await desk.token("administrator", resources={"accounts": {"ids": [east]}})
    me = Visitor(desk, await desk.cookie(desk.holder(one).token))
    for path in (
        "/admin/jobs",
        f"/admin/jobs?job={number}",
        "/admin/audit",
        "/admin/audit.json",
        "/admin/tokens",
    ):
        page = await me.answer(path)
        assert page.status_code == 200
        assert "default account" not in page.text, path
        assert desk.account not in page.text, path
    csrf = (await me.see("/admin/jobs")).form("/logout")["csrf"]
    for verb in ("replay", "discard"):
        refused = await me.send(f"/admin/jobs/{verb}", {"csrf": csrf, "job": str(number)})
        assert refused.status_code == 422
    assert await jobs_of(desk, "state <> 'waiting'") == [number]
    theirs, chat = await desk.token("viewer"), await desk.add(SLACK)
    for path, status in (
        (f"/admin/tokens/{theirs.id}/revoke", 403),
        (f"/admin/tokens/{theirs.id}/reset", 403),
        (f"/admin/tokens/{chat.refresh_token_id}/reset", 403),
        (f"/admin/routing/{chat.id}", 404),
    ):
        assert (await me.send(path, {"csrf": csrf, "document": "{}"})).status_code == status, path
    issued = await me.send("/admin/tokens/new", {"csrf": csrf, "kind": "integration", "integration": chat.id})
    assert issued.status_code == 422
    for path in ("/admin/audit/chain", "/admin/audit/head.json", "/admin/settings"):
        assert (await me.answer(path)).status_code == 403, path
    for path, fields in (
        ("/admin/people/new", {"name": "eve", "role": "admin"}),
        ("/admin/people/bo/reset", {}),
        ("/admin/jobs/pause", {"reason": "x", "everywhere": "1"}),
    ):
        assert (await me.send(path, {"csrf": csrf, **fields})).status_code == 403, path
    wider = await me.send("/admin/tokens/new", {"csrf": csrf, "permission_set": "viewer", "name": "wide"})
    assert wider.status_code == 403
    assert (await me.send("/admin/jobs/pause", {"csrf": csrf, "reason": "ours"})).status_code == 303
    assert [pause.account_id for pause in await desk.core.database.read(desk.core.pauses.list)] == [east]


async def test_all_writes_are_paused_and_go_on(desk: Desk) -> None:
    me = await Visitor.of(desk)
    nothing = await me.fill("/admin/jobs", "/admin/jobs/pause", reason=" ")
    assert (nothing.status_code, "e-reason" in Page(nothing.text).ids) == (422, True)
    await me.do("/admin/jobs", "/admin/jobs/pause", reason="the vendor is being moved", everywhere="1")
    assert "Everything everywhere" in (await me.see("/admin/jobs")).text
    assert len(await desk.core.database.read(desk.core.pauses.list)) == 1
    await me.do("/admin/jobs", "/admin/jobs/resume")
    assert await desk.core.database.read(desk.core.pauses.list) == []


# --------------------------------------------------------------------------------------- notifications


async def test_rules_of_notifications_are_shown_and_edited(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(SLACK, name="team-chat")
    me = await Visitor.of(desk)
    home = f"/admin/routing/{one.id}"
    assert "team-chat" in (await me.see("/admin/routing")).text
    rules = {
        "channels": {"default": "news"},
        "routes": [{"when": {"service": "checkout", "days": ["sat"]}, "to": ["dm:@commander", "@team"]}],
        "fallback": {"channel": "duty-desk"},
    }
    stale = (await me.see(home)).form(home)
    await me.do(home, home, document=json.dumps(rules))
    shown = await me.see("/admin/routing")
    for words in ("service checkout; on sat", "dm:@commander, @team", "duty-desk", "#news"):
        assert words in shown.text
    saved = await desk.core.database.read(
        lambda tx: desk.core.integrations.get(tx.account(desk.account), one.id)
    )
    assert saved.provider_config["routes"] == rules["routes"]
    assert saved.provider_config["credential"] == one.provider_config["credential"]
    late = await me.send(home, {**stale, "document": "{}"})
    assert late.status_code == 422
    for typed in (
        '{"url": "http://127.0.0.1:1/elsewhere"}',
        '{"credential": {"type": "token", "secret": "x"}}',
        '{"routes": [{"to": ["@nobody"]}]}',
        '{"channels": {"worst": "x"}}',
        '{"routes": 7}',
    ):
        wrong = await me.fill(home, home, document=typed)
        assert (wrong.status_code, "e-document" in Page(wrong.text).ids) == (422, True), typed


# ------------------------------------------------------------------------------------------ settings


async def test_settings_are_shown_without_a_secret_among_them(sqlite_path: Path, tmp_path: Path) -> None:
    secrets = {"oidc_client_secret": "canary-oidc-secret"}
    async with opened(
        f"sqlite:///{sqlite_path}",
        tmp_path,
        oidc_issuer="https://id.example.com",
        oidc_client_id="callout",
        **secrets,
    ) as desk:
        await desk.add(
            {**SLACK, "credential": {"type": "token", "secret": "xoxb-canary-slack"}}, key="canary-key"
        )
        me = await Visitor.of(desk)
        page = await me.see("/admin/settings")
        assert "oidc_client_secret" in page.text
        assert "set, not shown" in page.text
        assert "v1" in page.text
        keys = desk.core.keys.to_text().reveal()
        canaries = [*secrets.values(), "xoxb-canary-slack", "canary-key", keys, keys.partition(":")[2]]
        for path in PAGES:
            shown = await me.answer(path)
            assert shown.status_code == 200, path
            assert not [one for one in canaries if one in shown.text], path


def test_a_setting_says_where_it_is_from(tmp_path: Path) -> None:
    file = tmp_path / "callout.toml"
    file.write_text('log_level = "debug"\nport = 1\n')
    environ = {
        "CALLOUT_PORT": "2",
        "CALLOUT_KEYS": "v1:canary",
        "CALLOUT_ALLOW_NETWORKS": "10.0.0.0/8,192.168.0.0/16",
    }
    loaded = load_settings({"host": "0.0.0.0", "data_dir": None}, environ=environ, file=file)  # noqa: S104  # only read
    found = {one.name: one for one in facts_of(loaded)}
    assert {
        name: (found[name].value, found[name].source) for name in ("log_level", "port", "host", "pool_size")
    } == {
        "log_level": ("debug", str(file)),
        "port": ("2", "the environment"),
        "host": ("0.0.0.0", "the command line"),  # noqa: S104
        "pool_size": ("10", "default"),
    }
    assert found["allow_networks"].value == "10.0.0.0/8, 192.168.0.0/16"
    assert (found["keys"].value, found["keys"].hidden) == ("set, not shown", True)
    assert not [one for one in found.values() if "canary" in one.value]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://callout:canary@db:5432/callout", "postgresql://callout@db:5432/callout"),
        ("postgresql://db/callout?password=canary&user=x", "postgresql://db/callout"),
        ("postgresql://a:can@ary@db/callout", "postgresql://a@db/callout"),
        ("postgresql://a:canary@db:port/callout", "postgresql://…"),
        ("sqlite:////var/lib/callout.db", "sqlite:////var/lib/callout.db"),
    ],
)
def test_the_password_of_a_database_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown

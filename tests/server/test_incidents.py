"""Incidents over HTTP: pages and filters, changing, moves, notes, the timeline."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.server.desk import problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk
    from tests.stories.people import Api


async def keys(api: Api, query: str = "") -> list[str]:
    return [one["key"] for one in await api("GET", f"/v1/incidents?{query}")]


# ---------------------------------------------------------------------------------------- pages, filters


async def test_pages_hold_every_incident_once_whatever_is_declared_meanwhile(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    for number in range(7):
        await api.declare(f"number {number}")
    seen, cursor = [], ""
    for page in range(3):
        answer = (await api.request("GET", f"/v1/incidents?limit=3&cursor={cursor}")).json()
        seen += [one["key"] for one in answer["result"]]
        cursor = answer["cursor"]
        assert bool(cursor) == (page < 2)
        await api.declare("declared while somebody pages")
    assert seen == [f"INC-{number}" for number in range(7, 0, -1)]


async def test_filters_narrow_the_list(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    await api.declare("disk is 100% full", severity="SEV-1", service="db", team="core", tags=["eu", "disk"])
    await api.declare("login_fails", severity="SEV-2", service="web", tags=["eu"])
    await api.declare("slow", severity="SEV-3", description="pages of Müller take long")
    await api.act("INC-3", "acknowledge")
    middle = (await api.incident("INC-2"))["created_at"].replace("+", "%2B")

    for query, expected in {
        "": "321",
        "status=open": "21",
        "status=open&status=acknowledged": "321",
        "status=closed": "",
        "severity=SEV-1&severity=sev-3": "31",
        "service=db": "1",
        "service=d": "",
        "team=core": "1",
        "tag=eu": "21",
        "tag=eu&tag=disk": "1",  # the last one counts: a tag is one word
        "tag=eu&service=web": "2",
        "text=100%25": "1",
        "text=%25": "1",
        "text=_": "2",
        "text=FULL": "1",
        "text=m%C3%BCller": "3",
        f"created_from={middle}": "32",
        f"created_before={middle}": "1",
        "limit=100000": "321",
    }.items():
        found = await keys(api, query)
        if "m%C3%BCller" in query and not found and desk_on_both.core.database.dialect == "sqlite":
            continue  # SQLite folds the case of ASCII letters only
        assert found == [f"INC-{number}" for number in expected], query


BAD_QUERIES = [
    ("limit=0", "limit", "invalid-request"),
    ("limit=-1", "limit", "invalid-request"),
    ("limit=many", "limit", "invalid-request"),
    ("limit=1e3", "limit", "invalid-request"),
    ("cursor=garbage", "cursor", "invalid-cursor"),
    ("cursor=%C3%BC", "cursor", "invalid-cursor"),
    ("cursor=" + "A" * 400, "cursor", "invalid-cursor"),
    ("cursor=" + "A" * 501, "cursor", "invalid-request"),
    ("status=asleep", "status/0", "invalid-request"),
    ("severity=bad", "severity", "invalid-request"),
    ("created_from=2026-01-31T12:00:00", "created_from", "invalid-request"),
    ("created_before=2026-01-31", "created_before", "invalid-request"),
    ("created_from=soon", "created_from", "invalid-request"),
    ("text=" + "x" * 201, "text", "invalid-request"),
]


async def test_a_bad_query_is_refused_by_the_name_of_its_part(desk: Desk) -> None:
    for query, parameter, kind in BAD_QUERIES:
        said = problem_of(await desk.api.request("GET", f"/v1/incidents?{query}"), 400, kind)
        assert said["context"]["parameter"] == {"id": parameter, "location": "query"}, query


async def test_a_cursor_belongs_to_its_filters(desk: Desk) -> None:
    for number in range(3):
        await desk.api.declare(f"number {number}", severity="SEV-1")
    cursor = (await desk.api.request("GET", "/v1/incidents?limit=1")).json()["cursor"]
    said = problem_of(
        await desk.api.request("GET", f"/v1/incidents?limit=1&severity=SEV-1&cursor={cursor}"),
        400,
        "invalid-cursor",
    )
    assert "without a cursor" in said["remediation"]


async def test_a_forged_cursor_is_refused(desk_on_both: Desk) -> None:
    await desk_on_both.api.declare()
    await desk_on_both.api.declare()
    cursor = (await desk_on_both.api.request("GET", "/v1/incidents?limit=1")).json()["cursor"]
    digest = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split("|")[0]
    for moment in ("9" * 30, "1" * 300, "1.5", "", "1"):
        forged = base64.urlsafe_b64encode(f"{digest}|{moment}|\x00".encode()).decode().rstrip("=")
        answer = await desk_on_both.api.request("GET", f"/v1/incidents?cursor={forged}")
        problem_of(answer, 400, "invalid-cursor")


# --------------------------------------------------------------------------------------------- changing


async def test_a_field_left_out_stays_and_null_empties_it(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    person = {"id": "ann", "name": "Ann", "email": "ann@example.com"}
    key = await api.declare(
        "down",
        service="web",
        team="core",
        description="long",
        assignee=person,
        commander=person,
        tags=["b", "a"],
    )
    before = await api.incident(key)
    assert (before["tags"], before["assignee"], before["version"]) == (["a", "b"], person, 1)

    changed = await api.patch(key, service=None, assignee=None, tags=None, description=None)

    expected: dict[str, object] = {
        "service": "",
        "assignee": None,
        "tags": [],
        "description": "",
        "version": 2,
    }
    kept = {name: before[name] for name in ("title", "team", "commander", "severity", "created_at", "key")}
    assert {name: changed[name] for name in (*expected, *kept)} == {**expected, **kept}
    assert await api.incident(key) == changed
    assert await keys(api, "tag=a") == []


async def test_a_change_that_changes_nothing_writes_nothing(desk: Desk) -> None:
    key = await desk.api.declare("down")
    before, rows = await desk.api.incident(key), await desk.written()
    assert await desk.api.patch(key, title=" down ", severity="sev-3") == before
    assert await desk.api.patch(key) == before
    assert await desk.written() == rows


async def test_a_version_refuses_whoever_comes_second(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare("down")
    await api.patch(key, version=1, title="first")
    said = problem_of(
        await api.request("PATCH", f"/v1/incidents/{key}", json={"version": 1, "title": "second"}),
        409,
        "conflict",
    )
    assert "version 2" in said["message"]
    assert (await api.incident(key))["title"] == "first"
    for absurd in (-1, 10**30):
        problem_of(
            await api.request("PATCH", f"/v1/incidents/{key}", json={"version": absurd, "team": "x"}), 409
        )


BAD_CHANGES: list[tuple[object, str]] = [
    ({"colour": "red"}, "/colour"),
    ({"status": "closed"}, "/status"),
    ({"key": "INC-9"}, "/key"),
    ({"title": ""}, "/title"),
    ({"title": None}, "/title"),
    ({"title": 5}, "/title"),
    ({"title": "x" * 256}, "/title"),
    ({"severity": "bad"}, "/severity"),
    ({"severity": None}, "/severity"),
    ({"service": "x" * 101}, "/service"),
    ({"tags": "eu"}, "/tags"),
    ({"tags": [1]}, "/tags/0"),
    ({"tags": [str(n) for n in range(51)]}, "/tags"),
    ({"assignee": "ann"}, "/assignee"),
    ({"assignee": {}}, ""),
    ({"assignee": {"id": "a", "phone": "1"}}, "/assignee/phone"),
    ({"version": "one"}, "/version"),
]


async def test_a_bad_change_names_its_field_and_changes_nothing(desk: Desk) -> None:
    key = await desk.api.declare("down")
    before = await desk.written()
    for body, pointer in BAD_CHANGES:
        answer = await desk.api.request("PATCH", f"/v1/incidents/{key}", json=body)
        said = problem_of(answer, 400, "invalid-request")
        if pointer:
            assert said["context"]["parameter"] == {"id": pointer, "location": "body"}, body
    assert await desk.written() == before


async def test_an_unknown_incident_is_not_found(desk: Desk) -> None:
    for name in ("INC-99", "INC-0", "INC-", "inc-99999999999999999999", "nothing", "' --"):
        said = problem_of(await desk.api.request("GET", f"/v1/incidents/{name}"), 404, "not-found")
        assert "List the incidents" in said["remediation"]


# ------------------------------------------------------------------------------------------------ moves


async def test_a_whole_life_shows_what_is_possible_at_every_step(desk: Desk) -> None:
    api = desk.api
    key = await api.declare("down")
    possible = {
        "acknowledge": ["mitigate", "resolve"],
        "mitigate": ["resolve", "reopen"],
        "resolve": ["close", "reopen"],
        "close": ["reopen"],
        "reopen": ["acknowledge", "mitigate", "resolve"],
    }
    moved = await api.incident(key)
    for action, then in possible.items():
        moved = await api.act(key, action)
        assert moved["actions"] == then
        assert await api.incident(key) == moved
    assert [moved[f"{name}_at"] for name in ("acknowledged", "mitigated", "resolved", "closed")] == [None] * 4


async def test_an_illegal_move_is_refused_by_name_and_says_what_is_possible(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare("down")
    await api.act(key, "resolve")
    before = await desk_on_both.written()
    for move in ("acknowledge", "mitigate", "resolve"):
        said = problem_of(
            await api.request("POST", f"/v1/incidents/{key}/actions", json={"action": move}),
            409,
            "illegal-transition",
        )
        assert said["message"] == f"INC-1 is resolved: it cannot {move}"
        assert said["remediation"] == "From resolved it can: close, reopen."
    assert await desk_on_both.written() == before
    unknown = await api.request("POST", f"/v1/incidents/{key}/actions", json={"action": "explode"})
    assert "acknowledge" in problem_of(unknown, 400)["message"]


# ------------------------------------------------------------------------------------------------ notes


async def test_notes_are_read_by_their_audience_only(desk_on_both: Desk) -> None:
    desk = desk_on_both
    viewer, key = await desk.client("viewer"), await desk.api.declare("down")
    for audience in ("internal", "responders", "customer"):
        note = await desk.api.note(key, f"for {audience}", audience)
        assert (note["text"], note["audience"]) == (f"for {audience}", audience)
    assert await desk.api.notes(key) == ["for internal", "for responders", "for customer"]
    assert await viewer.notes(key) == ["for responders", "for customer"]
    shown = str(await viewer.timeline(key))
    assert "for responders" in shown
    assert "for internal" not in shown
    assert "for internal" in str(await desk.api.timeline(key))


async def test_a_note_that_is_none_is_refused(desk: Desk) -> None:
    key = await desk.api.declare("down")
    before = await desk.written()
    for body in (
        {"text": ""},
        {"text": " \n"},
        {"text": "x" * 100_001},
        {},
        {"text": "x", "audience": "all"},
    ):
        problem_of(await desk.api.request("POST", f"/v1/incidents/{key}/notes", json=body), 400)
    assert await desk.written() == before


# --------------------------------------------------------------------------------------------- timeline


async def test_a_correction_is_a_later_line_and_the_first_stays(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare("down")
    await api.note(key, "it was the database")
    wrong = (await api.timeline(key))[1]
    path = f"/v1/incidents/{key}/timeline/{wrong['id']}/corrections"
    line = await api("POST", path, {"text": "it was the network"}, status=201)
    after = await api.timeline(key)
    assert after[1] == wrong
    assert after[2] == line
    assert (line["kind"], line["corrects"], line["data"]) == (
        "corrected",
        wrong["id"],
        {"text": "it was the network"},
    )
    problem_of(await api.request("POST", path, json={"text": ""}), 400)
    other = await api.declare("another")
    elsewhere = path.replace(key, other)
    problem_of(await api.request("POST", elsewhere, json={"text": "x"}), 404)


async def test_the_correction_of_an_internal_line_is_internal(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await desk.api.note(key, "the customer's mistake", "internal")
    wrong = (await desk.api.timeline(key))[1]
    path = f"/v1/incidents/{key}/timeline/{wrong['id']}/corrections"
    await desk.api("POST", path, {"text": "our mistake"}, status=201)
    viewer = await desk.client("viewer")
    assert [line["kind"] for line in await viewer.timeline(key)] == ["declared"]


async def test_the_timeline_pages_forward(desk: Desk) -> None:
    api = desk.api
    key = await api.declare("down")
    for number in range(4):
        await api.note(key, f"note {number}")
    whole = await api.timeline(key)
    seen, cursor = [], ""
    for _ in range(3):
        page = (await api.request("GET", f"/v1/incidents/{key}/timeline?limit=2&cursor={cursor}")).json()
        seen += page["result"]
        cursor = page["cursor"]
    assert seen == whole
    assert cursor == ""
    problem_of(await api.request("GET", f"/v1/incidents/{key}/timeline?limit=0"), 400)
    moments = [datetime.fromisoformat(line["at"]) for line in whole]
    assert moments == sorted(moments)
    assert all(moment.tzinfo is not None and moment <= datetime.now(UTC) for moment in moments)

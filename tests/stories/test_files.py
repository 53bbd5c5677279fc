"""Files at an incident and at its tickets: each comes to the other places once, and to nobody whom it is not meant for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.installation import Installation, running
from tests.stories.people import JIRA_USER, Json, eventually
from tests.stories.vendors import ServiceNowPeople, add_servicenow, settled, skip

DUMP = bytes(range(256)) * 3_000


class Desk:
    """An installation with Jira and ServiceNow, an incident with a ticket in both, and what is attached where."""

    def __init__(self, installation: Installation, servicenow: ServiceNowPeople) -> None:
        self.installation = installation
        self.jira = installation.jira
        self.servicenow = servicenow
        self.api = installation.api
        self.key = self.issue = self.record = ""

    async def declare(self) -> None:
        self.key = await self.api.declare("checkout is down", severity="SEV-2")

        async def linked() -> bool:
            links = {one["integration"]: one for one in await self.api.links(self.key)}
            self.issue, self.record = links["jira"]["ticket_key"], links["servicenow"]["ticket_id"]
            return bool(self.issue and self.record)

        await eventually(linked, what="a ticket in both")

    async def attach(self, name: str, content: bytes, audience: str = "responders") -> Json:
        answer = await self.api.request(
            "POST",
            f"/v1/incidents/{self.key}/attachments",
            params={"name": name, "audience": audience},
            content=content,
            headers={"content-type": "application/octet-stream"},
        )
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()["result"]
        return made

    async def here(self) -> list[tuple[str, str]]:
        """Name and digest of each file of the incident, those on their way without."""
        found = await self.api("GET", f"/v1/incidents/{self.key}/attachments")
        return sorted((one["name"], one["sha256"]) for one in found)

    async def in_jira(self) -> list[tuple[str, str]]:
        fields = (await self.jira.issue(self.issue))["fields"]
        found = []
        for one in fields["attachment"]:
            answer = await self.installation.http.get(one["content"], auth=JIRA_USER, follow_redirects=True)
            found.append((one["filename"], digest(answer.content)))
        return sorted(found)

    async def in_servicenow(self) -> list[tuple[str, str]]:
        http, url = self.installation.http, f"{self.servicenow.url}/api/now/attachment"
        params = {"sysparm_query": f"table_sys_id={self.record}"}
        listed = (await http.get(url, params=params, auth=("admin", "admin"))).json()["result"]
        found = []
        for one in listed:
            answer = await http.get(f"{url}/{one['sys_id']}/file", auth=("admin", "admin"))
            found.append((one["file_name"], digest(answer.content)))
        return sorted(found)

    async def everywhere(self, *files: tuple[str, bytes]) -> None:
        """Wait until these files, and no others, are at the incident and at both tickets; then see that it stays so."""
        wanted = sorted((name, digest(content)) for name, content in files)

        async def there() -> bool:
            assert await self.here() == wanted
            assert await self.in_jira() == wanted
            assert await self.in_servicenow() == wanted
            return True

        await eventually(there, what="each file in each place")
        await self.polled()
        assert await there()

    async def polled(self) -> None:
        """Wait until both were polled again, and nothing is under way."""
        before = await self.jira.last_seq(), await self.servicenow.last_seq()

        async def again() -> bool:
            jira = [call["path"] for call in await self.jira.calls(since=before[0])]
            servicenow = [call["path"] for call in await self.servicenow.calls(since=before[1])]
            polls = sum("/search" in path for path in jira), sum("sys_attachment" in p for p in servicenow)
            return min(polls) >= 2

        await eventually(again, what="two more polls of both")
        await settled(self.installation, self.jira, self.servicenow)

    async def files_of(self, integration: str) -> list[Json]:
        found: list[Json] = (await self.api.link(self.key, integration))["files"]
        return found

    async def told_once(self, kind: str) -> Json:
        """Return the only line of a kind."""
        lines = await self.told(kind)
        assert len(lines) == 1, lines
        return lines[0]

    async def told(self, kind: str) -> list[Json]:
        return [line for line in await self.api.timeline(self.key) if line["kind"] == kind]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def _opened(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Desk]:
    twins = ("jira", "slack", "servicenow")
    async with running(
        database_url, folder, vendors=("jira",), twins=twins, settings=settings
    ) as installation:
        _, servicenow = await add_servicenow(installation)
        desk = Desk(installation, servicenow)
        await desk.declare()
        yield desk


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async for found in _opened(database_url, tmp_path / "data"):
        yield found


@pytest.fixture
async def small(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    """On SQLite, with room for files of 1 MiB."""
    async for found in _opened(f"sqlite:///{sqlite_path}", tmp_path / "data", attachment_mib=1):
        yield found


async def test_files_of_all_sides_are_in_all_places_once(desk: Desk) -> None:
    await desk.attach("heap ü.bin", DUMP)
    await desk.jira.act(
        "attach", issue=desk.issue, filename="graph.png", text="from Jira", **{"as": "ann@example.com"}
    )
    await desk.servicenow.act("attach", record=desk.record, filename="trace.txt", text="from ServiceNow")
    await desk.attach("graph.png", b"another of that name")
    await desk.everywhere(
        ("heap ü.bin", DUMP),
        ("graph.png", b"from Jira"),
        ("graph.png", b"another of that name"),
        ("trace.txt", b"from ServiceNow"),
    )
    assert len(await desk.told("attached")) == 4
    assert {one["state"] for one in await desk.files_of("jira")} == {"paired"}
    assert len(await desk.jira.effects("attachment.create")) == 4
    assert len(await desk.servicenow.effects("attachment.add")) == 4


@pytest.mark.parametrize("kind", ["disconnect_after_write", "timeout_after_write"])
async def test_an_upload_whose_answer_is_lost_is_found_again(desk: Desk, kind: str) -> None:
    effect = {"kind": kind, **({"hold": 0.1} if kind == "timeout_after_write" else {})}
    upload = {"method": "POST", "path": "/attachments$", "first": 1}
    await desk.jira.fault({"match": upload, "effect": effect})
    await desk.servicenow.fault({"match": {**upload, "path": "/attachment/file$"}, "effect": effect})
    await desk.attach("error.log", b"first")
    await desk.attach("error.log", b"other")

    await desk.everywhere(("error.log", b"first"), ("error.log", b"other"))

    assert await desk.jira.faults_fired() == await desk.servicenow.faults_fired() == 1
    assert len(await desk.jira.effects("attachment.create")) == 2
    assert len(await desk.servicenow.effects("attachment.add")) == 2


async def test_an_upload_that_never_arrived_is_made_again_when_that_is_sure(desk: Desk) -> None:
    upload = {"method": "POST", "path": "/attachments$", "first": 1}
    await desk.jira.fault({"match": upload, "effect": {"kind": "disconnect"}})
    await desk.attach("error.log", b"once")
    await eventually(desk.jira.faults_fired, what="the lost request")
    for _ in range(8):
        await skip(desk.installation, 20, desk.jira, desk.servicenow)
    await desk.everywhere(("error.log", b"once"))
    assert len(await desk.jira.effects("attachment.create")) == 1


async def test_an_internal_file_stays_and_each_link_says_so_once(desk: Desk) -> None:
    await desk.attach("suspects.txt", b"xyzzy", "internal")
    await desk.attach("graph.png", b"for us all")

    async def said() -> bool:
        return len(await desk.told("sync_file_withheld")) == 2

    await eventually(said, what="a word for each link")
    await desk.polled()
    assert await desk.in_jira() == await desk.in_servicenow() == [("graph.png", digest(b"for us all"))]
    assert len(await desk.told("sync_file_withheld")) == 2
    for integration in ("jira", "servicenow"):
        [kept] = [one for one in await desk.files_of(integration) if one["state"] == "withheld"]
        assert "internal file stays here" in kept["why"]
    viewer = await desk.installation.client("viewer")
    shown = str(await viewer("GET", f"/v1/incidents/{desk.key}/timeline")) + str(await viewer.links(desk.key))
    assert "suspects" not in shown
    assert "suspects" not in str(await desk.jira.state()) + str(await desk.servicenow.state())


async def test_what_is_for_responders_is_not_shown_to_a_caller(desk: Desk) -> None:
    listed = await desk.installation.http.get(
        f"{desk.servicenow.url}/api/now/table/sys_user",
        params={"sysparm_limit": "1"},
        auth=("admin", "admin"),
    )
    [caller] = listed.json()["result"]
    await desk.installation.http.patch(
        f"{desk.servicenow.url}/api/now/table/incident/{desk.record}",
        json={"caller_id": caller["sys_id"]},
        auth=("admin", "admin"),
    )
    await desk.attach("for us.log", b"for us")
    await desk.attach("for them.log", b"for them", "customer")

    async def there() -> bool:
        assert len(await desk.in_jira()) == 2
        assert await desk.in_servicenow() == [("for them.log", digest(b"for them"))]
        line = await desk.told_once("sync_file_withheld")
        assert "customer" in line["data"]["why"]
        return True

    await eventually(there, what="the one file there and the word about the other")


async def test_a_file_too_large_stays_there_and_that_is_said(small: Desk) -> None:
    await small.jira.act("attach", issue=small.issue, filename="core.dump", text="x" * 1_100_000)

    async def told() -> bool:
        line = await small.told_once("attached")
        return "at most 1.0 MiB are kept here" in line["data"]["why"]

    await eventually(told, what="the word about it")
    await small.polled()
    [known] = await small.api("GET", f"/v1/incidents/{small.key}/attachments")
    assert (known["name"], known["state"], known["size"]) == ("core.dump", "elsewhere", 1_100_000)
    answer = await small.api.request("GET", f"/v1/incidents/{small.key}/attachments/{known['id']}")
    assert answer.status_code == 409
    assert small.issue in answer.json()["message"]
    assert await small.in_servicenow() == []
    assert all(link["problem"] is None for link in await small.api.links(small.key))


async def test_what_is_taken_away_there_stays_here(desk: Desk) -> None:
    made = await desk.attach("error.log", b"ours")
    await desk.everywhere(("error.log", b"ours"))
    await skip(desk.installation, 70, desk.jira, desk.servicenow)
    [one] = (await desk.jira.issue(desk.issue))["fields"]["attachment"]
    gone = await desk.installation.http.delete(
        f"{desk.jira.url}/rest/api/3/attachment/{one['id']}", auth=JIRA_USER
    )
    assert gone.status_code == 204

    async def told() -> bool:
        line = await desk.told_once("file_removed_there")
        return bool(line["data"]["name"] == "error.log" and line["data"]["ticket"] == desk.issue)

    await eventually(told, what="the word about it")
    await desk.polled()
    assert await desk.here() == [("error.log", made["sha256"])]
    assert await desk.in_jira() == []
    assert len(await desk.in_servicenow()) == 1
    assert [one["state"] for one in await desk.files_of("jira")] == ["gone"]


async def test_the_files_of_a_ticket_that_becomes_an_incident_come_with_it(
    database_url: str, tmp_path: Path
) -> None:
    async with running(database_url, tmp_path / "data", vendors=()) as installation:
        jira = installation.jira
        made = await jira.act(
            "create_issue", fields={"project": "TST", "issuetype": "Incident", "summary": "outage"}
        )
        await jira.act("attach", issue=made["key"], filename="before.log", text="of before")
        await installation.add_jira(sync={"accept": True})
        await jira.edit(made["key"], summary="outage in Europe")

        async def there() -> bool:
            [one] = (await installation.api("GET", "/v1/incidents")) or [None]
            assert one is not None
            found = await installation.api("GET", f"/v1/incidents/{one['key']}/attachments")
            return [(file["name"], file["sha256"]) for file in found] == [
                ("before.log", digest(b"of before"))
            ]

        await eventually(there, what="the file")

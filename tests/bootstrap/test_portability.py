"""What travels in an export: every table has its place, and a file that is not what was written is refused whole, in plain words."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap import portability
from callout.bootstrap.core import open_core, prepare_database
from callout.bootstrap.export_file import LONGEST_LINE
from callout.bootstrap.tables import METADATA
from callout.cli import main
from callout.cli.bench.installation import Installation, at_home
from callout.incidents import DeclareIncident
from callout.incidents.tables import incident, timeline_entry
from callout.kit.crash import VARIABLE
from callout.ports.values import Actor, Audience, Channel, Origin
from callout.storage.schema import LargeBinary

Members = dict[str, bytes]
ORIGIN = Origin(Channel.CLI, Actor.system("tests"))


def test_every_table_of_the_schema_has_its_place() -> None:
    """A new table is put in one of the lists of `bootstrap/portability.py`: it travels, is there to be read, or stays and why."""
    assert portability.unplaced() == []


def test_every_column_that_stays_behind_gets_a_value() -> None:
    assert portability.unfilled() == []


def test_columns_that_hold_secrets_stay_behind() -> None:
    for one in portability.TRAVELS:
        for column in one.columns:
            assert not column.name.endswith(("_sealed", "_hash", "sealed")), f"{one.name}.{column.name}"
            assert "password" not in column.name
            assert column.name == "token_ttl" or "token" not in column.name, f"{one.name}.{column.name}"


def test_signing_keys_inside_documents_stay_behind() -> None:
    table = METADATA.tables["integrations"]
    config = {
        "provider_key": "sealed",
        "previous_provider_key": "sealed",
        "previous_until": 1,
        "note": "kept",
        "api_token": "somebody's own",
        "items": [{"webhook_url": "https://a.example/x", "integrator_key": "sealed", "event_filter": []}],
    }
    row = portability.leaving(
        table, {"id": "1", "enabled": False, "webhook_config": config}, held=frozenset({"1"})
    )
    assert row["webhook_config"] == {
        "note": "kept",
        "items": [{"webhook_url": "https://a.example/x", "event_filter": []}],
    }
    assert row["enabled"]  # an import switched it off, not a person


def test_parts_of_files_are_read_a_few_at_a_time() -> None:
    for one in portability.TRAVELS:
        if any(isinstance(column.type, LargeBinary) for column in one.columns):
            assert one.at_once <= 8, one.name


# -------------------------------------------------------------------------------------------- what is no export


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of two incidents, and of more lines than are read at a time."""
    folder = tmp_path_factory.mktemp("exported")
    place = at_home(folder, f"sqlite:///{folder / 'callout.db'}")
    asyncio.run(_two_incidents(place))
    target = folder / "callout.tar.gz"
    made = said(place, "export", str(target))
    assert made.exit_code == 0, made.output
    assert "2 incidents with 604 lines" in made.output
    assert said(place, "export", str(target)).exit_code == 1  # never over another
    return target


async def _two_incidents(place: Installation) -> None:
    await prepare_database(place.settings())
    async with open_core(place.settings()) as core:
        account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))

        async def unit(tx: Any) -> None:
            scoped = tx.account(account.id)
            for title in ("checkout is down", "search is slow"):
                one = await core.incidents.declare(scoped, DeclareIncident(title), ORIGIN)
                for number in range(301):
                    await core.incidents.add_note(
                        scoped, one.id, f"note {number}", audience=Audience.INTERNAL, origin=ORIGIN
                    )

        await core.database.transaction(unit)


def said(place: Installation, *words: str) -> Result:
    return CliRunner().invoke(main, words, env=place.environment)


def members_of(archive: Path) -> Members:
    with tarfile.open(archive) as opened:
        return {one.name: opened.extractfile(one).read() for one in opened.getmembers()}  # type: ignore[union-attr]


def packed(target: Path, content: Members) -> Path:
    with tarfile.open(target, "w:gz", compresslevel=1) as made:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return target


def manifested(content: Members, **changes: Any) -> Members:
    """Return the archive with another manifest."""
    manifest = json.loads(content["manifest.json"]) | changes
    return {**content, "manifest.json": json.dumps(manifest).encode()}


def rewritten(content: Members, table: str, data: bytes) -> Members:
    """Return the archive with another part, which its manifest agrees to: nobody signs an export."""
    manifest = json.loads(content["manifest.json"])
    for part in manifest["parts"]:
        if part["table"] == table:
            digest = hashlib.sha256(data).hexdigest()
            part |= {"rows": data.count(b"\n"), "bytes": len(data), "sha256": digest}
    return manifested({**content, f"{table}.jsonl": data}, parts=manifest["parts"])


def _changed_byte(content: Members) -> Members:
    return {**content, "incident.jsonl": content["incident.jsonl"].replace(b"checkout", b"chackout")}


def _climbing(content: Members) -> Members:
    return {
        ("../../../etc/callout" if name == "incident.jsonl" else name): data for name, data in content.items()
    }


def _one_more(content: Members) -> Members:
    return {**content, "../evil": b"x"}


def _climbing_part(content: Members) -> Members:
    parts = json.loads(content["manifest.json"])["parts"]
    return manifested(content, parts=[*parts, {**parts[0], "table": "../evil"}])


def _long_line(content: Members) -> Members:
    return rewritten(content, "incident", b'{"title": "' + b"x" * LONGEST_LINE + b'"}\n')


def _orphan(content: Members) -> Members:
    line = json.loads(content["incident_note.jsonl"].splitlines()[0]) | {"incident_id": "nobody"}
    return rewritten(content, "incident_note", json.dumps(line).encode() + b"\n")


def _row(**changes: Any) -> Callable[[Members], Members]:
    def change(content: Members) -> Members:
        lines = content["incident.jsonl"].splitlines()
        first = json.dumps(json.loads(lines[0]) | changes).encode()
        return rewritten(content, "incident", b"\n".join([first, *lines[1:]]) + b"\n")

    return change


def _twice(content: Members) -> Members:
    return rewritten(content, "incident", content["incident.jsonl"] * 2)


REFUSED: dict[str, tuple[Callable[[Members], Members], str, str]] = {
    "a newer form": (
        lambda c: manifested(c, format=2, version="9.0"),
        "EXPORT_TOO_NEW",
        "version 9.0 or newer",
    ),
    "a newer schema": (lambda c: manifested(c, schema="9999"), "EXPORT_TOO_NEW", "does not know"),
    "another product": (lambda c: manifested(c, product="x"), "EXPORT_UNREADABLE", "no export of Callout"),
    "no manifest": (lambda c: {"x": b"y", **c}, "EXPORT_UNREADABLE", "no export of Callout"),
    "a changed byte": (_changed_byte, "EXPORT_DAMAGED", "its checksum is another"),
    "a name that climbs": (_climbing, "EXPORT_INVALID", "where incident.jsonl should be"),
    "a file too many": (_one_more, "EXPORT_INVALID", "its manifest does not name"),
    "a part that climbs": (_climbing_part, "EXPORT_INVALID", "which no export holds"),
    "a line without end": (_long_line, "EXPORT_INVALID", "incident.jsonl, line 1: longer than 32 MiB"),
    "a note of nobody": (_orphan, "EXPORT_INVALID", "refer to rows that it does not hold"),
    "a row twice": (_twice, "EXPORT_INVALID", "holds a row twice"),
    "a text for a number": (_row(number="one"), "EXPORT_INVALID", "line 1: number is not what"),
    "a time without zone": (_row(created_at="2026-01-01T00:00:00"), "EXPORT_INVALID", "created_at is not"),
    "a column too many": (_row(password_hash="x"), "EXPORT_INVALID", "has no column 'password_hash'"),
    "a column too few": (_row(title=None), "EXPORT_INVALID", "title is missing"),
    "no JSON": (lambda c: rewritten(c, "incident", b"{nonsense\n"), "EXPORT_INVALID", "line 1: no JSON"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_is_not_what_was_written_is_refused_whole(which: str, exported: Path, tmp_path: Path) -> None:
    change, code, words = REFUSED[which]
    archive = packed(tmp_path / "bad.tar.gz", change(members_of(exported)))
    _refused(archive, tmp_path, code, words)


@pytest.mark.parametrize(
    ("cut", "code"),
    [(0.02, "EXPORT_DAMAGED"), (0.3, "EXPORT_DAMAGED"), (0.98, "EXPORT_DAMAGED"), (0.0, "EXPORT_DAMAGED")],
)
def test_a_file_that_is_cut_off_is_refused_whole(
    cut: float, code: str, exported: Path, tmp_path: Path
) -> None:
    content = exported.read_bytes()
    archive = tmp_path / "cut.tar.gz"
    archive.write_bytes(content[: int(len(content) * cut)])
    _refused(archive, tmp_path, code, "cut.tar.gz")


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.SYMTYPE, tarfile.DIRTYPE]
)
def test_nothing_but_plain_files_is_looked_at(kind: bytes, exported: Path, tmp_path: Path) -> None:
    """An extended header of any length would be taken into memory whole by most who read archives."""
    archive = tmp_path / "odd.tar.gz"
    with gzip.open(archive, "wb", compresslevel=1) as made:
        manifest = members_of(exported)["manifest.json"]
        plain = tarfile.TarInfo("manifest.json")
        plain.size = len(manifest)
        made.write(plain.tobuf() + manifest + b"\0" * (-len(manifest) % tarfile.BLOCKSIZE))
        odd = tarfile.TarInfo("catalogue_service.jsonl")
        odd.type, odd.size = kind, 8_000_000_000
        made.write(odd.tobuf() + b"\0" * (1 << 20))
    _refused(archive, tmp_path, "EXPORT_INVALID", "which is no plain file")


def test_another_file_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "cv.pdf"
    archive.write_bytes(b"%PDF-1.7 " + os.urandom(5000))
    _refused(archive, tmp_path, "EXPORT_UNREADABLE", "no export of Callout")


def _refused(archive: Path, tmp_path: Path, code: str, words: str) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    place = at_home(folder, f"sqlite:///{folder / 'callout.db'}")
    answer = said(place, "import", str(archive))
    assert answer.exit_code == 1, answer.output
    assert f"[{code}]" in answer.stderr
    assert words in answer.stderr
    assert not (tmp_path.parent / "evil").exists()
    if (folder / "callout.db").exists():
        assert asyncio.run(_counts(place)) == (0, 0)


async def _counts(place: Installation) -> tuple[int, int]:
    async with open_core(place.settings()) as core:
        incidents = await core.database.read(lambda tx: tx.all(incident.select()))
        lines = await core.database.read(lambda tx: tx.all(timeline_entry.select()))
    return len(incidents), len(lines)


# ------------------------------------------------------------------------------------------ where it may not go


async def test_nothing_is_taken_into_what_is_not_empty_or_in_use(exported: Path, tmp_path: Path) -> None:
    place = at_home(tmp_path, f"sqlite:///{tmp_path / 'callout.db'}")
    await prepare_database(place.settings())
    async with open_core(place.settings()):
        answer = await asyncio.to_thread(said, place, "import", str(exported))
    assert "[IN_USE]" in answer.stderr
    done = await asyncio.to_thread(
        said, place, "import", str(exported)
    )  # a first start leaves it empty enough
    assert done.exit_code == 0, done.output
    again = await asyncio.to_thread(said, place, "import", str(exported))
    assert again.exit_code == 1
    assert "[NOT_EMPTY]" in again.stderr
    assert "2 in incident" in again.stderr
    async with open_core(place.settings()) as core:
        account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))
        made = await core.database.transaction(
            lambda tx: core.incidents.declare(tx.account(account.id), DeclareIncident("another"), ORIGIN)
        )
    assert made.key == "INC-3"  # numbers go on
    verified = await asyncio.to_thread(said, place, "audit", "verify", "--json")
    assert json.loads(verified.stdout)["ok"] is True, verified.output


async def test_what_was_under_way_is_ended_or_in_doubt(exported: Path, tmp_path: Path) -> None:
    content = members_of(exported)
    first = json.loads(content["incident.jsonl"].splitlines()[0])
    account, now = first["account_id"], first["created_at"]
    base = {"account_id": account, "incident_id": first["id"], "created_at": now, "updated_at": now}
    texts = dict.fromkeys(("purpose", "place", "channel", "ts", "thread", "error"), "")
    link_texts = dict.fromkeys(("ticket_id", "ticket_key", "ticket_url", "project", "ticket_version"), "")
    added: dict[str, dict[str, Any]] = {
        "incident_escalation": {
            **{key: base[key] for key in ("account_id", "incident_id", "updated_at")},
            "generation": 1,
            "policy": "p",
            "document": {},
            "state": "running",
            "position": 0,
            "cause": "declared",
            "reason": "",
            "begun_at": now,
            "next_at": now,
        },
        "incident_page": {
            **{key: base[key] for key in ("account_id", "incident_id")},
            "id": "page",
            "call_id": "c",
            "generation": 1,
            "position": 0,
            "target": {},
            "state": "pending",
            "means": "",
            "why": "",
            "due_at": now,
            "asked_at": now,
        },
        "chat_message": {
            **base,
            **texts,
            "id": "m",
            "integration_id": "s",
            "key": "k",
            "state": "pending",
            "version": 1,
        },
        "chat_channel": {
            **base,
            "id": "c",
            "integration_id": "s",
            "state": "creating",
            "name": "n",
            "channel_id": "",
            "private": False,
            "topic": "",
            "invited": [],
            "error": "",
        },
        "sync_link": {
            **base,
            **link_texts,
            "id": "l",
            "integration_id": "j",
            "state": "creating",
            "mark": "mark",
            "merge_state": {},
            "failures": 0,
            "writes": {},
        },
    }
    for table, row in added.items():
        content = rewritten(content, table, json.dumps(row).encode() + b"\n")
    place = at_home(tmp_path, f"sqlite:///{tmp_path / 'callout.db'}")
    archive = packed(tmp_path / "more.tar.gz", content)
    done = await asyncio.to_thread(said, place, "import", str(archive), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["escalations_stopped"] == 1
    assert told["doubtful"] == {"tickets": 1, "channels": 1, "messages": 1}
    async with open_core(place.settings()) as core:

        async def rows(table: str) -> Any:
            return await core.database.read(lambda tx: tx.all(METADATA.tables[table].select()))

        assert [row["state"] for row in await rows("incident_escalation")] == ["stopped"]
        assert [row["state"] for row in await rows("incident_page")] == ["failed"]
        assert [row["state"] for row in await rows("chat_message")] == ["perhaps_sent"]
        assert [row["state"] for row in await rows("chat_channel")] == ["failed"]
        assert (await rows("sync_link"))[0]["create_begun_at"] is not None  # searched for before it is made
        # The clocks of both incidents go on: somebody looks at each.
        timers = [row["payload"] for row in await rows("job") if row["kind"] == "incident.clock"]
        assert len(timers) == 2


@pytest.mark.parametrize("point", ["import.part:20", "import.written"])
def test_killed_in_the_middle_it_leaves_nothing_and_can_be_done_again(
    database_url: str, point: str, exported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    place = at_home(folder, database_url)
    asyncio.run(prepare_database(place.settings(), migrate=True))
    ended = subprocess.run(
        [sys.executable, "-m", "callout", "import", str(exported)],
        env={**place.environment, VARIABLE: point},
        check=False,
        timeout=120,
    )
    assert ended.returncode == -9
    assert asyncio.run(_counts(place)) == (0, 0)
    done = said(place, "import", str(exported))
    assert done.exit_code == 0, done.output
    assert asyncio.run(_counts(place)) == (2, 604)

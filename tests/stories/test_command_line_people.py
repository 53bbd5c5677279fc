"""The operator's commands about people and tasks, over one data directory; no server runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callout.access import SYSTEM
from callout.bootstrap.core import open_core
from callout.bootstrap.settings import load_settings
from callout.cli import main
from callout.ports.values import Channel, Origin, Person
from callout.storage import Tx


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"CALLOUT_DATA_DIR": str(tmp_path)}


def callout(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def told(environment: dict[str, str], *words: str) -> Any:
    done = callout(environment, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def with_ann(environment: dict[str, str], code: str = "") -> str:
    """Add the member Ann, or have a chat user type `code`; return the answer."""

    async def work() -> str:
        async with open_core(load_settings({}, environ=environment)) as core:

            async def unit(tx: Tx) -> str:
                if not code:
                    await core.members.create(
                        tx, actor=SYSTEM.actor, name="ann", fullname="Ann Ames", email="ann@example.com"
                    )
                    return ""
                user = await core.identities.remember(tx, "chat_slack", "T1", Person("U1", "annie"))
                origin = Origin(Channel.CHAT, user.actor)
                member, problem = await core.identities.codes.redeem(tx, user, code, origin=origin)
                return problem if member is None else member.name

            return await core.database.transaction(unit)

    return asyncio.run(work())


def test_roles_and_tasks_by_command(environment: dict[str, str]) -> None:
    with_ann(environment)
    callout(environment, "incident", "declare", "db is down")
    added = told(environment, "incident", "task", "add", "INC-1", "check", "--for", "ann@example.com")
    assert added["assignee"]["name"] == "Ann Ames"
    assert callout(environment, "incident", "task", "add", "INC-1", "mail").output == "[ ] 2 mail\n"
    assert callout(environment, "incident", "task", "done", "INC-1", "2").output == "[x] 2 mail\n"
    moved = told(environment, "incident", "task", "move", "INC-1", "2", "1")
    assert [one["number"] for one in moved] == [2, 1]
    assert told(environment, "incident", "task", "list", "INC-1") == moved
    assert callout(environment, "incident", "role", "INC-1", "scribe", "ann").output == "scribe: Ann Ames\n"
    assert callout(environment, "incident", "join", "INC-1", "ann").output == "Ann Ames is on INC-1\n"
    who = told(environment, "incident", "who", "INC-1")
    assert [one["role"] for one in who["roles"]] == ["scribe"]
    assert [one["person"]["email"] for one in who["participants"]] == ["ann@example.com"]
    assert "no longer" in callout(environment, "incident", "leave", "INC-1", "ann").output
    assert "was not" in callout(environment, "incident", "leave", "INC-1", "ann").output
    refused = callout(environment, "incident", "role", "INC-1", "scrib", "ann")
    assert refused.exit_code == 1
    assert "Did you mean scribe?" in refused.output


def test_roles_of_ones_own(environment: dict[str, str]) -> None:
    environment["CALLOUT_ROLES"] = "legal, press"
    callout(environment, "incident", "declare", "db is down")
    assert callout(environment, "incident", "role", "INC-1", "press", "cat").output == "press: cat\n"
    assert callout(environment, "incident", "role", "INC-1", "scribe", "cat").exit_code == 1
    environment["CALLOUT_ROLES"] = "Legal & Co"
    assert callout(environment, "incident", "who", "INC-1").exit_code == 2


def test_a_code_makes_a_chat_user_the_member_until_that_is_ended(environment: dict[str, str]) -> None:
    with_ann(environment)
    code = told(environment, "member", "chat-code", "ann")["code"]
    assert with_ann(environment, code) == "ann"
    assert "not right" in with_ann(environment, code)
    [user] = told(environment, "member", "chat-users", "ann")
    assert user == {"provider": "chat_slack", "team": "T1", "user": "U1", "name": "annie"}
    assert "unlinked" in callout(environment, "member", "chat-users", "ann", "--unlink").output
    assert told(environment, "member", "chat-users", "ann") == []
    assert callout(environment, "member", "chat-code", "nobody").exit_code == 1

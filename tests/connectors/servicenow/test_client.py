"""`ServiceNowClient`: the examples of its page run against the twin, and what it promises beyond them holds."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callout.connectors.servicenow import ServiceNowClient
from callout.ports.errors import (
    AuthFailedError,
    InvalidRequestError,
    OutcomeUnknownError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.values import Audience
from tests.connectors.servicenow.instance import Instance

PAGE = Path(__file__).parents[3] / "docs/connectors/servicenow-client.md"
LOCAL: dict[str, Any] = {"allow_networks": "127.0.0.0/8", "require_https": False}


@pytest.fixture
async def client(instance: Instance) -> AsyncIterator[ServiceNowClient]:
    async with ServiceNowClient(instance.url, username="admin", password="admin", **LOCAL) as found:
        yield found


async def test_the_examples_of_the_page_run(instance: Instance) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, Any] = {"url": instance.url, "local": LOCAL}
    for block in blocks:
        code = compile(block, str(PAGE), "exec", flags=0x2000)  # top-level await, as in `python -m asyncio`
        made = eval(code, names)  # noqa: S307  # our own page
        if inspect.isawaitable(made):
            await made


async def test_each_record_comes_once_over_many_pages_also_where_some_are_hidden(
    instance: Instance, client: ServiceNowClient
) -> None:
    made = {
        instance.act("create_record", fields={"short_description": f"page {n}", "urgency": "2"})["number"]
        for n in range(7)
    }
    found = [
        record["number"]
        async for record in client.query("incident", "short_descriptionSTARTSWITHpage", page_size=2)
    ]
    assert sorted(found) == sorted(made)
    either = "short_description=page 1^NQshort_description=page 2"
    both = [one async for one in client.query("incident", either, where={"urgency": "2"}, page_size=1)]
    assert len(both) == 2


async def test_a_users_text_cannot_become_a_condition(client: ServiceNowClient) -> None:
    with pytest.raises(InvalidRequestError, match="cannot say"):
        [one async for one in client.query("incident", where={"short_description": "x^NQactive=true"})]
    with pytest.raises(InvalidRequestError, match="sys_ids"):
        [one async for one in client.query("incident", "active=true^ORDERBYnumber")]


async def test_comments_keep_their_audience(instance: Instance, client: ServiceNowClient) -> None:
    made = await client.create("incident", {"short_description": "x"}, fields=("number",))
    await client.comment("incident", made["number"], "for us")
    await client.comment("incident", made["number"], "for the caller", audience=Audience.CUSTOMER)
    journal = instance.task(made["number"])["journal"]
    assert [(entry["element"], entry["value"]) for entry in journal] == [
        ("work_notes", "for us"),
        ("comments", "for the caller"),
    ]
    with pytest.raises(InvalidRequestError, match="internal"):
        await client.comment("incident", made["number"], "secret", audience=Audience.INTERNAL)


async def test_errors_say_what_happened(instance: Instance, client: ServiceNowClient) -> None:
    with pytest.raises(RecordNotFoundError):
        await client.update("incident", "INC9999999", {"state": "2"})
    with pytest.raises(RejectedError):
        await client.create("no_such_table", {"short_description": "x"})
    async with ServiceNowClient(instance.url, username="admin", password="wrong", **LOCAL) as stranger:
        with pytest.raises(AuthFailedError):
            await stranger.get("incident", "INC0010001")
    with pytest.raises(AuthFailedError, match="user name"):
        ServiceNowClient(instance.url, **LOCAL)
    instance.faults.add({"kind": "disconnect_after_write"}, method="POST")
    with pytest.raises(OutcomeUnknownError):
        await client.create("incident", {"short_description": "lost answer"})
    instance.faults.clear()
    found = [one async for one in client.query("incident", where={"short_description": "lost answer"})]
    assert len(found) == 1

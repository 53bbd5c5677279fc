"""ServiceNow's own `pysnc`, which knows nothing of us, leads a whole life against the twin, over TLS."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from pysnc import ServiceNowClient
from pysnc.auth import ServiceNowClientCredentialsFlow, ServiceNowPasswordGrantFlow
from pysnc.exceptions import AuthenticationException, RoleException

from tests.sandbox.servicenow.conftest import ADMIN, CARLA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sandbox.conftest import TwinControl
    from tests.sandbox.servicenow.conftest import SecureInstance


@pytest.fixture
def sign_in(instance: SecureInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], Any]]:
    # Where this variable is set, `requests` prefers it to what the library says.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", instance.certificate)
    # The library is not typed.
    clients: list[Any] = []

    def make(auth: Any) -> Any:
        clients.append(ServiceNowClient(instance.url, auth, verify=instance.certificate))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


@pytest.fixture
def client(sign_in: Callable[[Any], Any]) -> Any:
    return sign_in(ADMIN)


def insert(client: Any, **fields: str) -> Any:
    record = client.GlideRecord("incident")
    record.initialize()
    for name, value in {"short_description": "Disk full", **fields}.items():
        record.set_value(name, value)
    record.insert()
    return record


def test_a_record_is_inserted_read_changed_and_deleted(client: Any) -> None:
    made = insert(client, impact="1", urgency="2", correlation_id="INC-7")
    assert made.get_value("number") == "INC0010001"
    assert made.get_display_value("priority") == "2 - High"

    read = client.GlideRecord("incident")
    assert read.get(made.get_value("sys_id"))
    assert (read.get_value("state"), read.get_display_value("state")) == ("1", "New")
    assert read.get_display_value("opened_by") == "System Administrator"
    read.set_value("state", "2")
    read.set_value("short_description", "Disk full on db-1")
    assert read.update()
    assert read.get_value("sys_mod_count") == "1"
    assert read.get_display_value("state") == "In Progress"

    again = client.GlideRecord("incident")
    assert again.get("correlation_id", "INC-7")
    assert again.get_value("short_description") == "Disk full on db-1"
    assert again.delete()
    gone = client.GlideRecord("incident")
    assert not gone.get(made.get_value("sys_id"))


def test_queries_are_paged_until_the_end(client: Any) -> None:
    for number in range(7):
        insert(client, urgency=str(number % 3 + 1), short_description=f"n{number}")
    paged = client.GlideRecord("incident", batch_size=3)
    paged.fields = ["number", "short_description"]
    paged.order_by("number")
    paged.query()
    assert len(paged) == 7
    assert [row.get_value("short_description") for row in paged] == [f"n{n}" for n in range(7)]

    either = client.GlideRecord("incident")
    either.add_query("urgency", "1").add_or_condition("urgency", "3")
    either.add_query("short_description", "!=", "n0")
    either.order_by_desc("number")
    either.query()
    assert [row.get_value("short_description") for row in either] == ["n6", "n5", "n3", "n2"]

    empty = client.GlideRecord("incident")
    empty.add_null_query("assigned_to")
    empty.add_query("short_description", "STARTSWITH", "n")
    empty.limit = 2
    empty.query()
    assert len(list(empty)) == 2


def test_attachments_come_back_byte_for_byte(client: Any) -> None:
    record, content = insert(client), bytes(range(256)) * 20
    link = record.add_attachment("dump.bin", io.BytesIO(content), content_type="application/x-dump")
    found = record.get_attachments()
    assert len(found) == 1
    for one in found:
        assert one.file_name == "dump.bin"
        assert one.size_bytes == str(len(content))
        assert link.endswith(one.sys_id)
        assert one.read() == content
        one.delete()
    assert len(record.get_attachments()) == 0


def test_many_records_are_changed_and_deleted_in_one_batch(client: Any, secure: TwinControl) -> None:
    for _ in range(3):
        insert(client)
    every = client.GlideRecord("incident")
    every.query()
    for row in every:
        row.set_value("urgency", "1")
    assert every.update_multiple()
    assert {t["priority"] for t in secure.get("state")["tasks"].values()} == {"3"}
    assert all(e["path"].endswith("/batch") for e in secure.effects("record.update"))
    doomed = client.GlideRecord("incident")
    doomed.query()
    assert doomed.delete_multiple()
    assert secure.get("state")["tasks"] == {}


def test_a_query_too_long_for_an_address_travels_in_a_batch(client: Any) -> None:
    made = insert(client)
    long = client.GlideRecord("incident")
    long.add_query("sys_id", "IN", ",".join([made.get_value("sys_id"), *["0" * 32] * 400]))
    long.query()
    assert [row.get_value("number") for row in long] == ["INC0010001"]


def test_password_grant(sign_in: Callable[[Any], Any]) -> None:
    client = sign_in(ServiceNowPasswordGrantFlow("ann.lee", "ann", "client", "secret"))
    assert insert(client).get_display_value("opened_by") == "Ann Lee"


def test_client_credentials_act_for_the_integration(sign_in: Callable[[Any], Any]) -> None:
    client = sign_in(ServiceNowClientCredentialsFlow("client", "secret"))
    assert insert(client).get_value("sys_created_by") == "callout.integration"


def test_refusals_reach_the_caller(sign_in: Callable[[Any], Any]) -> None:
    stranger = sign_in(("admin", "wrong"))
    with pytest.raises(AuthenticationException, match="User Not Authenticated"):
        stranger.GlideRecord("incident").query()
    customer = sign_in(CARLA).GlideRecord("sys_choice")
    with pytest.raises(RoleException, match="Insufficient rights"):
        customer.query()

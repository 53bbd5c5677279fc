"""The business rule's script, run by a real JavaScript engine over stand-ins of ServiceNow's classes: what it posts is what we read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.script import business_rule, hook_guide
from callout.connectors.servicenow.webhook import ServiceNowWebhook
from callout.kit.secrets import Secret
from callout.ports.inbound import HookSetup, Ignored, InboundRequest, Trust, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind
from callout.ports.values import Audience

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

URL = "https://callout.example/v1/hooks/01a1"
KEY = "the key ü"
SYS_ID = "9d385017c611228701d22104cc95c371"
ANN = "62826bf03710200044e0bfc8bcbe5df1"
STAND_INS = """
const values = arguments[0].values, journal = arguments[0].journal, sent = {headers: {}}, seen = {};
const gs = {
    getProperty: (name) => { seen.property = name; return arguments[0].key; },
    error: (text) => { seen.error = text; },
    base64Encode: (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text))),
    getUserID: () => arguments[0].user, getUserDisplayName: () => 'Ann Lee',
    getUser: () => ({getEmail: () => 'ann.lee@example.com'}),
};
const current = {};
for (const name of Object.keys(values)) {
    current[name] = {changes: () => arguments[0].changed.includes(name), toString: () => values[name]};
}
const hidden = (name, value) => Object.defineProperty(current, name, {value, enumerable: false});
hidden('operation', () => arguments[0].operation);
hidden('getTableName', () => arguments[0].table);
hidden('getUniqueValue', () => values.sys_id);
hidden('getValue', (name) => name in values ? (values[name] === '' ? null : values[name]) : undefined);
class GlideRecord {
    constructor(table) { this.table = table; this.place = -1; seen.asked = [table]; }
    addQuery(...condition) { seen.asked.push(condition.map(String)); }
    orderBy() {} query() {}
    next() { this.place += 1; return this.place < journal.length; }
    getValue(name) { return journal[this.place][name]; }
    getUniqueValue() { return journal[this.place].sys_id; }
}
class GlideDateTime { getValue() { return '2026-01-02 03:04:06'; } }
class GlideCertificateEncryption {
    generateMac(key, algorithm, data) { Object.assign(seen, {key, algorithm, data}); return 'MAC'; }
}
const sn_ws = {RESTMessageV2: class {
    setEndpoint(url) { sent.url = url; } setHttpMethod(method) { sent.method = method; }
    setRequestHeader(name, value) { sent.headers[name.toLowerCase()] = value; }
    setRequestBody(body) { sent.body = body; } setHttpTimeout() {}
    executeAsync() { sent.done = true; }
}};
const previous = null;
"""
RECORD = {
    "sys_id": SYS_ID,
    "number": "INC0010002",
    "short_description": 'Zahlung "kaputt" \\ 支払い 🔥',
    "description": "",
    "state": "2",
    "comments": "",
    "work_notes": "",
    "correlation_id": "callout-inc-1",
    "sys_updated_on": "2026-01-02 03:04:05",
    "sys_updated_by": "ann.lee",
    "sys_mod_count": "7",
}
ENTRY = {"element": "work_notes", "value": "näher dran\n\n[callout:note-7]", "sys_id": "0b" * 16}


def run(chromium: Chrome, *, operation: str, table: str = "incident", key: str = KEY, **more: Any) -> Any:
    script = business_rule(url=URL, table=table, integration_id="01a1").script
    given = {
        "values": RECORD,
        "journal": [],
        "changed": [],
        "operation": operation,
        "table": table,
        "key": key,
        "user": ANN,
        **more,
    }
    chromium.get("data:text/html,")
    return chromium.execute_script(f"{STAND_INS}{script}\nreturn {{sent, seen}};", given)


def received(done: Any) -> list[Change]:
    """Sign as the instance would with what the script gave it, and let our own door judge and read."""
    sent, seen = done["sent"], done["seen"]
    assert (sent["done"], sent["url"], sent["method"]) == (True, URL, "post")
    assert (seen["property"], seen["algorithm"]) == ("callout.hook_key.01a1", "HmacSHA256")
    assert seen["data"] == sent["body"], "what is signed is what is sent"
    assert sent["body"].isascii()
    body = sent["body"].encode()
    mac = hmac.new(base64.b64decode(seen["key"]), body, hashlib.sha256).digest()
    assert sent["headers"]["x-sn-signature"] == "MAC"
    headers = {"x-sn-signature": base64.b64encode(mac).decode()}
    door = ServiceNowWebhook(
        ServiceNowConfig(url="https://example.service-now.com"), WebhookSecrets((Secret(KEY),))
    )
    request = InboundRequest("POST", "/", headers, body, datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC))
    assert door.verify(request).trust is Trust.SIGNED
    found = door.parse(request)
    assert not isinstance(found, Ignored)
    return list(found)


def test_an_update_with_a_work_note(chromium: Chrome) -> None:
    done = run(chromium, operation="update", journal=[ENTRY], changed=["state"])
    updated, said = received(done)
    body = json.loads(done["sent"]["body"])
    assert body["event_id"] == f"incident:{SYS_ID}:7"
    assert (body["changed_fields"], body["record"]["description"]) == (["state"], "")
    assert not {"comments", "work_notes"} & set(body["record"])
    assert (updated.kind, updated.ticket_key) == (ChangeKind.UPDATED, "INC0010002")
    assert updated.ticket is not None
    assert updated.ticket.title == RECORD["short_description"]
    assert said.comment is not None
    assert (said.comment.content, said.comment.mark) == ("näher dran", "note-7")
    assert said.comment.audience is Audience.RESPONDERS
    assert said.comment.author is not None
    assert said.comment.author.id == ANN
    assert done["seen"]["asked"][0] == "sys_journal_field"
    assert ["element_id", SYS_ID] in done["seen"]["asked"]


def test_a_delete_has_an_id_of_its_own_and_asks_no_journal(chromium: Chrome) -> None:
    done = run(chromium, operation="delete")
    [deleted] = received(done)
    assert deleted.kind is ChangeKind.DELETED
    assert json.loads(done["sent"]["body"])["event_id"].endswith(":7:delete")
    assert "asked" not in done["seen"]


def test_a_file_is_told_of_its_record(chromium: Chrome) -> None:
    values = {**RECORD, "table_name": "incident", "table_sys_id": "0a" * 16}
    [attached] = received(run(chromium, operation="insert", table="sys_attachment", values=values))
    assert (attached.kind, attached.ticket_id) == (ChangeKind.ATTACHED, "0a" * 16)


def test_without_a_key_nothing_is_sent(chromium: Chrome) -> None:
    done = run(chromium, operation="insert", key="")
    assert "done" not in done["sent"]
    assert "callout.hook_key.01a1" in done["seen"]["error"]


@pytest.mark.parametrize(
    ("table", "integration"), [("Incident", "x"), ("a';b", "x"), ("incident", "x'"), ("incident", "")]
)
def test_what_would_break_the_script_is_refused(table: str, integration: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        business_rule(url=URL, table=table, integration_id=integration)


def test_an_address_cannot_leave_its_quotes() -> None:
    script = business_rule(url='https://x/"; gs.print("', table="incident", integration_id="1").script
    assert 'var URL = "https://x/\\"; gs.print(\\"";' in script


def test_the_guide_has_a_script_for_each_table_and_one_for_files() -> None:
    config = ServiceNowConfig(url="https://example.service-now.com", tables=("problem",))
    guide = hook_guide(config, HookSetup(URL, "01a1", "the key in words"))
    assert list(guide.scripts) == ["incident", "problem", "sys_attachment"]
    assert guide.scripts["incident"] == business_rule(url=URL, table="incident", integration_id="01a1").script
    assert "callout.hook_key.01a1" in guide.steps[0]
    assert "the key in words" in guide.steps[0]

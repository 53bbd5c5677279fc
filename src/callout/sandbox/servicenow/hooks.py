"""Our business rule as it runs in the customer's instance: it POSTs signed JSON, once, and never again.

ServiceNow has no webhook of its own. The script is an asynchronous rule after insert, update and delete that uses
RESTMessageV2, which does not repeat a failed request. What it sends is our contract, not the vendor's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callout.sandbox.core.webhooks import RetryRule, Webhook
from callout.sandbox.servicenow.times import stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import JsonObject
    from callout.sandbox.servicenow.records import RecordEvent

RETRY_RULE = RetryRule(delays=(), timeout=10.0)
SIGNATURE_HEADER = "X-SN-Signature"
_VERBS = {"insert": "inserted", "update": "updated", "delete": "deleted"}
_TEXTLESS = frozenset({"comments", "work_notes", "comments_and_work_notes"})


def signature(secret: str, body: bytes) -> str:
    """`generateMac(gs.base64Encode(secret), "HmacSHA256", body)`: the MAC in Base64."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def payload(event: RecordEvent, *, sent_at: str) -> JsonObject:
    """What the script builds; `record` holds raw values, `journal` the entries of this very write."""
    values = event.values
    # A delete does not count up: without its own mark it would look like the last update again.
    mark = f"{values['sys_mod_count']}:delete" if event.operation == "delete" else values["sys_mod_count"]
    return {
        "event": f"{event.table}.{_VERBS[event.operation]}",
        "event_id": f"{event.table}:{event.sys_id}:{mark}",
        "sent_at": sent_at,
        "table": event.table,
        "sys_id": event.sys_id,
        "number": values.get("number", ""),
        "operation": event.operation,
        "sys_mod_count": values["sys_mod_count"],
        "sys_updated_on": values["sys_updated_on"],
        "sys_updated_by": values["sys_updated_by"],
        "record": {name: value for name, value in values.items() if name not in _TEXTLESS},
        "changed_fields": list(event.changed),
        "journal": [
            {"element": entry.element, "value": entry.value, "sys_id": entry.sys_id}
            for entry in event.entries
        ],
    }


@dataclass(frozen=True, slots=True)
class Hooks:
    """The business rules of the instance; `send` hands a finished webhook to the sender."""

    instance: Instance
    send: Callable[[Webhook], None]

    def publish(self, event: RecordEvent) -> None:
        """Run every rule that watches the table."""
        for rule in self.instance.settings.business_rules:
            operations = rule.get("operations") or list(_VERBS)
            watches = rule["table"] in self.instance.lineage(event.table)
            if watches and event.operation in operations:
                self._post(rule, event)

    def _post(self, rule: JsonObject, event: RecordEvent) -> None:
        built = payload(event, sent_at=stored(self.instance.now()))
        body = json.dumps(built, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "User-Agent": "ServiceNow/1.0",
            **rule.get("headers", {}),
            rule.get("header", SIGNATURE_HEADER): signature(rule["secret"], body),
        }
        self.send(Webhook(rule["url"], built["event"], body, built["event_id"], headers))

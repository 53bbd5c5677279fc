"""The business rule that makes a ServiceNow instance tell us of its changes, generated for one integration.

ServiceNow has no webhook: whatever a script posts is the payload. So the script is ours and the contract too (`wire.HookBody`). It
holds no secret: the key is a system property of the instance.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from callout.connectors.servicenow.config import ServiceNowConfig, default_table
from callout.ports.inbound import HookGuide, HookSetup

PROPERTY_PREFIX: Final = "callout.hook_key."
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")

# from memory: `for … in` over a record in the global scope, `changes()` of an element in an after rule, that the journal entries of a
# write can be read in its after rule, and that `executeAsync` keeps the user's transaction from waiting.
_SCRIPT: Final = """\
// Callout: tells of changes of @TABLE@. Table: @TABLE@. When: after. Insert, Update and Delete ticked. Advanced.
// The key is the system property @PROPERTY_NAME@ (the provider_key of the integration); nothing is sent without it.
(function executeRule(current, previous) {
    var URL = @URL@;
    var KEY = gs.getProperty(@PROPERTY@);
    if (!KEY) {
        gs.error('Callout: the system property ' + @PROPERTY@ + ' is empty, so nothing is sent');
        return;
    }
    // Journal columns hold no text of their own: their entries go below, each with its column.
    var JOURNALS = { comments: true, work_notes: true, comments_and_work_notes: true };
    var operation = String(current.operation());
    var table = String(current.getTableName());
    var sysId = String(current.getUniqueValue());
    var record = {};
    var changed = [];
    for (var name in current) {
        var value = current.getValue(name);
        if (JOURNALS[name] || typeof value === 'undefined') {
            continue;
        }
        record[name] = value === null ? '' : String(value);
        if (operation === 'update' && current[name].changes()) {
            changed.push(name);
        }
    }
    var journal = [];
    if (operation !== 'delete' && table !== 'sys_attachment') {
        var entry = new GlideRecord('sys_journal_field');
        entry.addQuery('element_id', sysId);
        entry.addQuery('element', 'IN', 'comments,work_notes');
        // The entries of this write: made in the second of the update or later.
        entry.addQuery('sys_created_on', '>=', current.sys_updated_on);
        entry.orderBy('sys_created_on');
        entry.query();
        while (entry.next()) {
            journal.push({
                element: String(entry.getValue('element')),
                value: String(entry.getValue('value')),
                sys_id: String(entry.getUniqueValue())
            });
        }
    }
    var verbs = { insert: 'inserted', update: 'updated', 'delete': 'deleted' };
    var count = String(current.getValue('sys_mod_count'));
    var body = JSON.stringify({
        event: table + '.' + verbs[operation],
        // A delete does not count up: without a mark of its own it would look like the last update again.
        event_id: table + ':' + sysId + ':' + count + (operation === 'delete' ? ':delete' : ''),
        sent_at: String(new GlideDateTime().getValue()),
        table: table,
        sys_id: sysId,
        number: record.number || '',
        operation: operation,
        sys_mod_count: count,
        sys_updated_on: String(current.getValue('sys_updated_on')),
        sys_updated_by: String(current.getValue('sys_updated_by')),
        // Whose session it is: journal entries and records know the login only.
        actor: {
            sys_id: String(gs.getUserID()),
            name: String(gs.getUserDisplayName()),
            email: String(gs.getUser().getEmail() || '')
        },
        record: record,
        changed_fields: changed,
        journal: journal
    });
    // Plain ASCII: what is signed and what is sent are then the same bytes, whatever encodings lie between.
    body = body.replace(/[\\u007f-\\uffff]/g, function (letter) {
        return '\\\\u' + ('0000' + letter.charCodeAt(0).toString(16)).slice(-4);
    });
    var request = new sn_ws.RESTMessageV2();
    request.setEndpoint(URL);
    request.setHttpMethod('post');
    request.setRequestHeader('Content-Type', 'application/json');
    request.setRequestHeader(
        'X-SN-Signature',
        new GlideCertificateEncryption().generateMac(gs.base64Encode(KEY), 'HmacSHA256', body)
    );
    request.setRequestBody(body);
    request.setHttpTimeout(10000);
    // Not `execute`: the user who saves the record would wait for the answer.
    request.executeAsync();
})(current, previous);
"""


@dataclass(frozen=True, slots=True)
class BusinessRule:
    """A rule to be made in the instance: `script` goes into its Advanced tab, the key into the system property `property_name`."""

    name: str
    table: str
    property_name: str
    script: str
    when: str = "after"
    operations: tuple[str, ...] = ("insert", "update", "delete")


def business_rule(*, url: str, table: str, integration_id: str) -> BusinessRule:
    """Return the rule that posts changes of `table` to the hook address `url` of an integration.

    `sys_attachment` is a table too: its rule tells of files, which do not touch their record.

    Raises:
        ValueError: the table or the id is none.
    """
    if not _NAME.fullmatch(table):
        msg = f"{table!r} is not the name of a table, such as incident"
        raise ValueError(msg)
    if not _ID.fullmatch(integration_id):
        msg = f"{integration_id!r} is not an integration's id"
        raise ValueError(msg)
    property_name = PROPERTY_PREFIX + integration_id
    script = _SCRIPT
    for place, value in (
        ("@TABLE@", table),
        ("@URL@", json.dumps(url)),
        ("@PROPERTY_NAME@", property_name),
        ("@PROPERTY@", json.dumps(property_name)),
    ):
        script = script.replace(place, value)
    return BusinessRule(f"Callout: {table}", table, property_name, script)


def hook_guide(config: ServiceNowConfig, setup: HookSetup) -> HookGuide:
    """Return how an administrator of the instance makes it tell us: a rule for each table of tickets, and one for files."""
    tables = dict.fromkeys((default_table(config), *config.tables, "sys_attachment"))
    rules = [
        business_rule(url=setup.url, table=table, integration_id=setup.integration_id) for table in tables
    ]
    return HookGuide(
        steps=(
            (
                f"System Properties → New: name {rules[0].property_name}, type string, private; value: {setup.key}."
                " The scripts hold no secret."
            ),
            (
                "System Definition → Business Rules → New, in the global scope, once for each script below: its table; Advanced; when"
                " after; Insert, Update and Delete; the script. The one for sys_attachment tells of files."
            ),
            "Change a record and look at: callout integration list. It then shows when the last webhook came.",
        ),
        scripts={rule.table: rule.script for rule in rules},
    )

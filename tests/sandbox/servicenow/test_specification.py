"""Every operation of the community's API descriptions is served, where a copy lies beside the project."""

from __future__ import annotations

import re
from pathlib import Path

from tests.sandbox.servicenow.conftest import Rest

SPECS = Path(__file__).resolve().parents[4] / "shared" / "specs" / "servicenow"
# Loading many records at once into a staging table: asynchronous, and nothing a connector of ours would use.
NOT_SERVED = {"POST /import/{stagingTableName}/insertMultiple"}
NOWHERE = "Requested URI does not represent any resource"


def described_operations() -> list[str]:
    """`GET /table/{tableName}` and so on, read from the indentation of the documents."""
    found: list[str] = []
    for document in sorted(SPECS.glob("*.yml")):
        path = ""
        for line in document.read_text().splitlines():
            if start := re.match(r"^  (/\S*):$", line):
                path = start[1]
            elif method := re.match(r"^    (get|post|put|patch|delete):$", line):
                found.append(f"{method[1].upper()} {path}")
    return found


def test_every_described_operation_has_its_place(rest: Rest) -> None:
    operations = [one for one in described_operations() if one not in NOT_SERVED]
    if SPECS.is_dir():
        assert len(operations) > 15
    missing = []
    for operation in operations:
        method, path = operation.split()
        # The documents say /api/now for all; changes have a namespace of their own.
        prefix = "/api/sn_chg_rest" if path.startswith("/change") else "/api/now"
        filled = path.replace("{tableName}", "incident").replace("{stagingTableName}", "u_callout_incident")
        url = prefix + re.sub(r"\{\w+\}", "0" * 32, filled)
        body: dict[str, str] | None = {} if method in {"POST", "PUT", "PATCH"} else None
        answer = rest.ask(method, url, json=body)
        if answer.status_code in {405, 500} or NOWHERE in answer.text:
            missing.append(operation)
    assert missing == []

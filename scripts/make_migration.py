"""Write the next migration: what the tables in the code have and the migrated schema lacks.

    python scripts/make_migration.py "what changes and why"

Read what it wrote before committing it: a rename looks like a drop and an add. Expand first, contract in a later release.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy import BigInteger, create_engine

from callout.bootstrap.tables import METADATA
from callout.storage import migrate
from callout.storage.schema import Json, UtcTime

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"
PLAIN: dict[type, str] = {Json: "sa.Text()", UtcTime: "sa.BigInteger()"}


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Render our column types as what they are in the database: migrations import nothing of the product."""
    if kind != "type":
        return False
    if isinstance(item, BigInteger) and item._variant_mapping:
        return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
    return PLAIN.get(type(item), False)


def main() -> int:
    """Write the file; return the exit code."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    message = sys.argv[1]
    head = migrate.head()
    number = int(head[:4] or 0) + 1 if head else 1
    revision = f"{number:04d}"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.db"
        if head:
            migrate._on_sqlite(url, migrate._upgrade)
        with create_engine(url).connect() as connection:
            options = {"compare_type": False, "render_item": render_item, "target_metadata": METADATA}
            context = MigrationContext.configure(connection, opts=options)
            if not compare_metadata(context, METADATA):
                print("the migrations build every table already")
                return 0
            script = produce_migrations(context, METADATA)
            assert isinstance(script.upgrade_ops, ops.UpgradeOps)
            assert isinstance(script.downgrade_ops, ops.DowngradeOps)
            up = render_python_code(script.upgrade_ops, render_item=render_item, migration_context=context)
            down = render_python_code(
                script.downgrade_ops, render_item=render_item, migration_context=context
            )
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:40]
    path = VERSIONS / f"{revision}_{slug}.py"
    path.write_text(
        f'"""{message}."""\n\nfrom __future__ import annotations\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
        f'revision = "{revision}"\ndown_revision = {f"{head!r}" if head else None}\nbranch_labels = None\ndepends_on = None\n\n\n'
        f"def upgrade() -> None:\n    {up}\n\n\ndef downgrade() -> None:\n    {down}\n",
        encoding="utf-8",
    )
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

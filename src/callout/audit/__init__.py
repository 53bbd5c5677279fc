"""Who did what, when and by which way in: rows written in the same commit as the change, chained and signed
behind it.

:class:`Audit` writes and lists entries, :class:`Sealer` chains them within a second of their commit and
checks the chain. The rows are append-only on both databases by triggers (:data:`TRIGGERS`), which a migration
installs with the tables.
"""

from __future__ import annotations

from callout.audit.record import Audit, AuditDraft, AuditEntry, RequestFacts, during
from callout.audit.seal import SEAL_EVERY, AuditTamperedError, Head, Sealer, Verification
from callout.audit.tables import ORGANIZATION_ID, TRIGGERS, audit_heads, audit_log

__all__ = [
    "ORGANIZATION_ID",
    "SEAL_EVERY",
    "TRIGGERS",
    "Audit",
    "AuditDraft",
    "AuditEntry",
    "AuditTamperedError",
    "Head",
    "RequestFacts",
    "Sealer",
    "Verification",
    "audit_heads",
    "audit_log",
    "during",
]

"""Whose token it is, and which integration it opens: one look at the database for both."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, select

from callout.access.authentication import (
    HAS_HASH,
    TOKEN_COLUMNS,
    TOKENS,
    Authentication,
    integration_caller,
)
from callout.access.errors import Reason, UnauthenticatedError
from callout.access.tables import tokens
from callout.integrations.tables import integrations
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import ForbiddenError, NotFoundError
from callout.storage.prepared import Prepared

if TYPE_CHECKING:
    from callout.access.caller import Caller
    from callout.integrations.model import Integration
    from callout.integrations.service import Integrations
    from callout.storage import Tx

KEPT: Final = 1_000
"""So many integrations are kept as they were read, those used last."""
_OPENED: Final = Prepared(
    select(*TOKEN_COLUMNS, integrations.c.updated_at.label("integration_updated_at"))
    .select_from(
        TOKENS.outerjoin(
            integrations,
            and_(
                tokens.c.owner_type == "integration",
                integrations.c.id == tokens.c.owner_id,
                integrations.c.account_id == tokens.c.owner_account_id,
            ),
        )
    )
    .where(HAS_HASH)
)


class Holders:
    """Knows the holders of integrations' tokens, with the integration of each.

    The token, and when its integration last changed, are looked at every time: what is revoked or switched off is so from its next
    use on. The integration itself is read, and its secrets are opened, when it has changed since.
    """

    def __init__(self, authentication: Authentication, integrations: Integrations) -> None:
        self._authentication = authentication
        self._integrations = integrations
        self._known: OrderedDict[str, Integration] = OrderedDict()

    async def open(self, tx: Tx, secret: Secret | None) -> tuple[Caller, Integration]:
        """Return who holds `secret`, and the integration that it opens, which the caller hands to :meth:`keep`.

        Raises what :meth:`Authentication.authenticate` raises, ForbiddenError for the token of an organization, NotFoundError when
        the integration is gone.
        """
        if not secret:
            raise UnauthenticatedError(Reason.MISSING)
        row = self._authentication.check(await _OPENED.one(tx, hash=hash_token(secret)))
        if row["owner_type"] != "integration":
            raise ForbiddenError(
                "this needs the token of an integration",
                remediation="Organization and integration tokens do not overlap.",
            )
        caller = integration_caller(row)
        if row["integration_updated_at"] is None:
            raise NotFoundError("the integration of this token is gone")
        known = self._known.get(row["owner_id"])
        if known is None or known.updated_at != row["integration_updated_at"]:
            known = await self._integrations.get(tx.account(row["owner_account_id"]), row["owner_id"])
        return caller, known

    def keep(self, integration: Integration) -> None:
        """Remember what was read, after the transaction: a unit of work may run in a thread of its own."""
        self._known[integration.id] = integration
        self._known.move_to_end(integration.id)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

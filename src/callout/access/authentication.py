"""From the secret in a request to the caller behind it."""

from __future__ import annotations

from typing import Final, Literal

from sqlalchemy import bindparam, select

from callout.access import resources as scopes
from callout.access.caller import Caller
from callout.access.errors import OrganizationDisabledError, Reason, UnauthenticatedError
from callout.access.tables import members, organizations, token_secrets, tokens
from callout.kit.clock import Clock
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import ForbiddenError
from callout.storage import Tx
from callout.storage.prepared import Prepared, Row

Half = Literal["access", "refresh"]
TOKEN_COLUMNS: Final = (
    token_secrets.c.half,
    token_secrets.c.expires.label("secret_expires"),
    token_secrets.c.revoked_at.label("secret_revoked_at"),
    tokens.c.id,
    tokens.c.organization_id,
    tokens.c.owner_type,
    tokens.c.owner_id,
    tokens.c.owner_account_id,
    tokens.c.permission_set,
    tokens.c.resources,
    tokens.c.name,
    tokens.c.revoked_at,
    tokens.c.member_id,
    members.c.fullname.label("member_name"),
    members.c.role.label("member_role"),
    members.c.state.label("member_state"),
    members.c.expires.label("member_expires"),
    organizations.c.state.label("organization_state"),
)
"""What decides whether a secret opens anything, and for whom."""
TOKENS: Final = (
    token_secrets.join(tokens, tokens.c.id == token_secrets.c.token_id)
    .join(organizations, organizations.c.id == tokens.c.organization_id)
    .outerjoin(members, members.c.id == tokens.c.member_id)
)
"""The tables they are read from."""
HAS_HASH: Final = token_secrets.c.hash == bindparam("hash")
"""Found by the hash of 256 random bits: how long the look-up takes tells nothing about other tokens."""
_BY_HASH: Final = Prepared(select(*TOKEN_COLUMNS).select_from(TOKENS).where(HAS_HASH))


class Authentication:
    """Knows callers by their tokens. Every request looks: a revoked token is refused from its next use on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def authenticate(self, tx: Tx, secret: Secret | str | None, *, half: Half = "access") -> Caller:
        """Return the caller behind `secret`.

        Args:
            tx: a reading transaction.
            secret: what the request carried.
            half: `refresh` where the token itself is renewed, `access` everywhere else.

        Raises:
            UnauthenticatedError: missing, unknown, expired or revoked, or the member is disabled.
            ForbiddenError: the other half of a token.
            OrganizationDisabledError: nobody may work at the moment.
        """
        if not secret:
            raise UnauthenticatedError(Reason.MISSING)
        return await self.of_hash(tx, hash_token(secret), half=half)

    async def of_hash(self, tx: Tx, kept: str, *, half: Half = "access") -> Caller:
        """As :meth:`authenticate`, by what is kept of the secret."""
        row = await _BY_HASH.one(tx, hash=kept)
        checked = self.check(row, half)
        if checked["owner_type"] == "integration":
            return integration_caller(checked)
        return Caller(
            kind="organization",
            token_id=checked["id"],
            permission_set=checked["permission_set"],
            organization_id=checked["organization_id"],
            account_ids=await scopes.account_ids(tx, checked["resources"]),
            categories=scopes.categories(checked["resources"]),
            member_id=checked["member_id"],
            role=checked["member_role"],
            name=_name(checked),
        )

    def check(self, row: Row | None, half: Half = "access") -> Row:
        """Return the row of `TOKEN_COLUMNS` found for a secret, when it opens anything now. Raises as :meth:`authenticate`."""
        if row is None:
            raise UnauthenticatedError(Reason.UNKNOWN)
        now = self._clock.now()
        if row["secret_revoked_at"] is not None or row["revoked_at"] is not None:
            raise UnauthenticatedError(Reason.REVOKED)
        if now >= row["secret_expires"]:
            raise UnauthenticatedError(Reason.EXPIRED)
        if row["member_id"] is not None and (
            row["member_state"] != "enabled"
            or (row["member_expires"] is not None and now >= row["member_expires"])
        ):
            raise UnauthenticatedError(Reason.MEMBER_DISABLED)
        if row["organization_state"] != "enabled":
            raise OrganizationDisabledError("the organization is disabled")
        if row["half"] != half:
            raise ForbiddenError(
                f"this is the {row['half']} half of a token",
                remediation="The access half opens the API; the refresh half only renews the token.",
            )
        return row


def integration_caller(row: Row) -> Caller:
    """Return the holder of an integration's token, by a row that was checked."""
    return Caller(
        kind="integration",
        token_id=row["id"],
        permission_set=row["permission_set"],
        organization_id=row["organization_id"],
        account_ids=frozenset({row["owner_account_id"]}),
        integration_id=row["owner_id"],
        name=_name(row),
    )


def _name(row: Row) -> str:
    name: str = row["member_name"] or row["name"]
    return name

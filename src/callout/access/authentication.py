"""From the secret in a request to the caller behind it."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select

from callout.access import resources as scopes
from callout.access.caller import Caller
from callout.access.errors import OrganizationDisabledError, Reason, UnauthenticatedError
from callout.access.tables import members, organizations, token_secrets, tokens
from callout.kit.clock import Clock
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import ForbiddenError
from callout.storage import Tx


class Authentication:
    """Knows callers by their tokens. Every request looks: a revoked token is refused from its next use on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def authenticate(
        self, tx: Tx, secret: Secret | str | None, *, half: Literal["access", "refresh"] = "access"
    ) -> Caller:
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
        columns = (
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
        row = await tx.one(
            select(*columns)
            .select_from(
                token_secrets.join(tokens, tokens.c.id == token_secrets.c.token_id)
                .join(organizations, organizations.c.id == tokens.c.organization_id)
                .outerjoin(members, members.c.id == tokens.c.member_id),
            )
            # Found by the hash of 256 random bits: how long the look-up takes tells nothing about other
            # tokens.
            .where(token_secrets.c.hash == hash_token(secret)),
        )
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
        name = row["member_name"] or row["name"]
        if row["owner_type"] == "integration":
            return Caller(
                kind="integration",
                token_id=row["id"],
                permission_set=row["permission_set"],
                organization_id=row["organization_id"],
                account_ids=frozenset({row["owner_account_id"]}),
                integration_id=row["owner_id"],
                name=name,
            )
        return Caller(
            kind="organization",
            token_id=row["id"],
            permission_set=row["permission_set"],
            organization_id=row["organization_id"],
            account_ids=await scopes.account_ids(tx, row["resources"]),
            categories=scopes.categories(row["resources"]),
            member_id=row["member_id"],
            role=row["member_role"],
            name=name,
        )

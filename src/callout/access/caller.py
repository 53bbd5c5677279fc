"""Who is calling, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from callout.access.permissions import PERMISSIONS, ROLES
from callout.ports.errors import ForbiddenError
from callout.ports.values import Actor, ActorKind

CallerKind = Literal["organization", "integration"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid token.

    `account_ids` is None for all accounts. An `integration` caller is bound to `integration_id` in its one
    account. `categories` restricts the kinds of integrations (None: all).
    """

    kind: CallerKind
    token_id: str
    permission_set: str
    organization_id: str
    account_ids: frozenset[str] | None = None
    integration_id: str | None = None
    categories: frozenset[str] | None = None
    member_id: str | None = None
    role: str | None = None
    name: str = ""
    permissions: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        held = PERMISSIONS.get(self.permission_set, frozenset())
        if self.role is not None:
            held &= PERMISSIONS.get(ROLES.get(self.role, ""), frozenset())
        object.__setattr__(self, "permissions", held)

    @property
    def actor(self) -> Actor:
        """The actor for timeline and audit: the member behind the token, else the token itself."""
        if self.member_id is not None:
            return Actor(ActorKind.MEMBER, self.member_id, self.name)
        return Actor(ActorKind.TOKEN, self.token_id, self.name)

    def sees(self, account_id: str) -> bool:
        """Return whether this account is within the token's resources."""
        return self.account_ids is None or account_id in self.account_ids

    def may(self, permission: str, account_id: str | None = None) -> bool:
        """Return whether the caller holds `permission`, in that account where one is named."""
        return permission in self.permissions and (account_id is None or self.sees(account_id))

    def require(self, permission: str, account_id: str | None = None) -> None:
        """Raise ForbiddenError unless :meth:`may`."""
        if permission not in self.permissions:
            raise ForbiddenError(
                f"this needs the permission {permission}, which the permission set {self.permission_set} lacks",
                remediation="Use a token with a wider permission set.",
            )
        if account_id is not None and not self.sees(account_id):
            raise ForbiddenError(
                "the token does not open this account",
                remediation="Use a token whose resources name the account.",
            )

    def require_kind(self, kind: CallerKind) -> None:
        """Raise ForbiddenError when the token opens the other API."""
        if self.kind != kind:
            wanted = "an organization token" if kind == "organization" else "the token of an integration"
            raise ForbiddenError(
                f"this needs {wanted}", remediation="Organization and integration tokens do not overlap."
            )


SYSTEM = Caller("organization", "callout", "administrator", "organization", name="callout")
"""Callout itself, for the command line on the server's own machine and for first start."""

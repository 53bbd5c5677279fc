"""What an operator says about the OpenID provider: who it is, whom it may send us, and what its groups mean here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callout.access.permissions import ROLES
from callout.kit.secrets import Secret


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """One OpenID provider.

    Args:
        issuer: its address, exactly as it names itself.
        client_id: what it calls us.
        client_secret: ours there; empty for a public client.
        redirect_uri: where it sends people back; to be registered there.
        label: what stands on the button.
        scopes: what we ask for.
        role_claim: the claim that tells groups (or a role); empty: roles are given here.
        roles: group there → role here.
        default_role: the role of who is new, or has none of the groups; empty: they do not come in.
        email_domains: only people with such an e-mail address come in; empty: of any.
        link_by_email: whether a verified e-mail address makes somebody the member who has it here.
    """

    issuer: str
    client_id: str
    redirect_uri: str
    client_secret: Secret = field(default_factory=lambda: Secret(""))
    label: str = "single sign-on"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    role_claim: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = ""
    email_domains: tuple[str, ...] = ()
    link_by_email: bool = True

    def role_of(self, claims: Mapping[str, Any]) -> str:
        """Return the widest role that somebody's groups give them, else the default one; empty: none."""
        groups = claims.get(self.role_claim) if self.role_claim else None
        named = [groups] if isinstance(groups, str) else groups if isinstance(groups, Sequence) else ()
        held = {self.roles[name] for name in named if isinstance(name, str) and name in self.roles}
        return next((role for role in ROLES if role in held), self.default_role)

    def welcomes(self, email: str) -> bool:
        """Return whether an address is of one of the domains."""
        return not self.email_domains or email.partition("@")[2].lower() in self.email_domains


def role_mapping(parts: Sequence[str]) -> dict[str, str]:
    """Return group → role of `group=role` parts. Raises ValueError."""
    found: dict[str, str] = {}
    for part in parts:
        group, equals, role = (text.strip() for text in part.rpartition("="))
        if not equals or not group or role not in ROLES:
            msg = f"{part!r} is not GROUP=ROLE with a role of {', '.join(ROLES)}"
            raise ValueError(msg)
        found[group] = role
    return found

"""Who may do what, as data: permission set → permissions, role → permission set."""

from __future__ import annotations

from typing import Final

READ: Final = frozenset(
    {
        "account.read",
        "capability.read",
        "catalogue.read",
        "delivery.read",
        "incident.read",
        "integration.read",
        "link.read",
        "member.read",
        "organization.read",
        "response.read",
        "status.read",
    },
)
RESPOND: Final = READ | {
    "incident.write",
    "incident.note",
    "incident.note.internal",
    "link.write",
    "conflict.resolve",
    "ticket.read",
    "ticket.write",
}
MANAGE: Final = RESPOND | {
    "account.create",
    "account.write",
    "catalogue.write",
    "credential.read",
    "credential.write",
    "delivery.replay",
    "integration.write",
    "integration.verify",
    "pause.write",
    "response.write",
    "rule.write",
    "status.write",
    "token.provision",
    "token.read",
    "token.write",
}
ADMINISTER: Final = MANAGE | {
    "audit.read",
    "job.read",
    "job.replay",
    "key.rotate",
    "member.write",
    "organization.write",
    "token.reset",
    "webhook.read",
    "webhook.write",
}

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "administrator": ADMINISTER,
    "account-manager": MANAGE,
    "member": RESPOND,
    "viewer": READ,
    "connect-ui": frozenset(
        {"account.read", "capability.read", "integration.read", "integration.write", "integration.verify"},
    ),
    "token-issuer": frozenset({"account.read", "integration.read", "token.read", "token.write"}),
    # Makes accounts and, while doing so, a token for the account made; reads and changes none, and issues no other token.
    "account-provisioner": frozenset({"account.create", "token.provision"}),
    "mcp-management": MANAGE - {"token.provision", "token.write", "ticket.read", "ticket.write"},
    "mcp-integrations-use-only": frozenset(
        {"account.read", "integration.read", "ticket.read", "ticket.write"}
    ),
    # What the token of one integration opens: the engine API, for that integration.
    "integration": frozenset({"ticket.read", "ticket.write", "capability.read"}),
}
"""By permission set. `integration` is ours, the others are the contract's."""

GRANTABLE: Final = frozenset(PERMISSIONS) - {"integration"}
"""What a new organization token may be given."""

PROVISIONED: Final = frozenset({"account-manager", "connect-ui", "token-issuer"})
"""What the token that is made with an account may be given."""

ALL_PERMISSIONS: Final = frozenset().union(*PERMISSIONS.values())

ROLES: Final[dict[str, str]] = {
    "admin": "administrator",
    "manager": "account-manager",
    "responder": "member",
    "viewer": "viewer",
}
"""Role of a member → permission set."""

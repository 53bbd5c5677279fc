"""Every route of the management API: a body that is right, and what a caller needs to hold for it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
READ = {"name": "x", "fullname": "x", "updated_at": "2026-01-02T00:00:00Z"}
PATCH = [{"op": "replace", "path": "/fullname", "value": "changed by a stranger"}]
MOCK = {"type": "ticketing_mock_ticketing"}
EVERYTHING = {"organizations": {"ids": ["*"]}}
OWN = "its own token"
"""No permission is needed, but the token has to be the caller's."""
ANYBODY = ""
"""Opened by whoever has any organization token."""

WEBHOOK = {"filters": ["all"], "url": "https://hooks.example.com/in", "secret": {"value": "k" * 32}}
MANAGEMENT: dict[tuple[str, str], tuple[Any, str]] = {
    ("GET", "/v1/accounts"): (None, "account.read"),
    ("POST", "/v1/accounts"): ({"fullname": "made by a stranger"}, "account.create"),
    ("GET", "/v1/accounts/{account}"): (None, "account.read"),
    ("PUT", "/v1/accounts/{account}"): (READ, "account.write"),
    ("PATCH", "/v1/accounts/{account}"): (PATCH, "account.write"),
    ("DELETE", "/v1/accounts/{account}"): (None, "account.write"),
    ("GET", "/v1/organization"): (None, "organization.read"),
    ("PUT", "/v1/organization"): (READ, "organization.write"),
    ("PATCH", "/v1/organization"): (PATCH, "organization.write"),
    ("GET", "/v1/organization/webhooks"): (None, "webhook.read"),
    ("POST", "/v1/organization/webhooks"): (WEBHOOK, "webhook.write"),
    ("GET", "/v1/organization/webhooks/{webhook}"): (None, "webhook.read"),
    ("PUT", "/v1/organization/webhooks/{webhook}"): (
        {"name": "x", "fullname": "x", "filters": ["all"], "url": "https://hooks.example.com/in"},
        "webhook.write",
    ),
    ("PATCH", "/v1/organization/webhooks/{webhook}"): (PATCH, "webhook.write"),
    ("DELETE", "/v1/organization/webhooks/{webhook}"): (None, "webhook.write"),
    ("POST", "/v1/organization/webhooks/{webhook}/rotate"): ({}, "webhook.write"),
    ("POST", "/v1/organization/webhooks/{webhook}/test"): (None, "webhook.write"),
    ("POST", "/v1/organization/webhooks/{webhook}/enable"): ({}, "webhook.write"),
    ("POST", "/v1/organization/webhooks/{webhook}/disable"): (None, "webhook.write"),
    ("GET", "/v1/members"): (None, "member.read"),
    ("POST", "/v1/members"): ({"name": "a@example.com", "secret": "correct horse battery"}, "member.write"),
    ("GET", "/v1/members/{member}"): (None, "member.read"),
    ("PUT", "/v1/members/{member}"): (
        READ | {"state": "enabled", "token_ttl": "1h", "role_binding": ["administrator"]},
        "member.write",
    ),
    ("PATCH", "/v1/members/{member}"): (PATCH, "member.write"),
    ("DELETE", "/v1/members/{member}"): (None, "member.write"),
    ("GET", "/v1/tokens"): (None, ANYBODY),
    ("POST", "/v1/tokens"): ({"resources": EVERYTHING, "permission_set": "viewer"}, "token.write"),
    ("GET", "/v1/tokens/{token}/info"): (None, "token.read"),
    ("DELETE", "/v1/tokens/{token}"): (None, "token.write"),
    ("PUT", "/v1/tokens/{token}/refresh"): (None, OWN),
    ("DELETE", "/v1/tokens/{token}/secondary"): (None, "token.write"),
    ("PUT", "/v1/tokens/{owner}/{token}/reset"): (None, "token.reset"),
    ("PUT", "/v1/tokens/{owner}/{token}/rotate"): (None, "token.reset"),
    ("POST", "/v1/tokens/{account}/{integration}"): ({}, "token.write"),
    ("GET", "/v1/credentials/lookup/{credential}"): (None, "credential.read"),
    ("GET", "/v1/credentials/{owner}"): (None, "credential.read"),
    ("POST", "/v1/credentials/{owner}"): ({"config": {"type": "token", "secret": "s"}}, "credential.write"),
    ("GET", "/v1/credentials/{owner}/{credential}"): (None, "credential.read"),
    ("PUT", "/v1/credentials/{owner}/{credential}"): (READ, "credential.write"),
    ("PATCH", "/v1/credentials/{owner}/{credential}"): (PATCH, "credential.write"),
    ("DELETE", "/v1/credentials/{owner}/{credential}"): (None, "credential.write"),
    ("GET", "/v1/integrations"): (None, "integration.read"),
    ("GET", "/v1/integrations/{account}"): (None, "integration.read"),
    ("POST", "/v1/integrations/{account}"): ({"provider_config": MOCK}, "integration.write"),
    ("POST", "/v1/integrations/{account}/verify"): (
        {"integration": {"provider_config": MOCK}},
        "integration.verify",
    ),
    ("GET", "/v1/integrations/{account}/{integration}"): (None, "integration.read"),
    ("PUT", "/v1/integrations/{account}/{integration}"): (
        READ | {"provider_config": MOCK},
        "integration.write",
    ),
    ("PATCH", "/v1/integrations/{account}/{integration}"): (PATCH, "integration.write"),
    ("DELETE", "/v1/integrations/{account}/{integration}"): (None, "integration.write"),
    ("POST", "/v1/integrations/{account}/{integration}/verify"): (None, "integration.verify"),
    ("POST", "/v1/integrations/{account}/{integration}/install"): (None, "credential.write"),
    ("GET", "/v1/status"): (None, "status.read"),
    ("GET", "/v1/status/timeseries"): (None, "status.read"),
    ("GET", "/v1/status/{account}/{integration}"): (None, "status.read"),
    ("PUT", "/v1/status/{account}/{integration}"): (None, "status.write"),
    ("GET", "/v1/status/{account}/{integration}/events"): (None, "status.read"),
    ("GET", "/v1/status/{account}/{integration}/timeseries"): (None, "status.read"),
    ("GET", "/v1/audit/organizations"): (None, "audit.read"),
    ("POST", "/v1/auth/change_password"): (
        {"old_secret": "correct horse battery", "new_secret": "staple horse battery"},
        ANYBODY,
    ),
    ("POST", "/v1/auth/chat_code"): (None, ANYBODY),
    ("POST", "/v1/auth/logoff"): (None, ANYBODY),
    # Parts of the contract that are not built: what they would need, before it is said that they are not.
    ("GET", "/v1/mappings"): (None, "integration.read"),
    ("POST", "/v1/mappings"): (None, "integration.write"),
    ("POST", "/v1/mappings/apply"): (None, "integration.write"),
    ("GET", "/v1/mappings/{mapping}"): (None, "integration.read"),
    ("PUT", "/v1/mappings/{mapping}"): (None, "integration.write"),
    ("PATCH", "/v1/mappings/{mapping}"): (None, "integration.write"),
    ("DELETE", "/v1/mappings/{mapping}"): (None, "integration.write"),
    ("GET", "/v1/integration-points"): (None, "integration.read"),
    ("POST", "/v1/integration-points"): (None, "integration.write"),
    ("GET", "/v1/integration-points/{point}"): (None, "integration.read"),
    ("PUT", "/v1/integration-points/{point}"): (None, "integration.write"),
    ("PATCH", "/v1/integration-points/{point}"): (None, "integration.write"),
    ("DELETE", "/v1/integration-points/{point}"): (None, "integration.write"),
    ("POST", "/v1/auth/sso"): (None, "organization.write"),
    ("GET", "/v1/auth/sso"): (None, "organization.read"),
    ("GET", "/v1/auth/sso/{sso}"): (None, "organization.read"),
    ("PUT", "/v1/auth/sso/{sso}"): (None, "organization.write"),
    ("DELETE", "/v1/auth/sso/{sso}"): (None, "organization.write"),
    ("GET", "/v1/auth/meta"): (None, "organization.read"),
    ("POST", "/v1/tokens/mcp"): (None, "token.write"),
    ("POST", "/v1/tokens/synqly-integrations"): (None, "token.write"),
}
SIGN_IN = ("POST", "/v1/auth/logon/{organization}")
"""Whoever signs in has no token yet."""
DESCRIPTIONS = {("GET", "/v1/meta/openapi/engine"), ("GET", "/v1/meta/openapi/management")}


def place(path: str, **names: str) -> str:
    """Return the address of a route; what `names` does not name is called `x`, accounts and owners `default`."""
    given = {"account": "default", "owner": "default"} | names
    parts = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return path.format(**{part: given.get(part, "x") for part in parts})

"""Tables of the organization, its accounts and members, their tokens and sessions, chat identities and idempotency keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, text

from callout.storage.schema import Json, UtcTime, account_id, metadata

organizations = Table(
    "organizations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("fullname", Text, nullable=False),
    Column("organization_type", Text, nullable=False),
    Column("refresh_token_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("contact", Text),
    Column("reply_to", Text),
    Column("picture", Text),
    Column("options", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("fullname", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("labels", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("fullname", Text, nullable=False),
    Column("email", Text),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("nickname", Text),
    Column("picture", Text),
    Column("password_hash", Text),
    Column("token_ttl", Text, nullable=False),
    Column("last_logon", UtcTime),
    # Wrong secrets since the last right one, and until when no secret is right because of them.
    Column("failed_logons", Integer),
    Column("locked_until", UtcTime),
    Column("expires", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("uq_members_email", "email", unique=True),
)

# `owner_account_id`, not `account_id`: tokens belong to the organization and are managed across its accounts.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("fullname", Text, nullable=False),
    Column("owner_type", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("owner_account_id", Text),
    Column("permission_set", Text, nullable=False),
    Column("resources", Json, nullable=False),
    Column("token_type", Text, nullable=False),
    Column("token_ttl", Text, nullable=False),
    Column("member_id", Text, ForeignKey("members.id")),
    Column("expires", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_tokens_owner", "owner_type", "owner_id"),
)

token_secrets = Table(
    "token_secrets",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("token_id", Text, ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("half", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_token_secrets_token_id", "token_id"),
    Index("ix_token_secrets_expires", "expires"),
)

chat_identities = Table(
    "chat_identities",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("team", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("member_id", Text, ForeignKey("members.id")),
    Column("email", Text),
    Column("name", Text, nullable=False),
    # Wrong codes since the last right one, and until when no code is right because of them.
    Column("failed_codes", Integer),
    Column("codes_locked_until", UtcTime),
    # What the platform says of them: member, guest, external, gone, unsure; null: it was not asked yet.
    Column("membership", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_chat_identities_member_id", "member_id"),
    Index("ix_chat_identities_email", "email"),
)

# A code that a signed-in member types in chat, once, to say who they are there. Kept as its hash.
chat_codes = Table(
    "chat_codes",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Index("ix_chat_codes_member_id", "member_id"),
    Index("ix_chat_codes_expires", "expires"),
)

# Somebody at work in a browser: a member, or whoever came with a token. Kept by the hash of the cookie's secret.
sessions = Table(
    "sessions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE")),
    # Of the access half of a token, where that is how they came: what becomes of it becomes of the session.
    Column("token_hash", Text),
    Column("method", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    # The session at the OpenID provider, which may end this one.
    Column("sid", Text),
    Index("uq_sessions_id", "id", unique=True),
    Index("ix_sessions_member_id", "member_id"),
    Index("ix_sessions_seen_at", "seen_at"),
    Index(
        "ix_sessions_sid",
        "sid",
        sqlite_where=text("sid IS NOT NULL"),
        postgresql_where=text("sid IS NOT NULL"),
    ),
)

# Wrong sign-ins from one address, whoever they named.
sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("address", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", UtcTime, nullable=False),
    Index("ix_sign_in_tries_until", "until"),
)

# How an installation without an administrator gets one: by a link that the server prints, good once.
setup_links = Table(
    "setup_links",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
)

# Who a member is at an OpenID provider: `subject` there, for good, whatever becomes of names and addresses.
oidc_identities = Table(
    "oidc_identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("member_id", Text, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_oidc_identities_member_id", "member_id"),
)

# Notices of an OpenID provider that somebody signed out, for as long as one could be sent again by somebody else.
oidc_logouts = Table(
    "oidc_logouts",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("until", UtcTime, nullable=False),
    Index("ix_oidc_logouts_until", "until"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    account_id(),
    Column("key", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("headers", Json),
    Column("created_at", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Index("uq_idempotency_keys", "account_id", "key", unique=True),
    Index("ix_idempotency_keys_expires", "expires"),
)

settings_version = Table(
    "settings_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

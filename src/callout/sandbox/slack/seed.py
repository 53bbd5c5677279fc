"""What a fresh Slack twin holds: one team, its people, its channels and one installed app."""

from __future__ import annotations

BOT_TOKEN = "xoxb-acc"
APP_TOKEN = "xapp-acc"
SIGNING_SECRET = "slack-signing-secret"
VERIFICATION_TOKEN = "deprecated-verification-token"
CLIENT_ID = "1111111111.2222222222"
CLIENT_SECRET = "slack-client-secret"

TEAM_ID = "T01ACC"
TEAM_NAME = "Acme"
TEAM_DOMAIN = "acme"
APP_ID = "A01ACC"
BOT_ID = "B01ACC"
BOT_USER_ID = "U0BOTACC"
BOT_NAME = "callout"

# id, name, real name, e-mail, time zone, deleted, admin
PEOPLE: tuple[tuple[str, str, str, str, str, bool, bool], ...] = (
    ("U0ADMIN", "admin", "Ada Admin", "admin@example.com", "Europe/London", False, True),
    ("U0ANN", "ann", "Ann Ames", "ann@example.com", "America/New_York", False, False),
    ("U0BOB", "bob", "Bob Brown", "bob@example.com", "Europe/Berlin", False, False),
    ("U0CAT", "cat", "Cat Chen", "cat@example.com", "Asia/Tokyo", False, False),
    ("U0DAN", "dan", "Dan Diaz", "dan@example.com", "America/Los_Angeles", False, False),
    ("U0GONE", "gone", "Gina Gone", "gone@example.com", "Europe/London", True, False),
)

# id, name, private, the bot is a member, members
CHANNELS: tuple[tuple[str, str, bool, bool, tuple[str, ...]], ...] = (
    ("C0GENERAL", "general", False, False, ("U0ADMIN", "U0ANN", "U0BOB", "U0CAT", "U0DAN")),
    ("C0INCIDENTS", "incidents", False, True, ("U0ADMIN", "U0ANN", "U0BOB")),
    ("C0CRITICAL", "critical-incidents", False, True, ("U0ADMIN", "U0ANN")),
    ("C0RANDOM", "random", False, False, ("U0ADMIN", "U0BOB")),
    ("G0SECRET", "security", True, False, ("U0ADMIN",)),
)

ALL_SCOPES: tuple[str, ...] = (
    "app_mentions:read",
    "bookmarks:read",
    "bookmarks:write",
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "groups:history",
    "groups:read",
    "groups:write",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "mpim:write",
    "pins:read",
    "pins:write",
    "reactions:read",
    "reactions:write",
    "team:read",
    "users.profile:read",
    "users:read",
    "users:read.email",
)

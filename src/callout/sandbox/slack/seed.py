"""What a fresh Slack twin holds: two teams with people and channels, and one app, installed in the first."""

from __future__ import annotations

from dataclasses import dataclass

BOT_TOKEN = "xoxb-acc"
APP_TOKEN = "xapp-acc"
SIGNING_SECRET = "slack-signing-secret"
VERIFICATION_TOKEN = "deprecated-verification-token"
CLIENT_ID = "1111111111.2222222222"
CLIENT_SECRET = "slack-client-secret"

APP_ID = "A01ACC"
BOT_NAME = "callout"

TEAM_ID = "T01ACC"
TEAM_NAME = "Acme"
TEAM_DOMAIN = "acme"
BOT_ID = "B01ACC"
BOT_USER_ID = "U0BOTACC"
OTHER_TEAM_ID = "T02ACC"

# id, name, real name, e-mail, time zone, deleted, admin
Person = tuple[str, str, str, str, str, bool, bool]
# id, name, private, the bot is a member, members
Place = tuple[str, str, bool, bool, tuple[str, ...]]
# id, handle, name, members
Group = tuple[str, str, str, tuple[str, ...]]

PEOPLE: tuple[Person, ...] = (
    ("U0ADMIN", "admin", "Ada Admin", "admin@example.com", "Europe/London", False, True),
    ("U0ANN", "ann", "Ann Ames", "ann@example.com", "America/New_York", False, False),
    ("U0BOB", "bob", "Bob Brown", "bob@example.com", "Europe/Berlin", False, False),
    ("U0CAT", "cat", "Cat Chen", "cat@example.com", "Asia/Tokyo", False, False),
    ("U0DAN", "dan", "Dan Diaz", "dan@example.com", "America/Los_Angeles", False, False),
    ("U0GONE", "gone", "Gina Gone", "gone@example.com", "Europe/London", True, False),
)

CHANNELS: tuple[Place, ...] = (
    ("C0GENERAL", "general", False, False, ("U0ADMIN", "U0ANN", "U0BOB", "U0CAT", "U0DAN")),
    ("C0INCIDENTS", "incidents", False, True, ("U0ADMIN", "U0ANN", "U0BOB")),
    ("C0CRITICAL", "critical-incidents", False, True, ("U0ADMIN", "U0ANN")),
    ("C0RANDOM", "random", False, False, ("U0ADMIN", "U0BOB")),
    ("G0SECRET", "security", True, False, ("U0ADMIN",)),
)


@dataclass(frozen=True, slots=True)
class TeamSeed:
    """One workspace as it begins; `installed` says whether the app is in it already."""

    id: str
    name: str
    domain: str
    bot_user_id: str
    bot_id: str
    people: tuple[Person, ...]
    channels: tuple[Place, ...]
    groups: tuple[Group, ...] = ()
    installed: bool = False

    @property
    def url(self) -> str:
        """The team's address, with its closing slash."""
        return f"https://{self.domain}.slack.com/"


ACME = TeamSeed(
    TEAM_ID,
    TEAM_NAME,
    TEAM_DOMAIN,
    BOT_USER_ID,
    BOT_ID,
    PEOPLE,
    CHANNELS,
    groups=(("S0ONCALL", "oncall", "On call", ("U0ANN", "U0BOB")),),
    installed=True,
)
BETA = TeamSeed(
    OTHER_TEAM_ID,
    "Beta",
    "beta",
    "U0BOTBETA",
    "B02ACC",
    (
        ("U2ADMIN", "admin", "Abe Admin", "admin@beta.example.com", "Europe/Paris", False, True),
        ("U2EVE", "eve", "Eve Eden", "eve@beta.example.com", "Europe/Paris", False, False),
        ("U2FAY", "fay", "Fay Finn", "fay@beta.example.com", "Asia/Singapore", False, False),
    ),
    (
        ("C2GENERAL", "general", False, False, ("U2ADMIN", "U2EVE", "U2FAY")),
        ("C2INCIDENTS", "incidents", False, False, ("U2ADMIN", "U2EVE")),
    ),
)
TEAMS: tuple[TeamSeed, ...] = (ACME, BETA)

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
    "files:read",
    "files:write",
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
    "usergroups:read",
    "users.profile:read",
    "users:read",
    "users:read.email",
)

"""Who may do what: the organization, its accounts and members, tokens, permissions and chat identities.

Services take an open transaction and never commit. Those of the organization (:class:`Accounts`,
:class:`Members`, :class:`Tokens`) see all accounts; the caller's rights (:meth:`Caller.require`) are checked
by the ways in.
"""

from __future__ import annotations

from callout.access.accounts import DEFAULT_ACCOUNT, Account, Accounts
from callout.access.authentication import Authentication
from callout.access.caller import SYSTEM, Caller
from callout.access.erasure import RETENTION, erase_account
from callout.access.errors import OrganizationDisabledError, Reason, UnauthenticatedError
from callout.access.idempotency import Idempotency, StoredAnswer, request_digest
from callout.access.identities import ChatIdentities, ChatIdentity, Known
from callout.access.listing import Filter, Listed, Listing
from callout.access.logons import Logons
from callout.access.members import Member, Members
from callout.access.organizations import Organization, Organizations
from callout.access.permissions import PERMISSIONS, ROLES
from callout.access.sessions import OpenedSession, Session, SessionInfo, Sessions, SessionTimes
from callout.access.tokens import RefreshToken, Token, TokenPair, Tokens
from callout.access.ttl import parse_ttl
from callout.access.version import SettingsVersion, Watcher

__all__ = [
    "DEFAULT_ACCOUNT",
    "PERMISSIONS",
    "RETENTION",
    "ROLES",
    "SYSTEM",
    "Account",
    "Accounts",
    "Authentication",
    "Caller",
    "ChatIdentities",
    "ChatIdentity",
    "Filter",
    "Idempotency",
    "Known",
    "Listed",
    "Listing",
    "Logons",
    "Member",
    "Members",
    "OpenedSession",
    "Organization",
    "OrganizationDisabledError",
    "Organizations",
    "Reason",
    "RefreshToken",
    "Session",
    "SessionInfo",
    "SessionTimes",
    "Sessions",
    "SettingsVersion",
    "StoredAnswer",
    "Token",
    "TokenPair",
    "Tokens",
    "UnauthenticatedError",
    "Watcher",
    "erase_account",
    "parse_ttl",
    "request_digest",
]

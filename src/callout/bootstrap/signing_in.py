"""The ways in to the pages, built from the settings; and the first one, which the server prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.access import SYSTEM
from callout.access.oidc_logouts import OidcLogouts
from callout.access.oidc_members import OidcMembers
from callout.access.oidc_settings import OidcSettings, role_mapping
from callout.access.sign_in import SignIn
from callout.kit.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.access.setup_links import SetupLink
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings
    from callout.storage import Tx

OIDC_DONE: Final = "/login/oidc/done"
"""Where an OpenID provider sends people back; `callout.server.dashboard.oidc` answers there."""


def build_sign_in(core: Core, connections: Connections) -> SignIn:
    """Return what the sign-in pages need."""
    openid = None
    if core.settings.oidc_issuer:
        # Signatures of tokens take a while to import, and most installations have no provider.
        from callout.access.oidc import OpenId  # noqa: PLC0415

        openid = OpenId(oidc_settings(core.settings), keys=core.keys, clock=core.clock, http=connections.http)
    return SignIn(
        sessions=core.sessions,
        links=core.setup_links,
        tries=core.sign_in_tries,
        openid_members=OidcMembers(core.clock, core.audit, core.members),
        openid_logouts=OidcLogouts(core.clock, core.sessions),
        openid=openid,
    )


def oidc_settings(settings: Settings) -> OidcSettings:
    """Return the settings of the provider."""
    return OidcSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=Secret(settings.oidc_client_secret.get_secret_value()),
        redirect_uri=settings.address + OIDC_DONE,
        label=settings.oidc_label or "single sign-on",
        scopes=settings.oidc_scopes,
        role_claim=settings.oidc_role_claim,
        roles=role_mapping(settings.oidc_roles),
        default_role=settings.oidc_default_role,
        email_domains=settings.oidc_email_domains,
        link_by_email=settings.oidc_link_email,
    )


async def offer_setup(core: Core, say: Callable[[str], None]) -> None:
    """Print a set-up link where nobody is a member yet."""
    link = await _first_link(core)
    if link is not None:
        say(
            "Nobody can sign in yet. This link makes the first administrator, once, until "
            f"{link.expires:%Y-%m-%d %H:%M} UTC:\n  {link.address(core.settings.address)}"
        )


async def _first_link(core: Core) -> SetupLink | None:

    async def unit(tx: Tx) -> SetupLink | None:
        return (
            await core.setup_links.issue(tx, actor=SYSTEM.actor)
            if await core.setup_links.wanted(tx)
            else None
        )

    return await core.database.transaction(unit)

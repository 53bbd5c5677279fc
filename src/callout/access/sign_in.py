"""What the sign-in pages stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callout.access.oidc import OpenId
    from callout.access.oidc_logouts import OidcLogouts
    from callout.access.oidc_members import OidcMembers
    from callout.access.sessions import Sessions
    from callout.access.setup_links import SetupLinks
    from callout.access.tries import SignInTries


@dataclass(frozen=True, slots=True)
class SignIn:
    """The ways in. `openid` is None where no provider is configured."""

    sessions: Sessions
    links: SetupLinks
    tries: SignInTries
    openid_members: OidcMembers
    openid_logouts: OidcLogouts
    openid: OpenId | None = None

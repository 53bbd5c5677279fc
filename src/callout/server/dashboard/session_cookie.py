"""The cookie that holds the secret of a session: no script reads it, no other site's form brings it, over https nothing else sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.kit.secrets import Secret

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from callout.access import OpenedSession
    from callout.server.services import Services

COOKIE: Final = "callout_session"
LONGEST: Final = 200
"""Of a secret, in characters: ours are shorter."""


def is_secure(services: Services, request: Request) -> bool:
    """Return whether people reach the pages over https, so that cookies are for https only."""
    return services.secure_cookies or request.url.scheme == "https"


def name_of(*, secure: bool, plain: str = COOKIE) -> str:
    """Return the cookie's name. A browser takes `__Host-` only from this host, over https, for the whole of it."""
    return f"__Host-{plain}" if secure else plain


def secret_of(services: Services, request: Request) -> Secret | None:
    """Return the secret that a request carries."""
    found = request.cookies.get(name_of(secure=is_secure(services, request)), "")
    return Secret(found) if 0 < len(found) <= LONGEST else None


def keep(answer: Response, services: Services, request: Request, opened: OpenedSession) -> None:
    """Have the browser keep a new session, until its last day, or until the OpenID provider is not asked again in silence."""
    secure = is_secure(services, request)
    answer.set_cookie(
        name_of(secure=secure),
        opened.secret.reveal(),
        httponly=True,
        # Lax, not strict: whoever follows a link to an incident from chat is to arrive signed in. No GET changes anything.
        samesite="lax",
        secure=secure,
        max_age=max(0, int((opened.kept - services.clock.now()).total_seconds())),
    )


def forget(answer: Response, services: Services, request: Request) -> None:
    """Have the browser forget its session."""
    secure = is_secure(services, request)
    answer.delete_cookie(name_of(secure=secure), secure=secure, httponly=True, samesite="lax")

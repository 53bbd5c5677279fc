"""The cookie of somebody who is signed in to the pages with a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.kit.secrets import Secret

if TYPE_CHECKING:
    from callout.bootstrap.core import Core


async def cookie_of(core: Core, token: str) -> str:
    """Return the header that a browser sends after its user signed in with `token`."""
    opened = await core.database.transaction(lambda tx: core.sessions.open_with_token(tx, Secret(token)))
    return f"callout_session={opened.secret.reveal()}"

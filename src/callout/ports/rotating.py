"""OAuth tokens that rotate: sent with each call, renewed shortly before they expire and once after a 401."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from typing import Final

from callout.kit.clock import Clock
from callout.kit.secrets import Secret
from callout.ports.manifest import TokenSet, TokenStore

EARLY: Final = timedelta(seconds=60)
"""Tokens are renewed this long before they expire, so that none dies on its way."""


class RotatingAuth:
    """Bearer tokens from the token store (see `callout.kit.http.Auth`).

    Args:
        store: keeps the tokens, and sees to it that only one process renews them.
        renew: asks the vendor for fresh ones; raises AuthFailedError when no grant is accepted, UnavailableError.
        clock: the time.
    """

    def __init__(
        self, store: TokenStore, renew: Callable[[TokenSet], Awaitable[TokenSet]], *, clock: Clock
    ) -> None:
        self._store = store
        self._renew = renew
        self._clock = clock

    async def headers(self) -> Mapping[str, str | Secret]:
        """Return the Authorization header. Raises AuthFailedError when the grant cannot be renewed."""
        tokens = await self._store.current()
        dying = tokens.expires_at is not None and tokens.expires_at - EARLY <= self._clock.now()
        if dying or not tokens.access:
            tokens = await self._store.rotate(tokens, self._renew)
        _used.set((self, tokens))
        return {"Authorization": Secret(f"Bearer {tokens.access.reveal()}")}

    async def rejected(self) -> bool:
        """Renew after a 401; the store sees to it that only one process spends the refresh token."""
        owner, stale = _used.get()
        if owner is not self or stale is None:
            return False
        fresh = await self._store.rotate(stale, self._renew)
        return fresh.access != stale.access


_used: ContextVar[tuple[RotatingAuth | None, TokenSet | None]] = ContextVar(
    "rotating_tokens_used", default=(None, None)
)
"""What the call under way was sent with: calls run side by side, and each must judge its own token when it is refused."""

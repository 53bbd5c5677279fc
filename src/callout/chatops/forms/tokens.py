"""What a form carries with it and brings back: sealed, for one person of one workspace, and for a day.

A platform hands a form's private data through the client of whoever fills it in. So nothing in it is believed that we did not seal,
and what it names is authorised again when it comes back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callout.kit.secrets import SealError
from callout.ports.errors import InvalidRequestError

if TYPE_CHECKING:
    from callout.chatops.context import Workspace
    from callout.kit.clock import Clock
    from callout.kit.secrets import KeyRing

VALID: Final = timedelta(days=1)
"""How long a form may stay open."""


class FormTokens:
    """Seals and opens the data of forms."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def make(self, workspace: Workspace, user: str, action: str, data: Mapping[str, str]) -> str:
        """Return the token of a form of that action, for that user of the platform."""
        until = int((self._clock.now() + VALID).timestamp())
        text = json.dumps({"until": until, "data": dict(data)}, separators=(",", ":"))
        return self._keys.seal(text, context=_context(workspace, user, action))

    def read(self, workspace: Workspace, user: str, action: str, token: str) -> Mapping[str, str]:
        """Return what :meth:`make` was given. Raises InvalidRequestError for any other token, and for one that is too old."""
        try:
            found = json.loads(self._keys.open(token, context=_context(workspace, user, action)).reveal())
        except SealError:
            raise InvalidRequestError(
                "this form was not made here, or not for you", remediation="Open it again."
            ) from None
        if self._clock.now().timestamp() > found["until"]:
            raise InvalidRequestError("this form is more than a day old", remediation="Open it again.")
        data: Mapping[str, str] = found["data"]
        return data


def _context(workspace: Workspace, user: str, action: str) -> tuple[str, ...]:
    return (workspace.account_id, workspace.integration_id, user, f"chat/{action}")

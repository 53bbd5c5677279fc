"""What the SDK raises for an error, in one line."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from synqly.engine.core.api_error import ApiError as EngineError
from synqly.management.core.api_error import ApiError as ManagementError


async def refused(call: Awaitable[Any], status: int, kind: str = "") -> Any:
    """Return the Problem that `call` is refused with; fails unless it has that status and type."""
    with pytest.raises((EngineError, ManagementError)) as caught:
        await call
    error = caught.value
    assert error.status_code == status, (error.status_code, error.body)
    # Where the SDK has no error of its own, it leaves the body as it came.
    body = error.body
    said = body["type"] if isinstance(body, dict) else body.type
    assert not kind or said == kind, body
    return body

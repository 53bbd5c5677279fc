"""The base class of a twin: what the sandbox needs to know to mount, steer and watch one vendor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import JSONResponse

from callout.sandbox.core.clock import SandboxClock
from callout.sandbox.core.faults import FaultPlan
from callout.sandbox.core.ledger import Ledger
from callout.sandbox.core.webhooks import RetryRule, WebhookSender

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

INTERNAL_ERROR_LIMIT = 200
DEFAULT_ORIGIN = "http://127.0.0.1:9100"


class ActError(ValueError):
    """The vendor's user cannot do that: unknown action, no such record, a missing field (a 400)."""


class ConfigError(ValueError):
    """A key or value of `PUT _twin/config` that the twin does not know (a 400)."""


class Twin(ABC):
    """One vendor's stand-in. Subclasses keep their state in memory and re-seed it in `reset`."""

    name: ClassVar[str]
    retry_rule: ClassVar[RetryRule] = RetryRule()

    def __init__(self, clock: SandboxClock | None = None) -> None:
        self.clock = clock or SandboxClock()
        self.ledger = Ledger(self.name, self.clock)
        self.faults = FaultPlan(self.clock)
        self.webhooks = WebhookSender(self.clock, self.faults, self.retry_rule)
        self.internal_errors: deque[str] = deque(maxlen=INTERNAL_ERROR_LIMIT)
        self.webhooks.on_error = self.internal_errors.append
        self.search_lag_seconds = 0.0
        self.origin = DEFAULT_ORIGIN
        self._origin_fixed = False
        self.reset()

    # What a vendor's twin provides.

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """Return the vendor's routes, with paths below the twin's mount."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all vendor state and configuration and seed it again."""

    @abstractmethod
    def credentials(self) -> dict[str, Any]:
        """Return the seeds a client needs; always holds `base_path`."""

    async def act(self, action: str, body: dict[str, Any]) -> Any:
        """Do what the vendor's user does. Raises ActError when that is not possible."""
        del body
        raise ActError(f"{self.name} has no act {action!r}")

    def configure(self, settings: dict[str, Any]) -> None:
        """Take twin-specific settings of `PUT _twin/config`. Raises ConfigError on an unknown one."""
        if settings:
            raise ConfigError(f"unknown settings: {', '.join(sorted(settings))}")

    def config(self) -> dict[str, Any]:
        """Return the twin-specific settings now in force."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return a readable snapshot for `GET _twin/state` (plain JSON values)."""
        return {}

    def error_response(self, status: int, *, request: Request, message: str = "") -> Response:
        """Shape an error as the vendor does; used for faults, unknown paths and errors inside the twin."""
        del request
        return JSONResponse({"error": message or f"HTTP {status}"}, status_code=status)

    def expired_token_response(self, request: Request) -> Response:
        """Shape the vendor's answer to an expired token (the `expired_token` fault)."""
        return self.error_response(401, request=request, message="expired token")

    # What the core provides.

    @property
    def base_path(self) -> str:
        """Where the twin is mounted."""
        return f"/{self.name}"

    @property
    def public_url(self) -> str:
        """Absolute URL of the mount, for links the vendor puts into its answers."""
        return f"{self.origin}{self.base_path}"

    def search_lag(self, method: str = "GET", path: str = "/") -> float:
        """Seconds by which searches lag now: the larger of the configuration and the fault plan."""
        return max(self.search_lag_seconds, self.faults.search_lag(method, path))

    def learn_origin(self, origin: str) -> None:
        """Take scheme and host of a request as our own, unless configuration fixed them."""
        if not self._origin_fixed:
            self.origin = origin

    def apply_config(self, settings: Mapping[str, Any]) -> None:
        """Apply the shared settings and hand the rest to `configure`. Raises ConfigError."""
        rest = dict(settings)
        try:
            if "clock_offset" in rest:
                self.clock.offset = float(rest.pop("clock_offset"))
            if "webhook_speed" in rest:
                self.webhooks.speed = max(float(rest.pop("webhook_speed")), 0.001)
            if "search_lag" in rest:
                self.search_lag_seconds = float(rest.pop("search_lag"))
            if "origin" in rest:
                self.origin = str(rest.pop("origin")).rstrip("/")
                self._origin_fixed = True
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from error
        self.configure(rest)

    def full_config(self) -> dict[str, Any]:
        """Return shared and twin-specific settings together."""
        return {
            "clock_offset": self.clock.offset,
            "webhook_speed": self.webhooks.speed,
            "search_lag": self.search_lag_seconds,
            "origin": self.origin,
            **self.config(),
        }

    def start_over(self) -> None:
        """Reset everything: vendor state, ledger, faults, webhooks, shared settings, internal errors."""
        self.webhooks.cancel()
        self.webhooks.speed = 1.0
        self.ledger.clear()
        self.faults.clear()
        self.internal_errors.clear()
        self.search_lag_seconds = 0.0
        self.clock.offset = 0.0
        self.reset()

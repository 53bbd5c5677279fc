"""One connector, described once: what it is called, how it is configured and how it is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from callout.kit.clock import Clock
from callout.kit.secrets import Secret

if TYPE_CHECKING:
    from pydantic import BaseModel

    from callout.kit.allowance import VendorLimits
    from callout.kit.http import Gate, VendorHttp
    from callout.kit.websocket import OpenWebSocket
    from callout.ports.inbound import HookGuide, HookSetup
    from callout.ports.installing import Installer
    from callout.ports.listening import ChatListener

Category = Literal["ticketing", "chat", "publishing", "incidentresponse", "notifications"]


@dataclass(frozen=True, slots=True)
class TokenSet:
    """A rotating OAuth grant as stored: the refresh half dies with its first use."""

    access: Secret
    refresh: Secret | None = None
    expires_at: datetime | None = None


class TokenStore(Protocol):
    """Keeps one integration's rotating tokens. Refreshes are serial over all processes, and stored before they are used."""

    async def current(self) -> TokenSet:
        """Return the stored tokens."""
        ...

    async def rotate(self, stale: TokenSet, exchange: Callable[[TokenSet], Awaitable[TokenSet]]) -> TokenSet:
        """Return fresh tokens: by `exchange`, unless another process did so since `stale` was read."""
        ...


class HttpFactory(Protocol):
    """Makes the HTTP client of one integration, with its budget, time-outs and address guard built in."""

    def __call__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        **options: Any,  # noqa: ANN401  # those of VendorHttp
    ) -> VendorHttp:
        """Return a client for `base_url`; `headers` go with every request; `options` are those of VendorHttp."""
        ...


@dataclass(frozen=True, slots=True)
class Credential:
    """A decrypted credential of an integration: `kind` is basic, token, secret, service_account or o_auth_client.

    `values` holds the plain parts (`username`, `client_id`, `token_url`), `secrets` the secret ones (`secret`, `client_secret`).
    """

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a connector is given to work with: everything that touches the outside world."""

    http: HttpFactory
    clock: Clock
    credential: Credential
    tokens: TokenStore | None = None
    gate: Gate | None = None
    more: Mapping[str, Credential] = field(default_factory=dict)
    """Further credentials by their field of the settings, such as `app_credential`."""
    websocket: OpenWebSocket | None = None
    public_url: str = ""
    integration_id: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A provider. `config` validates an integration's settings; `build` makes the role, `inbound` the request dialect.

    `listen` makes what opens a connection through which the platform sends (None where the settings ask for none).
    `install` makes the consent by which the provider's app is installed; `app(config, url, socket=…)` describes that app to the vendor.
    `inbound` gets the settings and the integration's webhook secrets; it is None for a provider that never calls us.
    `hook_guide` tells an operator how the vendor is made to send its webhooks. `default_budget` is (requests per second, burst,
    concurrent requests) toward one vendor account; `limits` reads what its answers say of the vendor's own limits (None: it says
    nothing but `Retry-After`).
    """

    provider: str
    title: str
    category: Category
    config: type[BaseModel]
    build: Callable[[Any, Tools], Any]
    inbound: Callable[[Any, Any], Any] | None = None
    listen: Callable[[Any, Tools], ChatListener | None] | None = None
    install: Callable[[Any, Tools], Installer | None] | None = None
    app: Callable[..., Mapping[str, Any]] | None = None
    hook_guide: Callable[[Any, HookSetup], HookGuide] | None = None
    provider_class: type | None = None
    mapping_defaults: Mapping[str, Any] = field(default_factory=dict)
    credential_kinds: tuple[str, ...] = ()
    default_budget: tuple[float, int, int] = (10.0, 20, 4)
    limits: VendorLimits | None = None
    docs: str = ""
    from_memory: tuple[str, ...] = ()
    """Vendor facts that no document confirmed, shown by `callout doctor`."""

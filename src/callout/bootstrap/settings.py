"""Settings: `callout.toml`, then environment `CALLOUT_*`, then flags; each checked at start, with an error that says what to do.

Every setting is documented in `docs/settings.md`; a test compares that page with :class:`Settings`.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from callout.storage.database import sqlite_url

FILE = "callout.toml"
PREFIX = "CALLOUT_"
NOT_SETTINGS = frozenset({"CALLOUT_CRASH_AT", "CALLOUT_CONFIG"})
"""Variables of that prefix which are no settings; those that begin with `CALLOUT_TEST_` belong to the tests."""


class SettingsError(Exception):
    """A setting is wrong or unknown; the message names it, its source and what is allowed."""

    code = "SETTINGS_INVALID"


class Settings(BaseModel):
    """How this process runs. Names in the file are these; in the environment in capitals after `CALLOUT_`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    data_dir: Annotated[Path, Field(description="Directory of the embedded database and the key file.")] = (
        Path(".callout")
    )
    database_url: Annotated[
        str,
        Field(
            description="`postgresql://user:password@host/name`, or `sqlite:///file`. Absent: SQLite in `data_dir`."
        ),
    ] = ""
    host: Annotated[str, Field(description="Address that `callout serve` listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port that `callout serve` listens on.")] = 8080
    worker_port: Annotated[
        int,
        Field(
            ge=0,
            le=65535,
            description="Port at which a process that only does jobs answers `/healthz`, `/readyz` and `/metrics`; 0: none.",
        ),
    ] = 0
    public_url: Annotated[
        str, Field(description="Address under which people and vendors reach this server; used in links.")
    ] = ""
    keys: Annotated[
        SecretStr,
        Field(
            description=(
                "Encryption keys, `v1:BASE64,v2:BASE64`; the last one encrypts. Absent: a key file in `data_dir`."
            )
        ),
    ] = SecretStr("")
    allow_networks: Annotated[
        tuple[str, ...],
        Field(
            description="Private networks (CIDR) that integrations may reach, such as `10.0.0.0/8`; default none."
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Field(
            description="Networks (CIDR) of proxies that are believed who a request is from; empty: nobody is."
        ),
    ] = ("127.0.0.0/8", "::1/128")
    require_https: Annotated[bool, Field(description="Refuse integrations whose address is not https.")] = (
        True
    )
    log: Annotated[Literal["console", "json"], Field(description="How log lines look.")] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="Least serious log line that is written."),
    ] = "info"
    processes: Annotated[
        int,
        Field(
            ge=1, le=64, description="Processes of `callout serve` side by side; more than one on PostgreSQL."
        ),
    ] = 1
    concurrency: Annotated[
        int, Field(ge=1, le=200, description="Partitions that a worker drains at a time.")
    ] = 16
    worker_nice: Annotated[
        int,
        Field(ge=0, le=19, description="How far a process that is a worker alone gives way to others."),
    ] = 10
    pool_size: Annotated[int, Field(ge=2, le=100, description="PostgreSQL connections per process.")] = 10
    takeover_seconds: Annotated[
        float,
        Field(
            ge=1, le=600, description="After so long without a sign of life a worker's work is taken over."
        ),
    ] = 5.0
    poll_seconds: Annotated[
        float, Field(ge=1, le=3600, description="How often ticketing systems are asked for changes.")
    ] = 30.0
    watch_seconds: Annotated[
        float,
        Field(
            ge=1,
            le=86_400,
            description="How often webhook subscriptions are looked at, and set going again where their vendor stopped.",
        ),
    ] = 3600.0
    webhook_mib: Annotated[
        int,
        Field(ge=1, le=32, description="Largest webhook that is taken in, in MiB; a larger one is refused."),
    ] = 5
    connections: Annotated[
        int,
        Field(
            ge=10,
            le=100_000,
            description="Connections that one process of the server takes at a time, live pages among them.",
        ),
    ] = 2000
    api_per_second: Annotated[
        float,
        Field(
            ge=0,
            le=100_000,
            description="API requests of one token, or from one address without a known one, per second in each process; 0: any number.",
        ),
    ] = 100.0
    webhooks_per_second: Annotated[
        float,
        Field(
            ge=0,
            le=100_000,
            description="Webhooks of one account that are taken in per second, by all processes of one `callout serve`; 0: any number.",
        ),
    ] = 0.0
    webhook_backlog: Annotated[
        int,
        Field(
            ge=0,
            description="So many stored webhooks of one account may wait for their work; 0: any number.",
        ),
    ] = 200_000
    webhook_backlog_all: Annotated[
        int,
        Field(ge=0, description="So many stored webhooks may wait for their work in all; 0: any number."),
    ] = 1_000_000
    disk_free_mib: Annotated[
        int,
        Field(
            ge=0,
            description="With less room on the disk of the embedded database no webhook is taken in, in MiB; 0: until it is full.",
        ),
    ] = 256
    attachment_mib: Annotated[
        int,
        Field(ge=1, le=200, description="Largest file that is kept at an incident, in MiB."),
    ] = 25
    roles: Annotated[
        tuple[str, ...],
        Field(
            description="Roles that an incident has beside commander and assignee, such as `scribe,legal`."
        ),
    ] = ("communications", "scribe", "operations")
    session_idle_hours: Annotated[
        float,
        Field(
            ge=0.25,
            le=720,
            description="Who is signed in to the pages and does not use them is signed out after so long.",
        ),
    ] = 24.0
    session_days: Annotated[
        float,
        Field(ge=0.1, le=365, description="Who is signed in to the pages signs in again after so long."),
    ] = 14.0
    oidc_issuer: Annotated[
        str,
        Field(description="OpenID provider that people may sign in with, exactly as it names itself."),
    ] = ""
    oidc_client_id: Annotated[str, Field(description="What the OpenID provider calls this server.")] = ""
    oidc_client_secret: Annotated[
        SecretStr, Field(description="The server's secret there; empty for a public client.")
    ] = SecretStr("")
    oidc_label: Annotated[
        str, Field(max_length=60, description="What the button on the sign-in page says to sign in with.")
    ] = "single sign-on"
    oidc_scopes: Annotated[tuple[str, ...], Field(description="Scopes to ask the OpenID provider for.")] = (
        "openid",
        "email",
        "profile",
    )
    oidc_role_claim: Annotated[
        str,
        Field(description="Claim that tells groups, such as `groups`; empty: roles are given in Callout."),
    ] = ""
    oidc_roles: Annotated[
        tuple[str, ...],
        Field(description="Which group has which role, such as `sre=responder,incident-admins=admin`."),
    ] = ()
    oidc_default_role: Annotated[
        Literal["", "admin", "manager", "responder", "viewer"],
        Field(description="Role of who is new, or has none of the groups; empty: they are not let in."),
    ] = ""
    oidc_session_hours: Annotated[
        float,
        Field(
            ge=0.1,
            le=8760,
            description="After so long the OpenID provider is asked again about whoever signed in there.",
        ),
    ] = 12.0
    oidc_email_domains: Annotated[
        tuple[str, ...],
        Field(description="Only people with a verified e-mail address of these domains; empty: of any."),
    ] = ()
    oidc_link_email: Annotated[
        bool,
        Field(description="Whether a verified e-mail address makes somebody the member who has it already."),
    ] = True
    webhook_timeout_seconds: Annotated[
        float, Field(ge=1, le=30, description="How long one attempt to deliver a webhook may take.")
    ] = 10.0
    webhook_disable_hours: Annotated[
        float,
        Field(
            ge=24,
            le=720,
            description="A webhook endpoint at which every attempt failed for so long is switched off.",
        ),
    ] = 48.0
    keep_deliveries_days: Annotated[
        int,
        Field(ge=2, le=3650, description="How long webhook deliveries are kept, with every attempt."),
    ] = 30
    keep_events_days: Annotated[
        int,
        Field(
            ge=1, le=3650, description="How long the feed of events is kept; incidents and timelines stay."
        ),
    ] = 30
    keep_webhooks_days: Annotated[
        int, Field(ge=1, le=3650, description="How long accepted webhooks are kept.")
    ] = 14

    @field_validator("roles", mode="before")
    @classmethod
    def _roles(cls, value: Any) -> tuple[str, ...]:  # noqa: ANN401  # whatever the file or the environment holds
        from callout.incidents.roles import OWN_ROLES, role_names  # noqa: PLC0415  # settings are read before all else

        parts = value.split(",") if isinstance(value, str) else list(value)
        return role_names(str(part) for part in parts if str(part).strip())[len(OWN_ROLES) :]

    @field_validator("allow_networks", "trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> tuple[str, ...]:  # noqa: ANN401  # whatever the file or the environment holds
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(str(ipaddress.ip_network(part.strip())) for part in parts if part.strip())

    @field_validator("oidc_scopes", "oidc_email_domains", "oidc_roles", mode="before")
    @classmethod
    def _listed(cls, value: Any, info: ValidationInfo) -> tuple[str, ...]:  # noqa: ANN401  # whatever the file or the environment holds
        parts = value.replace(" ", ",").split(",") if isinstance(value, str) else list(value)
        if info.field_name == "oidc_roles" and isinstance(value, str):
            parts = value.split(",")  # groups may have spaces in their names
        found = tuple(str(part).strip() for part in parts if str(part).strip())
        if info.field_name == "oidc_roles":
            from callout.access.oidc_settings import role_mapping  # noqa: PLC0415  # settings are read before all else

            role_mapping(found)
        elif info.field_name == "oidc_scopes":
            return found if "openid" in found else ("openid", *found)
        else:
            return tuple(part.removeprefix("@").lower() for part in found)
        return found

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        if value and (not value.startswith(("https://", "http://")) or not urlsplit(value).hostname):
            msg = "must be the https address by which the provider names itself"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            msg = "oidc_issuer needs oidc_client_id: what the provider calls this server"
            raise ValueError(msg)
        return self

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = "must begin with https:// (or http:// on a private network)"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
            msg = "must begin with postgresql:// or sqlite:///"
            raise ValueError(msg)
        return value

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each setting that is not the default came from: a file, `the environment` or `the command line`."""
        return self._sources

    @property
    def database(self) -> str:
        """The database's URL: the one set, or the embedded SQLite file."""
        return self.database_url or sqlite_url(self.data_dir.absolute() / "callout.db")

    @property
    def embedded(self) -> bool:
        """Whether the database is a SQLite file of ours, which migrates itself."""
        return self.database.startswith("sqlite")

    @property
    def address(self) -> str:
        """The public URL, or the one this process listens on."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Return the settings from file, environment and flags, in rising order. Raises SettingsError.

    The file is `callout.toml` in the working directory, or what `CALLOUT_CONFIG` names; flags that are None were not given.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, part in (
        *_from_file(environ, file),
        ("the environment", _from_environment(environ)),
        ("the command line", {name: value for name, value in (flags or {}).items() if value is not None}),
    ):
        for name, value in part.items():
            values[name] = value
            sources[name] = source
    try:
        loaded = Settings(**values)
    except ValidationError as error:
        lines = [_explain(problem, sources) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from None
    loaded._sources.update(sources)  # noqa: SLF001  # its own, which nobody else writes
    return loaded


def _from_file(environ: Mapping[str, str], file: Path | None) -> list[tuple[str, dict[str, Any]]]:
    named = file or (Path(environ["CALLOUT_CONFIG"]) if environ.get("CALLOUT_CONFIG") else None)
    path = named or Path(FILE)
    if not path.exists():
        if named is not None:
            raise SettingsError(f"the settings file {path} does not exist; write it, or unset CALLOUT_CONFIG")
        return []
    try:
        return [(str(path), tomllib.loads(path.read_text(encoding="utf-8")))]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in NOT_SETTINGS and not name.startswith("CALLOUT_TEST_")
    }


def _explain(problem: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    if not problem["loc"]:  # what no single setting is to blame for
        return str(problem["msg"])
    name = str(problem["loc"][0])
    source = sources.get(name, "the defaults")
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = (
            f"; did you mean {near[0]}?" if near else f"; known settings: {', '.join(Settings.model_fields)}"
        )
        return f"{name} (from {source}) is not a setting{hint}"
    # The value itself is not repeated: it may be a secret.
    return f"{name} (from {source}): {problem['msg']}"

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
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

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
    attachment_mib: Annotated[
        int,
        Field(ge=1, le=200, description="Largest file that is kept at an incident, in MiB."),
    ] = 25
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

    @field_validator("allow_networks", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> tuple[str, ...]:  # noqa: ANN401  # whatever the file or the environment holds
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(str(ipaddress.ip_network(part.strip())) for part in parts if part.strip())

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
        return Settings(**values)
    except ValidationError as error:
        lines = [_explain(problem, sources) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from None


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

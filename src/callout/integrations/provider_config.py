"""Checking the settings of an integration against its provider, with every problem named by its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from callout.integrations.credential_kinds import CredentialParts, CredentialReference, read_credential
from callout.integrations.credentials import is_credential_field
from callout.kit.redaction import is_secret_name
from callout.ports.errors import InvalidRequestError
from callout.ports.manifest import Manifest

POINTER: Final = "/provider_config"


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """A provider config taken apart: `settings` without credentials, `credentials` by field, warnings in
    words.
    """

    manifest: Manifest
    settings: Mapping[str, Any]
    credentials: Mapping[str, CredentialParts | CredentialReference]
    warnings: tuple[str, ...] = ()


def check(provider_config: object, manifests: Mapping[str, Manifest]) -> CheckedConfig:
    """Return `provider_config` checked and taken apart.

    Raises InvalidRequestError whose `fields` point at each wrong place. No message repeats a value.
    """
    if not isinstance(provider_config, Mapping):
        raise InvalidRequestError("provider_config must be an object", fields={POINTER: "not an object"})
    provider = provider_config.get("type")
    manifest = manifests.get(provider) if isinstance(provider, str) else None
    if manifest is None:
        raise InvalidRequestError(
            f"unknown provider type; there are: {', '.join(sorted(manifests))}",
            fields={f"{POINTER}/type": "unknown provider"},
        )
    # null stands for absent, as everywhere in create requests.
    given = {k: v for k, v in provider_config.items() if v is not None}
    credentials = {
        name: read_credential(value, f"{POINTER}/{name}", allowed=_allowed(manifest, name))
        for name, value in given.items()
        if is_credential_field(name)
    }
    if manifest.credential_kinds and not credentials:
        raise InvalidRequestError(
            f"{manifest.title} needs a credential: one of {', '.join(manifest.credential_kinds)}",
            fields={f"{POINTER}/credential": "missing"},
        )
    settings = {k: v for k, v in given.items() if not is_credential_field(k)}
    known = _known(manifest.config)
    for name, value in settings.items():
        _refuse_secret(name, value, known=name in known)
    validate(manifest, settings)
    unknown = sorted(set(settings) - known - {"type"})
    warnings = tuple(
        f"{POINTER}/{name} is not a setting of {manifest.title}; it is kept but not used" for name in unknown
    )
    return CheckedConfig(manifest, settings, credentials, warnings)


def validate(manifest: Manifest, provider_config: Mapping[str, Any]) -> Any:  # noqa: ANN401  # the connector's own model
    """Return the connector's settings object. Raises InvalidRequestError."""
    values = {k: v for k, v in provider_config.items() if not is_credential_field(k) and k != "type"}
    try:
        return manifest.config.model_validate(values)
    except ValidationError as error:
        # Without the input: an operator may have typed a secret into the wrong place.
        fields = {
            "/".join((POINTER, *(str(part) for part in one["loc"]))): str(one["msg"])
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        }
        place, message = next(iter(fields.items()))
        raise InvalidRequestError(f"{place}: {message}", fields=fields) from None


def _allowed(manifest: Manifest, field: str) -> tuple[str, ...]:
    return manifest.credential_kinds if field == "credential" else ()


def _known(model: type[BaseModel]) -> frozenset[str]:
    names = set(model.model_fields)
    names.update(field.alias for field in model.model_fields.values() if field.alias)
    return frozenset(names)


def _refuse_secret(name: str, value: object, *, known: bool) -> None:
    if isinstance(value, str) and value and not known and is_secret_name(name):
        raise InvalidRequestError(
            f"{name} looks like a secret and would be kept readable",
            remediation="Give secrets as `credential`; they are stored encrypted.",
            fields={f"{POINTER}/{name}": "a secret outside of a credential"},
        )
    if isinstance(value, str) and "://" in value:
        try:
            parts = urlsplit(value)
            holds = bool(parts.username or parts.password)
        except ValueError:
            return
        if holds:
            raise InvalidRequestError(
                f"{name} holds a user name or password in its address",
                remediation="Give secrets as `credential`; they are stored encrypted.",
                fields={f"{POINTER}/{name}": "credentials in an address"},
            )

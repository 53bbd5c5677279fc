"""What a credential of each kind is made of, and reading one from JSON without ever repeating its secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError

ID_SUFFIX: Final = "_id"
ADDRESS: Final = "token_url"
"""The plain part that says where secrets are sent to."""


@dataclass(frozen=True, slots=True)
class KindOfCredential:
    """Names of the plain and secret parts; what is not required may be absent."""

    plain: tuple[str, ...] = ()
    secret: tuple[str, ...] = ("secret",)
    optional: tuple[str, ...] = ()


KINDS: Final[Mapping[str, KindOfCredential]] = {
    "basic": KindOfCredential(("username",)),
    "service_account": KindOfCredential(("username",)),
    "token": KindOfCredential(),
    "secret": KindOfCredential(),
    "webhook_url": KindOfCredential(),
    # `access_token` and `refresh_token` are what a person's consent gave; they rotate and are kept apart from
    # then on.
    "o_auth_client": KindOfCredential(
        # Name and password of a user are for vendors with the password grant of OAuth (ServiceNow).
        ("client_id", "token_url", "extra", "username"),
        ("client_secret", "access_token", "refresh_token", "password"),
        ("token_url", "extra", "username", "access_token", "refresh_token", "password"),
    ),
    "tls_certificate": KindOfCredential(("certificate", "extra"), ("private_key",), ("extra",)),
}


@dataclass(frozen=True, slots=True)
class CredentialParts:
    """A credential as it came in, its secret parts wrapped."""

    kind: str
    plain: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        """The plain parts as a connector takes them."""
        extra = self.plain.get("extra") or {}
        return {**extra, **{k: v for k, v in self.plain.items() if isinstance(v, str)}}

    def overlaid(self, config: Mapping[str, Any]) -> CredentialParts:
        """Return the credential that `config` makes of this one; secret parts that it does not name stay.

        Raises InvalidRequestError, also where secrets would stay while the address that they are sent to is another.
        """
        kept = {} if config.get("type") != self.kind else {k: v.reveal() for k, v in self.secrets.items()}
        removed = {name for name in self.secrets if name in config and config[name] is None}
        whole = {**{k: v for k, v in kept.items() if k not in removed}, **config}
        made = read_credential(whole, "/config", allowed=(self.kind,))
        if isinstance(made, CredentialReference):
            raise _wrong("/config/type", "a credential cannot be a reference")
        moved = made.plain.get(ADDRESS) != self.plain.get(ADDRESS)
        if moved and any(name not in config and name not in removed for name in kept):
            raise InvalidRequestError(
                "the stored secret was given for another address",
                remediation="Send the secrets again together with the new address.",
                fields={f"/config/{ADDRESS}": "another address than the stored secret's"},
            )
        return made


@dataclass(frozen=True, slots=True)
class CredentialReference:
    """`{"type": "<kind>_id", "value": "<credential id>"}`."""

    kind: str
    value: str

    def to_json(self) -> dict[str, str]:
        """Return the form that is stored and returned."""
        return {"type": self.kind + ID_SUFFIX, "value": self.value}


def read_credential(
    raw: object, pointer: str, *, allowed: Collection[str] = ()
) -> CredentialParts | CredentialReference:
    """Read a credential or a reference to one.

    Args:
        raw: the JSON value.
        pointer: where it stands, for the error.
        allowed: the kinds that may stand there; none: any.

    Raises InvalidRequestError; no message repeats a value.
    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("type"), str):
        raise _wrong(pointer, 'a credential is an object with a "type"')
    kind: str = raw["type"]
    is_reference = kind not in KINDS and kind.removesuffix(ID_SUFFIX) in KINDS
    kind = kind.removesuffix(ID_SUFFIX) if is_reference else kind
    if kind not in KINDS or (allowed and kind not in allowed):
        options = ", ".join(sorted(allowed or KINDS))
        raise _wrong(f"{pointer}/type", f"the credential must be one of: {options}")
    if is_reference:
        value = raw.get("value")
        if not isinstance(value, str) or not value:
            raise _wrong(f"{pointer}/value", "a reference names the credential's id")
        return CredentialReference(kind, value)
    return _read_parts(kind, raw, pointer)


def lacking(kind: str, there: Collection[str]) -> list[str]:
    """Return the secret parts that a credential of a kind must have, and that are not among `there`."""
    parts = KINDS[kind]
    return [name for name in parts.secret if name not in parts.optional and name not in there]


def _read_parts(kind: str, raw: Mapping[str, Any], pointer: str) -> CredentialParts:
    parts = KINDS[kind]
    plain: dict[str, Any] = {}
    secrets: dict[str, Secret] = {}
    for name in (*parts.plain, *parts.secret):
        value = raw.get(name)
        if value is None or value == "":
            if name not in parts.optional:
                raise _wrong(f"{pointer}/{name}", f"{name} is missing")
            continue
        if name == "extra":
            plain[name] = _extra(value, f"{pointer}/{name}")
        elif not isinstance(value, str):
            raise _wrong(f"{pointer}/{name}", f"{name} must be text")
        elif name in parts.secret:
            secrets[name] = Secret(value)
        else:
            plain[name] = value
    return CredentialParts(kind, plain, secrets)


def _extra(value: object, pointer: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise _wrong(pointer, "extra is an object of texts")
    return {str(k): v for k, v in value.items()}


def _wrong(pointer: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, fields={pointer: message})

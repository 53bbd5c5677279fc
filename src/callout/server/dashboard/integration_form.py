"""The form of a provider's settings, made from its settings model, and what is typed into it as settings again.

No vendor is named here: fields, their kinds, choices and words come from the model, credentials from the kinds that the provider takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.integrations.credential_kinds import KINDS
from callout.integrations.credentials import is_credential_field

if TYPE_CHECKING:
    from callout.ports.errors import CalloutError
    from callout.ports.manifest import Manifest
    from callout.server.dashboard.forms import Form

LONGEST: Final = 20_000
"""Of one field, in characters."""
DEEPEST: Final = 20
NOTHING: Final = "[]"
"""Typed into a list, it is the empty one; a field left empty is what the provider takes by default."""
KIND_WORDS: Final[Mapping[str, str]] = {
    "basic": "User name and password or API token",
    "service_account": "Service account",
    "token": "Token",
    "secret": "Secret",
    "webhook_url": "Webhook address",
    "o_auth_client": "OAuth client",
    "tls_certificate": "TLS certificate",
}
_SPELLED: Final = {"url": "URL", "id": "ID", "api": "API", "oauth": "OAuth"}
_NAMES: Final = {"/name": "called", "/fullname": "fullname"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the form. `kind` is text, number, switch, choice, lines or json; `default` stands for what is left empty."""

    name: str
    label: str
    kind: str
    help: str
    required: bool
    choices: tuple[str, ...] = ()
    default: Any = None
    whole: bool = False
    """A number without a fraction."""

    def text_of(self, value: object) -> str:
        """Return a stored value as it stands in the field."""
        if value is None:
            return "1" if self.kind == "switch" and self.default else ""
        if self.kind == "switch":
            return "1" if value else ""
        if self.kind == "lines" and isinstance(value, Sequence) and not isinstance(value, str):
            return "\n".join(str(one) for one in value) or NOTHING
        if self.kind == "json":
            return json.dumps(value, indent=2, ensure_ascii=False)
        return str(value)


PART_WORDS: Final[Mapping[str, str]] = {
    "username": "The name, often an e-mail address, with which Callout signs in there.",
    "secret": "The password, token or key that goes with it.",
    "client_id": "The id of the OAuth client, as the other side shows it.",
    "client_secret": "The secret of the OAuth client.",
    "token_url": "Where tokens are given, if that is another place than the settings say.",
    "extra": 'What else the other side wants to be sent with it. JSON, such as `{"name": "value"}`',
    "access_token": "The token that a person's consent gave, where there is one already.",
    "refresh_token": "What renews that token.",
    "password": "The password of that user, where the client signs in for one.",
    "certificate": "The certificate, in PEM form.",
    "private_key": "Its key, in PEM form.",
}
"""What each part of a credential is."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a credential. `kind` is text, secret or json."""

    name: str
    label: str
    kind: str
    required: bool
    help: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a credential in the settings, with the kinds that may stand there."""

    name: str
    label: str
    kinds: tuple[str, ...]
    required: bool = False

    def parts(self, kind: str) -> tuple[Part, ...]:
        """Return the fields of a kind."""
        found = KINDS[kind]
        return tuple(
            Part(
                f"{self.name}.{kind}.{part}",
                words_of(part),
                "json" if part == "extra" else "secret" if part in found.secret else "text",
                part not in found.optional,
                PART_WORDS[part],
            )
            for part in (*found.plain, *found.secret)
        )


def words_of(name: str) -> str:
    """Return the name of a field as a label."""
    parts = [_SPELLED.get(part, part) for part in name.split("_")]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def settings_of(manifest: Manifest) -> tuple[Setting, ...]:
    """Return the fields of a provider's settings, those that are required first."""
    schema = manifest.config.model_json_schema()
    needed = set(schema.get("required", ()))
    found = [
        _setting(name, node, schema.get("$defs", {}), required=name in needed)
        for name, node in schema.get("properties", {}).items()
    ]
    return tuple(sorted(found, key=lambda one: not one.required))


def about(manifest: Manifest) -> str:
    """Return what the settings model says of itself."""
    return str(manifest.config.model_json_schema().get("description", ""))


def slots_of(manifest: Manifest) -> tuple[Slot, ...]:
    """Return the credentials that the provider takes: its own, and what connecting to it or installing its app needs beside."""
    found = []
    if manifest.credential_kinds:
        # An app that is installed by consent gets its token that way.
        found.append(
            Slot("credential", "Credential", manifest.credential_kinds, required=manifest.install is None)
        )
    if manifest.install is not None:
        found.append(
            Slot("client_credential", "Client of the app, to install it by consent", ("o_auth_client",))
        )
    if manifest.listen is not None:
        found.append(
            Slot("app_credential", "Token of the app, to listen without an address of ours", ("token",))
        )
    return tuple(found)


def _setting(name: str, node: Mapping[str, Any], defs: Mapping[str, Any], *, required: bool) -> Setting:
    inner = _resolved(node, defs)
    kind, choices, example = _kind(inner, defs)
    default = node.get("default")
    told = [str(node.get("description") or inner.get("description") or "").strip()]
    told += [f"At least {inner['minimum']}." if "minimum" in inner else ""]
    told += [f"At most {inner['maximum']}." if "maximum" in inner else ""]
    if kind == "lines":
        of = _resolved(inner.get("items", {}), defs).get("enum", ())
        told.append(f"One in each line, of: {', '.join(of)}." if of else "One in each line.")
    if kind == "json":
        told.append(f"JSON, such as `{json.dumps(example, ensure_ascii=False)}`")
    if default not in (None, "", [], {}, False, True) and kind != "switch":
        said = default if isinstance(default, str | int | float) else json.dumps(default, ensure_ascii=False)
        told.append(f"Left empty: {said}")
    return Setting(
        name,
        words_of(name),
        kind,
        " ".join(part for part in told if part),
        required,
        choices,
        default,
        whole=inner.get("type") == "integer",
    )


def _resolved(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a node of the schema stands for: through references, and without the word for nothing."""
    for _ in range(DEEPEST):
        if "$ref" in node:
            node = defs.get(str(node["$ref"]).rpartition("/")[2], {})
            continue
        options = [
            one for one in (*node.get("anyOf", ()), *node.get("allOf", ())) if one.get("type") != "null"
        ]
        if len(options) != 1:
            break
        node = options[0]
    return node


_SIMPLE: Final[Mapping[str, tuple[str, Any]]] = {
    "boolean": ("switch", True),
    "integer": ("number", 1),
    "number": ("number", 1),
    "string": ("text", "…"),
}


def _kind(node: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[str, tuple[str, ...], Any]:
    """Return the kind of field, its choices, and an example of its value."""
    if "enum" in node:
        return "choice", tuple(str(one) for one in node["enum"]), node["enum"][0]
    kind = str(node.get("type"))
    if kind in _SIMPLE:
        return _SIMPLE[kind][0], (), _SIMPLE[kind][1]
    if kind == "array":
        inner = _resolved(node.get("items", {}), defs)
        listed = "lines" if inner.get("type") == "string" else "json"
        return listed, (), [_kind(inner, defs)[2]]
    return "json", (), _object(node, defs)


def _object(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:  # noqa: ANN401  # an example, as JSON
    properties = node.get("properties", {})
    if properties:
        return {name: _kind(_resolved(one, defs), defs)[2] for name, one in properties.items()}
    further = node.get("additionalProperties")
    return {"…": _kind(_resolved(further, defs), defs)[2] if isinstance(further, Mapping) else "…"}


def values_of(manifest: Manifest, config: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in the form for stored settings; of credentials nothing but their kind."""
    found = {one.name: one.text_of(config.get(one.name)) for one in settings_of(manifest)}
    for slot in slots_of(manifest):
        reference = config.get(slot.name)
        kind = str(reference.get("type", "")).removesuffix("_id") if isinstance(reference, Mapping) else ""
        found[f"{slot.name}.kind"] = kind if kind in slot.kinds else ""
    return found


def read_config(form: Form, manifest: Manifest, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provider config that a form asks for; what is wrong is noted in the form.

    A field that the form does not have stays as it was `before`, as does a credential of which no part was typed.
    """
    config: dict[str, Any] = {**before, "type": manifest.provider}
    for one in settings_of(manifest):
        if one.name not in form:
            continue
        try:
            value = _typed(one, form)
        except ValueError as error:
            form.wrong(one.name, str(error))
            continue
        if value is None:
            config.pop(one.name, None)
            if one.required:
                form.wrong(one.name, "is missing")
        elif value != one.default or one.name in before:
            config[one.name] = value
    for slot in slots_of(manifest):
        given = read_slot(form, slot)
        if given is not None:
            config[slot.name] = given
        elif slot.required and slot.name not in before:
            form.wrong(f"{slot.name}.kind", "choose a kind of credential and fill it in")
    return config


def _typed(one: Setting, form: Form) -> Any:  # noqa: ANN401  # whatever the setting holds
    if one.kind == "switch":
        return form.flag(one.name)
    text = form.text(one.name)
    if len(text) > LONGEST:
        raise ValueError(f"has more than {LONGEST} characters")
    if not text:
        return None
    if one.kind == "number":
        try:
            return int(text) if one.whole else float(text)
        except ValueError:
            raise ValueError("must be a number") from None
    if one.kind == "lines":
        return [] if text == NOTHING else [line.strip() for line in text.split("\n") if line.strip()]
    return _json(text) if one.kind == "json" else text


def _json(text: str) -> Any:  # noqa: ANN401  # whatever was typed
    depth = deepest = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None


def read_slot(form: Form, slot: Slot) -> dict[str, Any] | None:
    """Return the credential that was typed into a slot; None where no part of it was."""
    kind = form.text(f"{slot.name}.kind") or (slot.kinds[0] if len(slot.kinds) == 1 else "")
    if kind not in slot.kinds:
        return None
    given: dict[str, Any] = {}
    for part in slot.parts(kind):
        text = form.raw(part.name) if part.kind == "secret" else form.text(part.name)
        if not text.strip():
            continue
        name = part.name.rpartition(".")[2]
        try:
            given[name] = _json(text) if part.kind == "json" else text[:LONGEST]
        except ValueError as error:
            form.wrong(part.name, str(error))
    return {"type": kind, **given} if given else None


def field_of(pointer: str, form: Form) -> str:
    """Return the field of the form that an error's JSON pointer means; empty for none."""
    if pointer in _NAMES:
        return _NAMES[pointer]
    parts = pointer.removeprefix("/integration").removeprefix("/provider_config").removeprefix("/config")
    first, *deeper = parts.removeprefix("/").split("/")
    slot = first if is_credential_field(first) else ""
    if not slot and pointer.startswith("/config"):
        slot, deeper = "credential", [first]
    if slot:
        kind = form.text(f"{slot}.kind")
        if deeper and deeper[0] not in {"", "type", "value"} and kind:
            return f"{slot}.{kind}.{deeper[0]}"
        return f"{slot}.kind"
    return first


def refuse(form: Form, error: CalloutError, known: Sequence[str]) -> None:
    """Note in the form why it was refused, beside the fields that the error means; what has no field is told above them."""
    if form.too_late(error):
        return
    above = []
    for pointer, what in error.fields.items():
        name = field_of(pointer, form)
        said = what.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        deeper = pointer.removeprefix("/provider_config/" + name).removeprefix("/")
        if name in known:
            form.wrong(name, f"{deeper}: {said}" if deeper and "/" in deeper else said)
        else:
            above.append(f"{pointer}: {said}")
    # A message that begins with a pointer repeats what stands beside its field.
    if above or not error.message.startswith("/"):
        form.error = "; ".join([error.message, *above])
    form.remediation = error.remediation


def names_of(manifest: Manifest) -> list[str]:
    """Return the names of all fields of a provider's form."""
    found = ["called", "fullname", *(one.name for one in settings_of(manifest))]
    for slot in slots_of(manifest):
        found.append(f"{slot.name}.kind")
        found += [part.name for kind in slot.kinds for part in slot.parts(kind)]
    return found


__all__ = [
    "KIND_WORDS",
    "Part",
    "Setting",
    "Slot",
    "about",
    "field_of",
    "names_of",
    "read_config",
    "read_slot",
    "refuse",
    "settings_of",
    "slots_of",
    "values_of",
]

"""What providers can do, computed from what their connectors implement: documents, answers and behaviour cannot disagree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.filtering import FIELDS, OPERATORS, ORDER_FIELDS
from callout.ports.values import Priority
from callout.ticketing.directory import POLICY_FIELDS
from callout.ticketing.grammar import MOMENT_FIELDS
from callout.ticketing.operations import CONNECTORS, ApiConnector, ApiOperation, can

if TYPE_CHECKING:
    from callout.ports.manifest import Manifest

Json = dict[str, Any]
EXPANDS: Final = frozenset({"connector", "operations", "provider_config", "request_body", "providers"})
_COMPARED: Final = ("eq", "neq", "gt", "lt", "gte", "lte", "in", "not in")
_RELEASE: Final = {"availability": "generally-available", "environments": ["prod", "test"]}


class Capabilities:
    """The three operations, over the providers there are."""

    def __init__(self, manifests: Mapping[str, Manifest]) -> None:
        self._manifests = {
            name: manifest
            for name, manifest in sorted(manifests.items())
            if name.partition("_")[0] in CONNECTORS
        }

    def connectors(self, expand: Sequence[str]) -> list[Json]:
        """Return the categories with their providers."""
        wanted = _wanted(expand)
        return [self._connector(one, nested="providers" in wanted) for one in CONNECTORS.values()]

    def providers(self, expand: Sequence[str]) -> list[Json]:
        """Return all providers."""
        wanted = _wanted(expand)
        return [self._provider(manifest, wanted) for manifest in self._manifests.values()]

    def provider(self, provider: str, expand: Sequence[str]) -> Json:
        """Return one provider by its type. Raises NotFoundError."""
        manifest = self._manifests.get(provider)
        if manifest is None:
            raise NotFoundError(
                f"there is no provider {provider[:80]!r}",
                remediation="GET /v1/capabilities/providers lists them.",
            )
        return self._provider(manifest, _wanted(expand))

    def _connector(self, one: ApiConnector, *, nested: bool) -> Json:
        members = [found for name, found in self._manifests.items() if name.partition("_")[0] == one.id]
        told: Json = {
            "id": one.id,
            "name": one.id,
            "fullname": one.fullname,
            "description": one.description,
            "provider_ids": [found.provider for found in members],
            "connector": one.id,
            "release": {"availability": "generally-available"},
        }
        if nested:
            told["providers"] = [self._base(found) for found in members]
        return told

    def _base(self, manifest: Manifest) -> Json:
        category = manifest.provider.partition("_")[0]
        return {
            "id": manifest.provider,
            "name": manifest.provider,
            "fullname": manifest.title,
            "vendor": manifest.title,
            "description": f"{manifest.title} as a provider of {CONNECTORS[category].fullname.lower()}.",
            "connector_id": category,
            "release": dict(_RELEASE),
        }

    def _provider(self, manifest: Manifest, wanted: Collection[str]) -> Json:
        told = self._base(manifest)
        connector = CONNECTORS[told["connector_id"]]
        told["connector"] = (
            self._connector(connector, nested=False) if "connector" in wanted else connector.id
        )
        if "operations" in wanted:
            told["operations"] = [
                operation_out(one, connector, manifest, bodies="request_body" in wanted)
                for one in connector.operations
            ]
        if "provider_config" in wanted:
            told["provider_config"] = config_schema(manifest)
        return told


def operation_out(one: ApiOperation, connector: ApiConnector, manifest: Manifest, *, bodies: bool) -> Json:
    """Return an operation of a provider."""
    told: Json = {
        "id": f"{connector.id}_{one.name}",
        "name": one.name,
        "fullname": one.fullname,
        "supported": can(manifest, one.method),
        "request_method": one.verb,
        "request_path": one.path,
    }
    fields = [*one.required, *_more_required(manifest, one.name)]
    if fields:
        told["required_fields"] = fields
    if one.name == "query_tickets":
        told["filters"] = ticket_filters()
        told["orders"] = [{"name": name, "directions": ["asc", "desc"]} for name in _orders(manifest)]
    elif one.name == "query_escalation_policies" and connector.id == "ticketing":
        told["filters"] = [
            {"name": name, "type": "string", "operators": sorted(OPERATORS)} for name in sorted(POLICY_FIELDS)
        ]
    if bodies and one.verb in {"POST", "PATCH"}:
        told["request_body"] = {"required": bool(one.required) or one.verb == "PATCH"}
    return told


def ticket_filters() -> list[Json]:
    """Return the filters of tickets: the same for every provider, applied there or, where that keeps paging right, here."""
    told: list[Json] = []
    for name in sorted(FIELDS):
        kind = "datetime" if name in MOMENT_FIELDS else "enum" if name == "priority" else "string"
        one: Json = {
            "name": name,
            "type": kind,
            "operators": list(_COMPARED) if kind == "datetime" else sorted(OPERATORS),
        }
        if kind == "enum":
            one["values"] = [priority.value for priority in Priority]
        told.append(one)
    return told


def _orders(manifest: Manifest) -> list[str]:
    """Return the fields that a provider's tickets can be ordered by, where its connector knows of limits."""
    return sorted(getattr(manifest.provider_class, "order_fields", ORDER_FIELDS))


def _more_required(manifest: Manifest, operation: str) -> tuple[str, ...]:
    """Return what the provider needs beside the contract's own, unless the integration has a default for it."""
    needs: Mapping[str, tuple[str, ...]] = getattr(manifest.provider_class, "required_fields", {})
    return needs.get(operation, ())


def config_schema(manifest: Manifest) -> Json:
    """Return the JSON schema of a provider's settings, with the kinds of credentials that it takes."""
    schema = manifest.config.model_json_schema()
    properties = {"type": {"const": manifest.provider}, **schema.get("properties", {})}
    required = ["type", *schema.get("required", [])]
    if manifest.credential_kinds:
        properties["credential"] = {
            "type": "object",
            "properties": {
                "type": {
                    "enum": [*manifest.credential_kinds, *(f"{k}_id" for k in manifest.credential_kinds)]
                }
            },
            "required": ["type"],
        }
        required.append("credential")
    return {**schema, "properties": properties, "required": required}


def _wanted(expand: Sequence[str]) -> frozenset[str]:
    unknown = sorted(set(expand) - EXPANDS)
    if unknown:
        raise InvalidRequestError(
            f"unknown expand {unknown[0][:40]!r}",
            fields={"expand": "unknown"},
            remediation=f"Use one of: {', '.join(sorted(EXPANDS))}.",
        )
    return frozenset(expand)

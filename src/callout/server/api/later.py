"""Operations of the wire contract that are not built: whoever may call them is told so, by a Problem."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Response

from callout.ports.errors import OperationNotSupportedError
from callout.server.manage import ERRORS, Office, ThisErrand
from callout.server.problems import refusals

NOT_BUILT: Final = refusals(501)
router = APIRouter(tags=["not built"], responses={**ERRORS, **NOT_BUILT})

OPERATIONS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("GET", "/v1/mappings", "integration.read", "List mappings"),
    ("POST", "/v1/mappings", "integration.write", "Create a mapping"),
    ("POST", "/v1/mappings/apply", "integration.write", "Apply mappings"),
    ("GET", "/v1/mappings/{mapping}", "integration.read", "Read a mapping"),
    ("PUT", "/v1/mappings/{mapping}", "integration.write", "Replace a mapping"),
    ("PATCH", "/v1/mappings/{mapping}", "integration.write", "Change a mapping"),
    ("DELETE", "/v1/mappings/{mapping}", "integration.write", "Remove a mapping"),
    ("GET", "/v1/integration-points", "integration.read", "List integration points"),
    ("POST", "/v1/integration-points", "integration.write", "Create an integration point"),
    ("GET", "/v1/integration-points/{point}", "integration.read", "Read an integration point"),
    ("PUT", "/v1/integration-points/{point}", "integration.write", "Replace an integration point"),
    ("PATCH", "/v1/integration-points/{point}", "integration.write", "Change an integration point"),
    ("DELETE", "/v1/integration-points/{point}", "integration.write", "Remove an integration point"),
    ("POST", "/v1/auth/sso", "organization.write", "Create a single sign-on"),
    ("GET", "/v1/auth/sso", "organization.read", "List single sign-ons"),
    ("GET", "/v1/auth/sso/{sso}", "organization.read", "Read a single sign-on"),
    ("PUT", "/v1/auth/sso/{sso}", "organization.write", "Replace a single sign-on"),
    ("DELETE", "/v1/auth/sso/{sso}", "organization.write", "Remove a single sign-on"),
    ("GET", "/v1/auth/meta", "organization.read", "Read what a single sign-on needs"),
    ("POST", "/v1/tokens/mcp", "token.write", "Create a token for the Model Context Protocol"),
    ("POST", "/v1/tokens/synqly-integrations", "token.write", "Create a token for hosted integrations"),
)
"""Method, path, permission and title."""


def _route(permission: str, title: str) -> Callable[[ThisErrand], Awaitable[Response]]:
    async def endpoint(errand: ThisErrand) -> Response:
        async def unit(office: Office) -> Mapping[str, Any]:
            office.require(permission)
            raise OperationNotSupportedError(
                f"this version cannot do this: {title.lower()}",
                remediation="The API is described at /v1/meta/openapi.",
            )

        return await errand.read(unit)

    return endpoint


for _method, _path, _permission, _title in OPERATIONS:
    router.add_api_route(
        _path,
        _route(_permission, _title),
        methods=[_method],
        summary=_title,
        description="Part of the wire contract, not built yet: answers 501.",
        name=f"later {_method} {_path}",
        status_code=501,
    )

"""REST for the organization."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, Field

from callout.access import Organization
from callout.server.manage import ERRORS, Office, ThisErrand, without_nulls
from callout.server.patching import PatchOperation, chosen, patched

router = APIRouter(prefix="/v1/organization", tags=["organization"], responses=ERRORS)
_WRITABLE: Final = frozenset({"name", "fullname", "contact", "reply_to", "picture", "options"})


class OrganizationOptions(BaseModel):
    """Kept for programs that set them; Callout itself does not act on them."""

    invite_duration: str | None = Field(None, max_length=40)
    forgot_duration: str | None = Field(None, max_length=40)
    password_duration: str | None = Field(None, max_length=40)
    minimum_password_length: int | None = Field(None, ge=0, le=1000)


class OrganizationReplacement(BaseModel):
    """The organization as it was read, with changes."""

    name: str = Field(max_length=255)
    fullname: str
    contact: str | None = Field(None, max_length=255)
    reply_to: str | None = Field(None, max_length=255)
    picture: str | None = Field(None, max_length=2000)
    options: OrganizationOptions | None = None
    updated_at: datetime

    def changes(self) -> dict[str, Any]:
        """Return the new values by field."""
        options = {} if self.options is None else self.options.model_dump(exclude_none=True)
        return {name: getattr(self, name) for name in _WRITABLE} | {"options": options}


class OrganizationOut(BaseModel):
    """The organization."""

    id: str
    name: str
    fullname: str
    created_at: datetime
    updated_at: datetime
    refresh_token_id: str
    organization_type: Literal["root", "standard"]
    state: str
    contact: str | None = None
    reply_to: str | None = None
    picture: str | None = None
    options: OrganizationOptions | None = None


class OneOrganization(BaseModel):
    """The organization."""

    result: OrganizationOut


def organization_out(one: Organization) -> dict[str, Any]:
    """Return the organization as the API shows it."""
    return without_nulls(
        {
            "id": one.id,
            "name": one.name,
            "fullname": one.fullname,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "refresh_token_id": one.refresh_token_id,
            "organization_type": one.organization_type,
            "state": one.state,
            "contact": one.contact,
            "reply_to": one.reply_to,
            "picture": one.picture,
            "options": dict(one.options) or None,
        }
    )


@router.get(
    "", response_model=OneOrganization, response_model_exclude_none=True, summary="Read the organization"
)
async def read(errand: ThisErrand) -> Response:
    """Read the organization that the token belongs to."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("organization.read")
        return {"result": organization_out(await office.manage.organizations.get(office.tx))}

    return await errand.read(unit)


@router.put(
    "", response_model=OneOrganization, response_model_exclude_none=True, summary="Replace the organization"
)
async def replace(body: OrganizationReplacement, errand: ThisErrand) -> Response:
    """Change the organization to what is sent; refused when it was changed since it was read."""

    async def unit(office: Office) -> Mapping[str, Any]:
        return {"result": await _changed(office, body.changes(), expected=body.updated_at)}

    return await errand.write(unit)


@router.patch(
    "", response_model=OneOrganization, response_model_exclude_none=True, summary="Change the organization"
)
async def patch(operations: Annotated[list[PatchOperation], Body()], errand: ThisErrand) -> Response:
    """Change the organization by a JSON Patch."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("organization.write")
        before = organization_out(await office.manage.organizations.get(office.tx))
        whole, names = patched(operations, before, OrganizationReplacement, writable=_WRITABLE)
        return {"result": await _changed(office, chosen(whole.changes(), names))}

    return await errand.write(unit)


async def _changed(
    office: Office, changes: Mapping[str, Any], *, expected: datetime | None = None
) -> dict[str, Any]:
    office.require_everywhere("organization.write")
    after = await office.manage.organizations.update(
        office.tx,
        changes=changes,
        actor=office.caller.actor,
        origin=office.origin,
        expected=expected,
    )
    return organization_out(after)

"""REST for members: the people and programs that sign in with a name and a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Depends, Path, Response
from pydantic import BaseModel, Field

from callout.access import ROLES, Member, passwords
from callout.access.ttl import parse_ttl
from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError
from callout.server.listings import ListQuery, list_query, names_of, paged
from callout.server.manage import ERRORS, Office, ThisErrand, without_nulls
from callout.server.patching import PatchOperation, chosen, patched

router = APIRouter(prefix="/v1/members", tags=["members"], responses=ERRORS)
MemberName = Annotated[str, Path(max_length=300, description="Member, by id or name.")]
State = Literal["disabled", "enabled", "forgotten", "invited", "locked"]
NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for a time that there is not, where the contract wants one."""
_KNOWN: Final = names_of(Member)
_WRITABLE: Final = frozenset(
    {"name", "fullname", "state", "nickname", "picture", "token_ttl", "expires", "role_binding"}
)


class MemberOptions(BaseModel):
    """How long the member and their tokens live."""

    ttl: str | None = Field(
        None, max_length=40, description="How long the member may sign in; for ever when absent."
    )
    token_ttl: str | None = Field(
        None, max_length=40, description="How long a sign-in lasts; 24h when absent."
    )


class MemberBody(BaseModel):
    """A new member. The name of a personal one is an e-mail address."""

    name: str = Field(max_length=255)
    secret: str = Field(description="8 to 72 bytes, not a common one.", json_schema_extra={"writeOnly": True})
    fullname: str | None = None
    nickname: str | None = None
    picture: str | None = None
    role_binding: list[str] | None = Field(
        None, description="One role: `administrator`, `account-manager`, `member` or `viewer`."
    )
    options: MemberOptions | None = None
    type: Literal["personal", "service"] | None = None


class MemberReplacement(BaseModel):
    """A member as it was read, with changes."""

    name: str = Field(max_length=255)
    fullname: str
    state: State
    nickname: str | None = None
    picture: str | None = None
    token_ttl: str = Field(max_length=40)
    expires: datetime | None = None
    role_binding: list[str]
    updated_at: datetime

    def changes(self) -> dict[str, Any]:
        """Return the new values by field. Raises InvalidRequestError."""
        return {
            "name": self.name,
            "fullname": self.fullname,
            "state": self.state,
            "nickname": self.nickname,
            "picture": self.picture,
            "token_ttl": self.token_ttl,
            "expires": _moment(self.expires),
            "role_binding": self.role_binding,
        }


class MemberOut(BaseModel):
    """A member; times that there are not are `0001-01-01T00:00:00+00:00`."""

    id: str
    name: str
    fullname: str
    created_at: datetime
    updated_at: datetime
    state: State
    last_logon: datetime
    ttl: str
    token_ttl: str
    expires: datetime
    pin_expires: datetime
    role_binding: list[str]
    type: Literal["personal", "service"]
    nickname: str | None = None
    picture: str | None = None


class OneMember(BaseModel):
    """A member."""

    result: MemberOut


class ManyMembers(BaseModel):
    """Members."""

    result: list[MemberOut]


class CreatedMemberResult(BaseModel):
    """The member."""

    member: MemberOut


class CreatedMember(BaseModel):
    """A new member."""

    result: CreatedMemberResult


def member_out(one: Member) -> dict[str, Any]:
    """Return a member as the API shows it."""
    return without_nulls(
        {
            "id": one.id,
            "name": one.name,
            "fullname": one.fullname,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "state": one.state,
            "last_logon": one.last_logon or NEVER,
            "ttl": "",
            "token_ttl": one.token_ttl,
            "expires": one.expires or NEVER,
            "pin_expires": NEVER,
            "role_binding": [one.permission_set],
            "type": one.type,
            "nickname": one.nickname,
            "picture": one.picture,
        }
    )


def _moment(given: datetime | None) -> datetime | None:
    if given is None:
        return None
    aware = given if given.tzinfo else given.replace(tzinfo=UTC)
    if aware.year <= 1:
        return None
    if not 1970 <= aware.year <= 9000:  # noqa: PLR2004  # what a database keeps
        raise InvalidRequestError("expires is out of range", fields={"/expires": "out of range"})
    return aware


def role_of(binding: list[str]) -> str:
    """Return the role that a `role_binding` names, by its own name or its permission set. Raises InvalidRequestError."""
    by_set = {permission_set: role for role, permission_set in ROLES.items()}
    if len(binding) != 1 or (binding[0] not in by_set and binding[0] not in ROLES):
        raise InvalidRequestError(
            f"a member has one role: {', '.join(sorted(by_set))}", fields={"/role_binding": "not one of them"}
        )
    return by_set.get(binding[0], binding[0])


@router.get("", response_model=ManyMembers, response_model_exclude_none=True, summary="List members")
async def listing(errand: ThisErrand, query: Annotated[ListQuery, Depends(list_query)]) -> Response:
    """List the members."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("member.read")
        listed = await office.manage.members.list(office.tx, query.listing(_KNOWN))
        return paged(listed, [member_out(one) for one in listed.items], total=False)

    return await errand.read(unit)


@router.get("/{member}", response_model=OneMember, response_model_exclude_none=True, summary="Read a member")
async def read(member: MemberName, errand: ThisErrand) -> Response:
    """Read one member by id or name."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("member.read")
        return {"result": member_out(await office.manage.members.get(office.tx, member))}

    return await errand.read(unit)


@router.post("", response_model=CreatedMember, response_model_exclude_none=True, summary="Create a member")
async def create(body: MemberBody, errand: ThisErrand) -> Response:
    """Create a member, who can sign in at once."""
    role = role_of(body.role_binding or ["member"])
    options = body.options or MemberOptions()
    lifetime = None if not options.ttl else parse_ttl(options.ttl)
    secret = Secret(body.secret)
    passwords.check_quality(secret, body.name, body.name.partition("@")[0])

    async def allowed(office: Office) -> None:
        office.require_everywhere("member.write")

    await errand.look(allowed)
    kept = await passwords.hashed(secret)

    async def unit(office: Office) -> Mapping[str, Any]:
        await allowed(office)
        made = await office.manage.members.create(
            office.tx,
            actor=office.caller.actor,
            origin=office.origin,
            name=body.name,
            fullname=body.fullname,
            role=role,
            kind=body.type or "personal",
            password_hash=kept,
            nickname=body.nickname,
            picture=body.picture,
            expires=None if lifetime is None else errand.services.clock.now() + lifetime,
            **({"token_ttl": options.token_ttl} if options.token_ttl else {}),
        )
        return {"result": {"member": member_out(made)}}

    return await errand.write(unit)


@router.put(
    "/{member}", response_model=OneMember, response_model_exclude_none=True, summary="Replace a member"
)
async def replace(member: MemberName, body: MemberReplacement, errand: ThisErrand) -> Response:
    """Change a member to what is sent; refused when they were changed since they were read."""
    changes = body.changes()

    async def unit(office: Office) -> Mapping[str, Any]:
        return {"result": await _changed(office, member, changes, expected=body.updated_at)}

    return await errand.write(unit)


@router.patch(
    "/{member}", response_model=OneMember, response_model_exclude_none=True, summary="Change a member"
)
async def patch(
    member: MemberName, operations: Annotated[list[PatchOperation], Body()], errand: ThisErrand
) -> Response:
    """Change a member by a JSON Patch."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("member.write")
        before = member_out(await office.manage.members.get(office.tx, member))
        whole, names = patched(operations, before, MemberReplacement, writable=_WRITABLE)
        return {"result": await _changed(office, member, chosen(whole.changes(), names))}

    return await errand.write(unit)


async def _changed(
    office: Office, member: str, changes: Mapping[str, Any], *, expected: datetime | None = None
) -> dict[str, Any]:
    office.require_everywhere("member.write")
    values = dict(changes)
    if "role_binding" in values:
        values["role"] = role_of(values.pop("role_binding"))
    after = await office.manage.members.update(
        office.tx,
        member,
        changes=values,
        actor=office.caller.actor,
        origin=office.origin,
        expected=expected,
    )
    return member_out(after)


@router.delete("/{member}", status_code=204, summary="Remove a member")
async def delete(member: MemberName, errand: ThisErrand) -> Response:
    """Remove a member; their tokens end at once."""

    async def unit(office: Office) -> None:
        office.require_everywhere("member.write")
        await office.manage.members.delete(office.tx, member, actor=office.caller.actor, origin=office.origin)

    return await errand.write(unit)

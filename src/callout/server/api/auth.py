"""REST for signing in and out with a name and a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from callout.access import OrganizationDisabledError, Reason, UnauthenticatedError, passwords
from callout.kit.secrets import Secret
from callout.ports.errors import ForbiddenError, NotFoundError
from callout.ports.values import Actor, Channel, Origin
from callout.server.answers import Shown
from callout.server.api.members import MemberOut, member_out
from callout.server.api.organization import OrganizationOut, organization_out
from callout.server.api.tokens import TokenPairOut, pair_out
from callout.server.manage import ERRORS, Office, ThisErrand
from callout.server.problems import refusals
from callout.storage import Tx

router = APIRouter(prefix="/v1/auth", tags=["sign-in"], responses=ERRORS)
AuthCode = Literal["success", "failure", "disabled", "expired", "invited", "locked"]
_SYSTEM = Origin(Channel.API, Actor.system())


class LogonBody(BaseModel):
    """Who signs in."""

    name: str = Field(max_length=320, description="Name or e-mail address of the member.")
    secret: str = Field(max_length=1000, json_schema_extra={"writeOnly": True})


class LogonResult(BaseModel):
    """The token of who signed in; its secrets are in this answer only."""

    auth_code: AuthCode
    auth_msg: str | None = None
    refresh_token_id: str
    token: TokenPairOut
    organization: OrganizationOut
    member: MemberOut


class Logon(BaseModel):
    """A sign-in."""

    result: LogonResult


class ChangeBody(BaseModel):
    """The member's own secret, and another."""

    old_secret: str = Field(max_length=1000, json_schema_extra={"writeOnly": True})
    new_secret: str = Field(
        description="8 to 72 bytes, not a common one.", json_schema_extra={"writeOnly": True}
    )


class ChangeResult(BaseModel):
    """What became of it."""

    auth_code: AuthCode
    auth_msg: str | None = None


class ChatCodeOut(BaseModel):
    """What to type in chat after `/im login`, and until when."""

    code: str
    expires: datetime


class ChatCodeMade(BaseModel):
    """A new code, shown this once."""

    result: ChatCodeOut


class Change(BaseModel):
    """A change of secret."""

    result: ChangeResult


@router.post(
    "/logon/{organization}",
    response_model=Logon,
    response_model_exclude_none=True,
    responses=refusals(429),
    summary="Sign in",
)
async def logon(
    organization: Annotated[str, Path(max_length=200, description="Organization, by id or name.")],
    body: LogonBody,
    errand: ThisErrand,
) -> Response:
    """Sign in; whatever is wrong is answered alike with 401. After five wrong secrets the member is locked for 15 minutes.

    After thirty wrong ones from one address, on the pages or here, nothing from there is looked at for as long: 429.
    """
    manage, database, tries = errand.manage, errand.services.database, errand.services.sign_in.tries
    address = errand.facts().remote_addr
    one = await database.read(manage.organizations.get)
    if organization not in {one.id, one.name}:
        raise NotFoundError(f"there is no organization {organization!r}")
    if one.state != "enabled":
        raise OrganizationDisabledError("the organization is disabled")
    # Before the secret is compared: that is work, and not for whoever tries and tries.
    await database.read(lambda tx: tries.require(tx, address))
    member_id = await manage.logons.compare(database, body.name, Secret(body.secret))

    async def unit(tx: Tx) -> Mapping[str, Any] | None:
        if member_id is None:
            await manage.logons.failed(tx, body.name, origin=_SYSTEM)
            await tries.failed(tx, address)
            return None
        if await manage.logons.is_locked(tx, member_id):
            # Counted like a wrong one: who tries on meanwhile learns nothing from what is counted.
            await tries.failed(tx, address)
            return None
        member, token = await manage.logons.open(tx, member_id, origin=_SYSTEM)
        return {
            "result": {
                "auth_code": "success",
                "refresh_token_id": token.id,
                "token": pair_out(token, token.primary),
                "organization": organization_out(one),
                "member": member_out(member),
            }
        }

    return await errand.knock(unit, refused=UnauthenticatedError(Reason.WRONG_SECRET))


@router.post(
    "/change_password",
    response_model=Change,
    response_model_exclude_none=True,
    summary="Change one's own secret",
)
async def change_password(body: ChangeBody, errand: ThisErrand) -> Response:
    """Change the secret of the member whose token this is; all their sign-ins end, this one too."""
    manage = errand.manage
    secret = Secret(body.new_secret)

    async def who(office: Office) -> str:
        if office.caller.member_id is None:
            raise ForbiddenError(
                "this is no member's token",
                remediation="Sign in as a member, or have an administrator do it.",
            )
        member = await manage.logons.may_change(office.tx, office.caller.member_id)
        passwords.check_quality(secret, member.name, member.name.partition("@")[0])
        return member.id

    member_id = await errand.look(who)
    fits = await manage.logons.compare(errand.services.database, member_id, Secret(body.old_secret))
    kept = await passwords.hashed(secret) if fits else ""

    async def unit(office: Office) -> Mapping[str, Any] | None:
        if await who(office) != member_id or not fits:
            await manage.logons.failed(office.tx, member_id, origin=office.origin)
            return None
        await manage.members.set_secret(
            office.tx, member_id, password_hash=kept, actor=office.caller.actor, origin=office.origin
        )
        return {"result": {"auth_code": "success"}}

    done = await errand.change(unit)
    if done is None:
        raise ForbiddenError("the old secret is wrong", fields={"/old_secret": "wrong"})
    return errand.answer(done)


@router.post("/chat_code", response_model=ChatCodeMade, summary="Make a code for chat")
async def chat_code(errand: ThisErrand) -> Response:
    """Make a code for the member whose token this is: typed in chat within ten minutes, once, it says who they are there."""

    async def unit(office: Office) -> Mapping[str, Any]:
        if office.caller.member_id is None:
            raise ForbiddenError(
                "this is no member's token",
                remediation="Sign in as a member, or have an operator run: callout member chat-code NAME",
            )
        made = await office.manage.chat_codes.issue(
            office.tx, office.caller.member_id, actor=office.caller.actor, origin=office.origin
        )
        return {"result": {"code": Shown(made.code), "expires": made.expires.isoformat()}}

    return await errand.write(unit)


@router.post("/logoff", status_code=204, summary="Sign out")
async def logoff(errand: ThisErrand) -> Response:
    """End the caller's token, both its pairs, at once."""

    async def unit(office: Office) -> None:
        await office.manage.tokens.revoke(
            office.tx, office.caller.token_id, actor=office.caller.actor, origin=office.origin
        )

    return await errand.write(unit)

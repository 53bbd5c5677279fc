"""Which member somebody is who signed in at an OpenID provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callout.access.errors import Reason, UnauthenticatedError
from callout.access.naming import MAX_FULLNAME
from callout.access.oidc_errors import OidcError
from callout.access.tables import oidc_identities
from callout.ports.errors import ConflictError
from callout.ports.values import Actor, ActorKind
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from callout.access.members import Member, Members
    from callout.access.oidc import Arrival
    from callout.access.oidc_settings import OidcSettings
    from callout.audit import Audit
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import Tx

_ADMINISTRATOR: Final = "An administrator can let you in."


class OidcMembers:
    """Finds or makes the member behind an arrival: by who they are at the provider, by a verified e-mail address, or anew."""

    def __init__(self, clock: Clock, audit: Audit, people: Members) -> None:
        self._clock = clock
        self._audit = audit
        self._members = people

    async def member_of(
        self, tx: Tx, arrival: Arrival, settings: OidcSettings, *, origin: Origin | None = None
    ) -> Member:
        """Return the member, with the role that their groups give them. Raises OidcError, UnauthenticatedError."""
        _require_welcome(arrival, settings)
        role = settings.role_of(arrival.claims)
        found = await self._known(tx, arrival)
        if found is None and settings.link_by_email and arrival.email and arrival.email_verified:
            found = await self._members.by_email(tx, arrival.email)
            if found is not None:
                await self._link(tx, arrival, found, origin)
        if found is not None and not found.may_act(self._clock.now()):
            raise UnauthenticatedError(Reason.MEMBER_DISABLED)
        if (found is None or settings.role_claim) and not role:
            raise OidcError(
                "role", "nothing that the sign-in service says of you gives you a role here", _ADMINISTRATOR
            )
        if found is None:
            found = await self._made(tx, arrival, role, origin)
        elif settings.role_claim and found.role != role:
            found = await self._members.update(
                tx, found.id, changes={"role": role}, actor=_actor(settings), origin=origin, guarded=False
            )
        return found

    async def refused(
        self, tx: Tx, why: str, *, data: dict[str, Any], settings: OidcSettings, origin: Origin | None = None
    ) -> None:
        """Write down that somebody was not let in."""
        await self._audit.record(
            tx,
            action="sign_in.refused",
            actor=_actor(settings),
            origin=origin,
            subject_type="openid",
            subject_id=settings.issuer,
            data={"why": why, **data},
        )

    async def _known(self, tx: Tx, arrival: Arrival) -> Member | None:
        query = select(oidc_identities.c.member_id).where(
            oidc_identities.c.issuer == arrival.issuer, oidc_identities.c.subject == arrival.subject
        )
        member_id = await tx.scalar(query)
        return None if member_id is None else await self._members.get(tx, member_id)

    async def _made(self, tx: Tx, arrival: Arrival, role: str, origin: Origin | None) -> Member:
        email = arrival.email if arrival.email_verified else ""
        if email and await self._members.by_email(tx, email) is not None:
            raise OidcError("email", "there is a member with your e-mail address already", _ADMINISTRATOR)
        told = arrival.claims.get("name") or arrival.claims.get("preferred_username") or arrival.email
        told = told if isinstance(told, str) else ""
        fullname = "".join(one for one in told if one.isprintable()).strip()[:MAX_FULLNAME] or "Somebody"
        actor = Actor(ActorKind.SYSTEM, "openid", arrival.issuer)
        made = await self._members.create(
            tx, actor=actor, origin=origin, fullname=fullname, email=email or None, role=role
        )
        await self._link(tx, arrival, made, origin)
        return made

    async def _link(self, tx: Tx, arrival: Arrival, member: Member, origin: Origin | None) -> None:
        query = select(oidc_identities.c.subject).where(
            oidc_identities.c.issuer == arrival.issuer, oidc_identities.c.member_id == member.id
        )
        row = {
            "issuer": arrival.issuer,
            "subject": arrival.subject,
            "member_id": member.id,
            "created_at": self._clock.now(),
        }
        # An e-mail address may be given to somebody else one day; what is behind it here stays with whoever had it first.
        if await tx.scalar(query) is not None:
            raise OidcError(
                "linked",
                "somebody else of the sign-in service is the member with your e-mail address",
                _ADMINISTRATOR,
            )
        if not await tx.execute(insert_or_ignore(tx, oidc_identities, row)):
            raise ConflictError("this person has just become a member", remediation="Sign in again.")
        await self._audit.record(
            tx,
            action="member.openid_linked",
            actor=Actor(ActorKind.SYSTEM, "openid", arrival.issuer),
            origin=origin,
            subject_type="member",
            subject_id=member.id,
            data={"issuer": arrival.issuer, "subject": arrival.subject},
        )


def _require_welcome(arrival: Arrival, settings: OidcSettings) -> None:
    if not settings.email_domains:
        return
    if not arrival.email or not arrival.email_verified:
        raise OidcError(
            "email", "the sign-in service does not tell a verified e-mail address of you", _ADMINISTRATOR
        )
    if not settings.welcomes(arrival.email):
        raise OidcError("domain", "people with your e-mail address do not sign in here", _ADMINISTRATOR)


def _actor(settings: OidcSettings) -> Actor:
    return Actor(ActorKind.SYSTEM, "openid", settings.issuer)

"""Sessions of the pages: opened, found at each request, listed, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from callout.access import SYSTEM, OrganizationDisabledError, Reason, UnauthenticatedError
from callout.access.sessions import LONGEST_AGENT, MOST, SEEN_EVERY
from callout.access.tables import organizations, sessions
from callout.audit.tables import audit_log
from callout.kit.secrets import Secret
from callout.ports.errors import ForbiddenError, NotFoundError
from callout.ports.values import Actor, ActorKind

if TYPE_CHECKING:
    from callout.access import Member, OpenedSession, Session
    from tests.access.services import Access

ANN = Actor(ActorKind.MEMBER, "m-1", "Ann")
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


async def made(access: Access, name: str = "bo", role: str = "responder") -> Member:
    return await access(
        lambda tx: access.members.create(
            tx, actor=ANN, name=name, fullname=name.title(), role=role, password_hash="-"
        )
    )


async def opened(access: Access, member: Member, **options: Any) -> OpenedSession:
    given = {"method": "password", "address": "192.0.2.7", "user_agent": AGENT, **options}
    return await access(lambda tx: access.sessions.open(tx, member, **given))


async def found(access: Access, secret: Secret | str | None) -> Session:
    return await access.database.read(lambda tx: access.sessions.find(tx, secret))


async def refused(access: Access, secret: Secret | str | None) -> Reason:
    with pytest.raises(UnauthenticatedError) as caught:
        await found(access, secret)
    return caught.value.reason


async def test_a_session_is_its_member_with_their_role(access: Access) -> None:
    bo = await made(access)
    one = await opened(access, bo)
    session = await found(access, one.secret)
    assert (session.id, session.info.member_id, session.info.method) == (one.id, bo.id, "password")
    assert (session.info.address, session.info.user_agent) == ("192.0.2.7", AGENT)
    caller = session.caller
    assert (caller.kind, caller.member_id, caller.role, caller.account_ids) == (
        "organization",
        bo.id,
        "responder",
        None,
    )
    assert caller.actor == Actor(ActorKind.MEMBER, bo.id, "Bo")
    assert caller.may("incident.write")
    assert not caller.may("member.write")
    # A role that changes is another one from the next request on.
    await access(lambda tx: access.members.update(tx, bo.id, changes={"role": "viewer"}, actor=ANN))
    assert not (await found(access, one.secret)).caller.may("incident.write")
    assert (await access(lambda tx: access.members.get(tx, bo.id))).last_logon == access.clock.now()


async def test_only_hashes_are_kept_and_each_session_has_a_form_token_of_its_own(access: Access) -> None:
    bo = await made(access)
    one, two = await opened(access, bo), await opened(access, bo)
    rows = await access.database.read(lambda tx: tx.all(select(sessions)))
    kept = str([dict(row) for row in rows])
    for secret in (one.secret, one.csrf, two.secret, two.csrf):
        assert secret.reveal() not in kept
    session = await found(access, one.secret)
    assert session.csrf == one.csrf
    assert session.sent_by(one.csrf.reveal())
    for wrong in (two.csrf.reveal(), one.secret.reveal(), "", one.csrf.reveal()[:-1], "é\ud800"):
        assert not session.sent_by(wrong)
    entries = await access.database.read(lambda tx: tx.all(select(audit_log.c.action, audit_log.c.data)))
    assert [row["action"] for row in entries].count("session.opened") == 2
    assert one.secret.reveal() not in str([dict(row) for row in entries])


@pytest.mark.parametrize("secret", [None, "", "nonsense", "x" * 10_000, "\x00", "\ud800"])
async def test_who_has_no_session_is_not_signed_in(access: Access, secret: str | None) -> None:
    assert await refused(access, secret) is Reason.SIGNED_OUT


async def test_a_session_that_is_not_used_ends_and_one_that_is_lives_to_its_last_day(access: Access) -> None:
    bo = await made(access)
    idle, used = await opened(access, bo), await opened(access, bo)
    for _ in range(27):
        access.clock.advance(timedelta(hours=12))
        session = await found(access, used.secret)
        assert session.due
        await access(lambda tx, session=session: access.sessions.seen(tx, session.id))  # type: ignore[misc]
    assert await refused(access, idle.secret) is Reason.SIGNED_OUT
    assert [one.id for one in await access(access.sessions.list)] == [used.id]
    assert await access(access.sessions.purge) == 1
    access.clock.advance(timedelta(hours=12))
    assert await refused(access, used.secret) is Reason.SIGNED_OUT
    assert await access(access.sessions.purge) == 1
    # What has ended is not brought back by a request that was under way.
    await access(lambda tx: access.sessions.seen(tx, used.id))
    assert await refused(access, used.secret) is Reason.SIGNED_OUT


async def test_use_is_written_down_once_a_minute(access: Access) -> None:
    one = await opened(access, await made(access))
    start = access.clock.now()

    async def use(after: timedelta) -> bool:
        access.clock.advance(after)
        due = (await found(access, one.secret)).due
        await access(lambda tx: access.sessions.seen(tx, one.id))
        return due

    assert not await use(timedelta(seconds=59))
    assert (await found(access, one.secret)).info.seen_at == start
    assert await use(timedelta(seconds=1))
    assert (await found(access, one.secret)).info.seen_at == start + SEEN_EVERY
    assert not await use(timedelta(seconds=1))


@pytest.mark.parametrize("state", ["disabled", "locked", "forgotten"])
async def test_a_member_who_may_not_act_loses_every_session_for_good(access: Access, state: str) -> None:
    bo = await made(access)
    sessions_of_bo = [await opened(access, bo), await opened(access, bo, method="oidc")]
    other = await opened(access, await made(access, "cy"))
    await access(lambda tx: access.members.update(tx, bo.id, changes={"state": state}, actor=ANN))
    for one in sessions_of_bo:
        assert await refused(access, one.secret) is Reason.SIGNED_OUT
    with pytest.raises(UnauthenticatedError):
        await opened(access, await access(lambda tx: access.members.get(tx, bo.id)))
    await access(lambda tx: access.members.update(tx, bo.id, changes={"state": "enabled"}, actor=ANN))
    assert await refused(access, sessions_of_bo[0].secret) is Reason.SIGNED_OUT
    assert (await found(access, other.secret)).id == other.id


async def test_a_member_whose_time_is_over_is_signed_out(access: Access) -> None:
    bo = await made(access)
    end = access.clock.now() + timedelta(hours=1)
    await access(lambda tx: access.members.update(tx, bo.id, changes={"expires": end}, actor=ANN))
    one = await opened(access, bo)
    access.clock.advance(timedelta(hours=1))
    assert await refused(access, one.secret) is Reason.MEMBER_DISABLED
    await access(lambda tx: access.members.update(tx, bo.id, changes={"expires": None}, actor=ANN))
    assert await refused(access, one.secret) is Reason.SIGNED_OUT


async def test_a_member_who_is_removed_has_no_session(access: Access) -> None:
    bo = await made(access)
    one = await opened(access, bo)
    await access(lambda tx: access.members.delete(tx, bo.id, actor=ANN))
    assert await refused(access, one.secret) is Reason.SIGNED_OUT
    assert await access.database.read(lambda tx: tx.scalar(select(func.count()).select_from(sessions))) == 0


async def test_another_secret_ends_the_other_sessions(access: Access) -> None:
    bo = await made(access)
    here, elsewhere = await opened(access, bo), await opened(access, bo)
    await access(
        lambda tx: access.members.set_secret(tx, bo.id, password_hash="=", actor=ANN, kept_session=here.id)
    )
    assert (await found(access, here.secret)).id == here.id
    assert await refused(access, elsewhere.secret) is Reason.SIGNED_OUT
    await access(lambda tx: access.members.set_secret(tx, bo.id, password_hash="+", actor=ANN))
    assert await refused(access, here.secret) is Reason.SIGNED_OUT


async def test_sessions_are_listed_and_ended(access: Access) -> None:
    bo, cy = await made(access), await made(access, "cy")
    first = await opened(access, bo)
    access.clock.advance(timedelta(minutes=5))
    second, others = await opened(access, bo), await opened(access, cy)
    listed = await access(lambda tx: access.sessions.list(tx, bo.id))
    assert [one.id for one in listed] == [second.id, first.id]
    assert len(await access(access.sessions.list)) == 3
    for session_id in (others.id, "nonsense"):
        with pytest.raises(NotFoundError):
            await access(
                lambda tx, one=session_id: access.sessions.end(tx, one, actor=ANN, member_id=bo.id)  # type: ignore[misc]
            )
    await access(lambda tx: access.sessions.end(tx, first.id, actor=ANN, member_id=bo.id))
    assert await refused(access, first.secret) is Reason.SIGNED_OUT
    third = await opened(access, bo)
    assert await access(lambda tx: access.sessions.end_all(tx, bo.id, actor=ANN, kept=third.id)) == 1
    assert await access(lambda tx: access.sessions.end_all(tx, bo.id, actor=ANN, kept=third.id)) == 0
    assert await refused(access, second.secret) is Reason.SIGNED_OUT
    assert (await found(access, third.secret)).id == third.id
    assert (await found(access, others.secret)).id == others.id
    rows = await access.database.read(
        lambda tx: tx.all(select(audit_log.c.action, audit_log.c.subject_id).order_by(audit_log.c.id))
    )
    assert [(row["action"], row["subject_id"]) for row in rows if "ended" in row["action"]] == [
        ("session.ended", first.id),
        ("sessions.ended", bo.id),
    ]


async def test_one_session_too_many_ends_the_one_used_longest_ago(access: Access) -> None:
    bo = await made(access)
    first = await opened(access, bo)
    for _ in range(MOST - 1):
        access.clock.advance(timedelta(seconds=1))
        await opened(access, bo)
    assert (await found(access, first.secret)).id == first.id
    access.clock.advance(timedelta(seconds=1))
    last = await opened(access, bo)
    assert len(await access(lambda tx: access.sessions.list(tx, bo.id))) == MOST
    assert await refused(access, first.secret) is Reason.SIGNED_OUT
    assert (await found(access, last.secret)).id == last.id


async def test_what_a_browser_says_of_itself_is_cut_and_cleaned(access: Access) -> None:
    one = await opened(access, await made(access), address="\x00 1", user_agent="a\nb\x00c" + "x" * 1000)
    info = (await found(access, one.secret)).info
    assert info.address == " 1"
    assert info.user_agent.startswith("abcxxx")
    assert len(info.user_agent) == LONGEST_AGENT


async def test_the_session_of_a_token_does_what_the_token_may_and_ends_with_it(access: Access) -> None:
    resources = {"accounts": {"ids": ["default"]}}
    token = await access(
        lambda tx: access.tokens.create(tx, SYSTEM, permission_set="viewer", resources=resources, name="wall")
    )
    secret = token.primary.access.secret
    assert secret is not None
    one = await access(lambda tx: access.sessions.open_with_token(tx, secret))
    session = await found(access, one.secret)
    assert (session.caller.token_id, session.caller.permission_set) == (token.id, "viewer")
    assert session.caller.account_ids is not None
    assert len(session.caller.account_ids) == 1
    assert (session.info.method, session.info.member_id) == ("token", None)
    assert session.caller.actor == Actor(ActorKind.TOKEN, token.id, "wall")
    await access(lambda tx: access.tokens.revoke(tx, token.id, actor=ANN))
    assert await refused(access, one.secret) in {Reason.REVOKED, Reason.UNKNOWN}


async def test_a_tokens_session_ends_when_the_token_does(access: Access) -> None:
    token = await access(lambda tx: access.tokens.create(tx, SYSTEM, permission_set="viewer", ttl="1h"))
    secret, refresh = token.primary.access.secret, token.primary.refresh.secret
    assert secret is not None
    assert refresh is not None
    one = await access(lambda tx: access.sessions.open_with_token(tx, secret))
    access.clock.advance(timedelta(hours=1))
    assert await refused(access, one.secret) is Reason.EXPIRED
    with pytest.raises(ForbiddenError):
        await access(lambda tx: access.sessions.open_with_token(tx, refresh))
    with pytest.raises(UnauthenticatedError):
        await access(lambda tx: access.sessions.open_with_token(tx, Secret("nonsense")))


async def test_an_integrations_token_opens_no_session(access: Access) -> None:
    account = (await access(access.accounts.list)).items[0]
    token = await access(
        lambda tx: access.tokens.create_for_integration(
            tx, account_id=account.id, integration_id="i-1", actor=ANN
        )
    )
    secret = token.primary.access.secret
    assert secret is not None
    with pytest.raises(ForbiddenError):
        await access(lambda tx: access.sessions.open_with_token(tx, secret))


async def test_while_the_organization_is_disabled_nobody_works(access: Access) -> None:
    one = await opened(access, await made(access))
    await access(lambda tx: tx.execute(update(organizations).values(state="disabled")))
    with pytest.raises(OrganizationDisabledError):
        await found(access, one.secret)

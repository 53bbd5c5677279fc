"""Members and signing in, as a program with the SDK does it; the organization."""

from __future__ import annotations

from datetime import timedelta

from tests.unified.refusals import refused
from tests.unified.sdk import Sdk

ANA, SECRET, OTHER = "ana@example.com", "correct horse battery", "staple horse battery"


async def test_a_member_from_beginning_to_end(sdk_on_both: Sdk) -> None:
    members = sdk_on_both.management.members
    made = (
        await members.create(name=ANA, secret=SECRET, fullname="Ana", role_binding=["member"])
    ).result.member
    assert (made.name, made.state.value, made.role_binding, made.type.value) == (
        ANA,
        "enabled",
        ["member"],
        "personal",
    )
    assert (await members.get(ANA)).result == (await members.get(made.id)).result == made
    await refused(members.create(name=ANA, secret=SECRET), 409, "conflict")
    body = {name: getattr(made, name) for name in type(made).model_fields if getattr(made, name) is not None}
    changed = (await members.update(made.id, **body | {"role_binding": ["viewer"], "nickname": "A"})).result
    assert (changed.role_binding, changed.nickname) == (["viewer"], "A")
    await refused(members.update(made.id, **body), 409, "conflict")
    patch = [{"op": "replace", "path": "/state", "value": "disabled"}]
    assert (await members.patch(ANA, request=patch)).result.state.value == "disabled"
    assert [one.name for one in (await members.list(filter="state[eq]disabled")).result] == [ANA]
    await members.delete(ANA)
    await refused(members.get(made.id), 404, "not-found")
    await refused(members.delete(made.id), 404, "not-found")


async def test_signing_in_changing_the_secret_and_signing_out(sdk_on_both: Sdk) -> None:
    sdk, auth = sdk_on_both, sdk_on_both.management.auth
    await sdk.management.members.create(name=ANA, secret=SECRET, role_binding=["viewer"])
    session = (await auth.logon("organization", name=ANA, secret=SECRET)).result
    assert (session.auth_code.value, session.member.name) == ("success", ANA)
    ana = sdk.manage(session.token.access.secret)
    await ana.accounts.list()
    await refused(ana.accounts.create(name="x"), 403, "forbidden")
    await refused(ana.auth.change_password(old_secret="wrong secret", new_secret=OTHER), 403, "forbidden")
    await refused(ana.auth.change_password(old_secret=SECRET, new_secret="password123"), 400)
    assert (
        await ana.auth.change_password(old_secret=SECRET, new_secret=OTHER)
    ).result.auth_code.value == "success"
    await refused(ana.accounts.list(), 401, "unauthenticated")
    await refused(auth.logon("organization", name=ANA, secret=SECRET), 401, "unauthenticated")
    again = (await auth.logon("organization", name=ANA.upper(), secret=OTHER)).result
    ana = sdk.manage(again.token.access.secret)
    renewed = await sdk.manage(again.token.refresh.secret).tokens.refresh(again.refresh_token_id)
    await ana.auth.logoff()
    for secret in (again.token.access.secret, renewed.result.primary.access.secret):
        await refused(sdk.manage(secret).accounts.list(), 401, "unauthenticated")
    await refused(sdk.management.auth.change_password(old_secret=SECRET, new_secret=OTHER), 403)
    disabled = (await auth.logon("organization", name=ANA, secret=OTHER)).result
    patch = [{"op": "replace", "path": "/state", "value": "disabled"}]
    await sdk.management.members.patch(ANA, request=patch)
    await refused(sdk.manage(disabled.token.access.secret).accounts.list(), 401, "unauthenticated")
    await refused(auth.logon("organization", name=ANA, secret=OTHER), 401, "unauthenticated")


async def test_guessing_locks_a_member_for_a_while_and_tells_nothing(sdk: Sdk) -> None:
    auth = sdk.management.auth
    await sdk.management.members.create(name=ANA, secret=SECRET)
    nobody = await refused(auth.logon("organization", name="bob@example.com", secret="x"), 401)
    for _ in range(5):
        wrong = await refused(auth.logon("organization", name=ANA, secret="wrong"), 401)
        assert wrong.message == nobody.message
    right = await refused(auth.logon("organization", name=ANA, secret=SECRET), 401)
    assert right.message == nobody.message
    alarms = (await sdk.management.audit.list(filter="audit_type[eq]ALARM")).result
    assert [one.path for one in alarms] == ["/v1/auth/logon/organization"]
    sdk.installation.clock.advance(timedelta(minutes=16))
    token = await sdk.installation.token()
    assert (await auth.logon("organization", name=ANA, secret=SECRET)).result.auth_code.value == "success"
    await refused(auth.logon("elsewhere", name=ANA, secret=SECRET), 404, "not-found")
    assert token


async def test_secrets_that_are_easily_guessed_are_refused(sdk: Sdk) -> None:
    for secret in (
        "short",
        "x" * 73,
        "aaaaaaaaaaaa",
        "12345678",
        "Password1",
        "qwertyuiop",
        "ana@example.com1",
    ):
        problem = await refused(sdk.management.members.create(name=ANA, secret=secret), 400)
        assert problem.context.parameter.id == "/secret"
        assert secret not in sdk.answers[-1].text
    for role in (["owner"], [], ["viewer", "member"]):
        await refused(sdk.management.members.create(name=ANA, secret=SECRET, role_binding=role or [""]), 400)


async def test_the_organization(sdk_on_both: Sdk) -> None:
    organization = sdk_on_both.management.organization
    read = (await organization.get()).result
    body = {name: getattr(read, name) for name in type(read).model_fields if getattr(read, name) is not None}
    changed = (await organization.update(**body | {"fullname": "Ours", "contact": "ops@example.com"})).result
    assert (changed.fullname, changed.contact) == ("Ours", "ops@example.com")
    await refused(organization.update(**body), 409, "conflict")
    patch = [{"op": "add", "path": "/options", "value": {"minimum_password_length": 12}}]
    assert (await organization.patch(request=patch)).result.options.minimum_password_length == 12
    for path, value in (
        ("/options", {"minimum_password_length": "twelve"}),
        ("/name", 5),
        ("/contact", ["x"]),
    ):
        one = [{"op": "replace", "path": path, "value": value}]
        await refused(organization.patch(request=one), 400, "invalid-patch")

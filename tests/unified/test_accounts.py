"""Accounts, as a program with the SDK keeps them."""

from __future__ import annotations

import pytest
from synqly.management.core.api_error import ApiError

from tests.unified.sdk import Sdk


async def test_an_account_from_beginning_to_end(sdk_on_both: Sdk) -> None:
    sdk, accounts = sdk_on_both, sdk_on_both.management.accounts
    made = (await accounts.create(fullname="Ümläut & Söhne", labels=["gold", "eu:west"])).result.account
    assert (made.name, made.environment.value, made.labels) == ("umlaut-sohne", "prod", ["gold", "eu:west"])
    assert (await accounts.get(made.name)).result == (await accounts.get(made.id)).result == made
    again = (await accounts.create(fullname="Ümläut & Söhne")).result.account
    assert again.name == "umlaut-sohne-2"

    read = (await accounts.get(made.id)).result
    changed = (
        await accounts.update(made.id, **read.dict() | {"fullname": "Sons", "labels": ["silver"]})
    ).result
    assert (changed.fullname, changed.labels, changed.created_at) == ("Sons", ["silver"], made.created_at)
    assert changed.updated_at > made.updated_at
    with pytest.raises(ApiError) as stale:
        await accounts.update(made.id, **read.dict() | {"fullname": "too late"})
    assert stale.value.status_code == 409

    patch = [
        {"op": "test", "path": "/fullname", "value": "Sons"},
        {"op": "add", "path": "/labels/-", "value": "bronze"},
        {"op": "replace", "path": "/environment", "value": "test"},
    ]
    patched = (await accounts.patch(made.id, request=patch)).result
    assert (patched.labels, patched.environment.value) == (["silver", "bronze"], "test")

    total = await accounts.list(limit=1, order="name[desc]")
    assert [one.name for one in total.result] == ["umlaut-sohne-2"]
    assert (await accounts.delete(made.id)) is None
    for gone in (accounts.get, accounts.delete):
        with pytest.raises(ApiError) as error:
            await gone(made.id)
        assert error.value.status_code == 404
    assert sdk.answers

"""Only a proxy that the operator trusts is believed who a request is from: wrong sign-ins and the audit rest on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from callout.access import tries
from callout.bootstrap.settings import Settings, SettingsError, load_settings
from callout.server.proxies import BelieveProxies
from tests.server.desk import opened
from tests.server.visitor import Browser, member

if TYPE_CHECKING:
    from pathlib import Path

PROXY, ANOTHER, ANN, EVE = "10.1.2.3", "10.1.2.4", "203.0.113.7", "198.51.100.9"
TRUSTED = ("10.1.2.0/24", "2001:db8:1::/48")
X = "x-forwarded-for"


async def client_of(
    peer: str | None, headers: list[tuple[str, str]], networks: tuple[str, ...] = TRUSTED
) -> tuple[str, str]:
    """Return the address and the scheme that the application sees."""
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = None if peer is None else (peer, 5)
    scope = {"type": "http", "scheme": "http", "client": client, "headers": raw}
    await BelieveProxies(app, networks)(scope, None, None)  # type: ignore[arg-type]
    return (seen[0]["client"] or ("",))[0], seen[0]["scheme"]


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        (PROXY, [], PROXY),
        (PROXY, [(X, ANN)], ANN),
        (PROXY, [(X, f"{ANN}:49152")], ANN),
        (PROXY, [(X, f"{EVE}, {ANN}")], ANN),  # what came in stands on the left: it may be anything
        (PROXY, [(X, EVE), (X, ANN)], ANN),
        (PROXY, [(X, f"{ANN}, {ANOTHER}")], ANN),  # through two of ours
        (PROXY, [(X, f"{ANOTHER}")], ANOTHER),
        (PROXY, [(X, f"{ANN}, unknown")], PROXY),
        (PROXY, [(X, "nonsense")], PROXY),
        (PROXY, [(X, "")], PROXY),
        (PROXY, [(X, "[2001:db8::7]:443")], "2001:db8::7"),
        (PROXY, [(X, "::ffff:203.0.113.7")], ANN),
        ("::ffff:10.1.2.3", [(X, ANN)], ANN),
        ("2001:db8:1::5", [(X, ANN)], ANN),
        (PROXY, [("forwarded", f'for={EVE}, For="{ANN}:1";proto=https;by=10.1.2.3')], ANN),
        (PROXY, [("forwarded", 'for="[2001:db8::7]:4711"')], "2001:db8::7"),
        (PROXY, [("forwarded", "for=_hidden")], PROXY),
        (PROXY, [("forwarded", f"for={ANN}"), (X, ANN)], ANN),
        (PROXY, [("forwarded", f"for={EVE}"), (X, ANN)], PROXY),  # one of them came from outside
        (EVE, [(X, ANN)], EVE),
        (EVE, [("forwarded", f"for={ANN}")], EVE),
        ("10.1.3.3", [(X, ANN)], "10.1.3.3"),
        ("a-socket", [(X, ANN)], "a-socket"),
        (None, [(X, ANN)], ""),
    ],
)
async def test_whom_a_request_is_from(peer: str | None, headers: list[tuple[str, str]], address: str) -> None:
    assert (await client_of(peer, headers))[0] == address


async def test_nobody_is_believed_where_none_is_trusted() -> None:
    assert await client_of("127.0.0.1", [(X, ANN), ("x-forwarded-proto", "https")], ()) == (
        "127.0.0.1",
        "http",
    )


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([(X, ANN), ("x-forwarded-proto", "https")], "https"),
        ([(X, ANN), ("x-forwarded-proto", "javascript")], "http"),
        ([("forwarded", f"for={ANN};proto=https")], "https"),
        ([(X, ANN)], "http"),
    ],
)
async def test_how_a_request_came(headers: list[tuple[str, str]], scheme: str) -> None:
    assert await client_of(PROXY, headers) == (ANN, scheme)


async def test_wrong_sign_ins_count_for_who_tried_and_the_audit_names_them(
    sqlite_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MOST", 2)
    async with opened(f"sqlite:///{sqlite_path}", tmp_path / "data", trusted_proxies=TRUSTED) as desk:
        await member(desk)
        eve, ann = Browser(desk, client=PROXY), Browser(desk, client=PROXY)
        for number in range(2):
            # She says that she is somebody else each time; the proxy adds where she is.
            eve.http.headers[X] = f"192.0.2.{number}, {EVE}"
            assert (await eve.sign_in(f"name-{number}", "wrong")).status_code == 401
        assert (await eve.sign_in()).status_code == 429
        ann.http.headers[X] = ANN
        assert (await ann.sign_in()).status_code == 303
        # Past the proxy nobody is believed.
        liar = Browser(desk, client=EVE)
        liar.http.headers[X] = ANN
        assert (await liar.sign_in()).status_code == 429
        text = (
            "SELECT DISTINCT remote_addr FROM audit_log WHERE remote_addr IS NOT NULL AND remote_addr <> ''"
        )
        rows = await desk.core.database.read(lambda tx: tx.driver_all(text, text))
        assert {row[0] for row in rows} == {ANN}


def test_the_setting_is_networks() -> None:
    assert Settings().trusted_proxies == ("127.0.0.0/8", "::1/128")
    given = load_settings({}, environ={"CALLOUT_TRUSTED_PROXIES": "10.1.2.3, 2001:db8::/32"})
    assert given.trusted_proxies == ("10.1.2.3/32", "2001:db8::/32")
    assert load_settings({}, environ={"CALLOUT_TRUSTED_PROXIES": ""}).trusted_proxies == ()
    with pytest.raises(SettingsError, match="trusted_proxies"):
        load_settings({}, environ={"CALLOUT_TRUSTED_PROXIES": "everybody"})

"""Files in Slack: read from its own host alone, told of in its words, shown by an upload that is found again by its id."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from callout.connectors.slack.chat import SlackChat
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.file_host import FileHost
from callout.connectors.slack.files import shared_file, shared_files
from callout.kit.clock import SystemClock
from callout.kit.http import VendorHttp, bearer_auth
from callout.kit.secrets import Secret
from callout.ports.chat_files import FilePlace, ShownFile, file_abilities
from callout.ports.errors import (
    OutcomeUnknownError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)
from tests.sandbox.conftest import TwinControl

HOST = "https://files.slack.com"
FILE = f"{HOST}/files-pri/T1-F1/download/shot.png"
PLACE = FilePlace("C0INCIDENTS")
LOG = ShownFile("error.log", "text/plain", b"boom", "**error.log**, attached by *Jo* <!channel>")


class Web:
    """The whole web: what it answers by address, and what it was asked with which token."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((str(request.url), request.headers.get("authorization")))
        return self.answers[request.url.path.rpartition("/")[2].partition(".")[0]]


def host(web: Web) -> FileHost:
    transport = httpx.MockTransport(web)
    with_token = VendorHttp(HOST, transport=transport, auth=bearer_auth(Secret("xoxb-1")))
    return FileHost(with_token, VendorHttp(HOST, transport=transport), SystemClock())


async def fetched(
    web: Web, address: str = FILE, media_type: str = "image/png", size: int | None = None
) -> bytes:
    pieces = [piece async for piece in host(web).download(address, media_type=media_type, size=size)]
    return b"".join(pieces)


def page(text: str = "<html>Sign in</html>") -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"}, content=text.encode())


def moved(to: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": to})


async def test_the_token_goes_to_the_host_of_files_and_a_move_within_it_is_followed() -> None:
    web = Web(shot=moved("/files-pri/T1-F1/other.png"), other=httpx.Response(200, content=b"png"))
    assert await fetched(web) == b"png"
    assert web.asked == [(FILE, "Bearer xoxb-1"), (f"{HOST}/files-pri/T1-F1/other.png", "Bearer xoxb-1")]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/shot.png",
        "http://files.slack.com/shot.png",
        "https://files.slack.com:8443/shot.png",
        "https://files.slack.com@evil.example/shot.png",
        "https://user@files.slack.com/shot.png",
        "//evil.example/shot.png",
    ],
)
async def test_nothing_goes_elsewhere_neither_at_once_nor_after_a_redirect(elsewhere: str) -> None:
    web = Web(shot=moved(elsewhere))
    with pytest.raises(PermissionDeniedError, match="sign-in page"):
        await fetched(web)
    assert [address for address, _ in web.asked] == [FILE]
    web = Web()
    with pytest.raises(RejectedError, match="not Slack's host"):
        await fetched(web, elsewhere)
    with pytest.raises(RejectedError, match="not Slack's host"):
        await host(web).upload(elsewhere, b"bytes")
    assert web.asked == []


async def test_a_circle_of_redirects_ends() -> None:
    web = Web(shot=moved(FILE))
    with pytest.raises(UnavailableError, match="circles"):
        await fetched(web)
    assert len(web.asked) == 4


async def test_a_page_in_place_of_the_file_is_told_from_a_file_that_is_a_page() -> None:
    with pytest.raises(PermissionDeniedError, match="sign-in page"):
        await fetched(Web(shot=page()))
    report = "<html>report</html>"
    assert await fetched(Web(shot=page(report)), media_type="text/html", size=len(report)) == report.encode()
    with pytest.raises(PermissionDeniedError, match="sign-in page"):
        await fetched(Web(shot=page()), media_type="text/html", size=4_000)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, PermissionDeniedError),
        (403, PermissionDeniedError),
        (404, RecordNotFoundError),
        (410, RecordNotFoundError),
    ],
)
async def test_what_the_host_refuses(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await fetched(Web(shot=httpx.Response(status)))


async def test_an_upload_carries_no_token() -> None:
    web = Web(key=httpx.Response(200, text="OK - 4"))
    await host(web).upload(f"{HOST}/upload/v1/key", b"boom")
    assert web.asked == [(f"{HOST}/upload/v1/key", None)]
    with pytest.raises(UnavailableError):
        await host(Web(key=httpx.Response(502))).upload(f"{HOST}/upload/v1/key", b"boom")


def test_where_files_are_is_known_from_the_address_of_the_api() -> None:
    assert SlackConfig().files_url == HOST
    assert SlackConfig(url="https://slack-gov.com/api").files_url == "https://files.slack-gov.com"
    assert SlackConfig(url="http://127.0.0.1:9177/slack/api").files_url == "http://127.0.0.1:9177"


# ----------------------------------------------------------------------------------------------- what it tells


def record(**values: Any) -> dict[str, Any]:
    whole = {
        "id": "F1",
        "name": "shot.png",
        "mimetype": "image/png",
        "mode": "hosted",
        "size": 3,
        "is_external": False,
        "file_access": "visible",
        "url_private": f"{HOST}/files-pri/T1-F1/shot.png",
        "url_private_download": FILE,
    }
    return whole | values


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, ""),
        (
            {
                "mode": "external",
                "is_external": True,
                "external_type": "gdrive",
                "url_private": "https://d.example/1",
            },
            "gdrive",
        ),
        ({"mode": "hidden_by_limit"}, "beyond what its plan keeps"),
        ({"file_access": "access_denied"}, "does not let the app see it"),
        (
            {"url_private": None, "url_private_download": None, "pretty_type": "Canvas"},
            "no download of it (Canvas)",
        ),
    ],
)
def test_a_file_and_why_its_bytes_cannot_be_had(given: dict[str, Any], why: str) -> None:
    file = shared_file(record(**given))
    assert file is not None
    assert (file.id, file.name, file.media_type, file.size, file.gone) == (
        "F1",
        "shot.png",
        "image/png",
        3,
        False,
    )
    assert why in file.why
    assert bool(file.why) == bool(why)
    assert FILE not in repr(file)


def test_a_tombstone_is_gone_and_what_is_only_named_has_no_why() -> None:
    gone = shared_file({"id": "F1", "mode": "tombstone"})
    assert gone is not None
    assert gone.gone
    only = shared_file({"id": "F1", "mode": "file_access", "file_access": "check_file_info"})
    assert only is not None
    assert (only.name, only.why, only.gone) == ("", "", False)


@pytest.mark.parametrize("value", [None, "F1", {}, [1, None, {}, {"id": 7}, {"id": ""}]])
def test_what_is_no_file_is_passed_over(value: object) -> None:
    assert shared_files(value) == ()


def test_sizes_that_are_none() -> None:
    assert [one.size for one in shared_files([record(size=size) for size in (True, -1, "3", 2.5, 0)])] == [
        None,
        None,
        None,
        None,
        0,
    ]


# -------------------------------------------------------------------------------------------- over the twin


async def test_shown_by_an_upload_and_found_again_by_its_id(chat: SlackChat, slack: TwinControl) -> None:
    assert file_abilities(chat) == {"read_files", "show_files", "find_shown_files"}
    upload = await chat.put_file(LOG, PLACE)
    assert await chat.find_shared_file(PLACE, upload=upload, key="k") is None  # nobody sees it yet
    ts = await chat.share_file(LOG, PLACE, upload=upload, key="k")
    assert await chat.find_shared_file(PLACE, upload=upload, key="k") == ts
    assert await chat.find_shared_file(FilePlace("C0GENERAL"), upload=upload, key="k") is None
    [message] = slack.get("state")["channels"]["C0INCIDENTS"]["messages"]
    assert message["ts"] == ts
    assert message["text"] == "*error.log*, attached by _Jo_ &lt;!channel&gt;"
    found = await chat.get_file(upload)
    assert (found.name, found.size) == ("error.log", 4)
    assert b"".join([piece async for piece in chat.download_file(found, limit=100)]) == b"boom"


async def test_what_slack_says_of_uploads(chat: SlackChat, slack: TwinControl) -> None:
    with pytest.raises(RecordNotFoundError):
        await chat.get_file("F404")
    upload = await chat.put_file(LOG, PLACE)
    with pytest.raises(PermissionDeniedError, match="not in the channel"):
        await chat.share_file(LOG, FilePlace("C0RANDOM"), upload=upload, key="k")
    after = {"kind": "disconnect_after_write"}
    slack.fault({"match": {"path": "files.completeUploadExternal"}, "effect": after})
    with pytest.raises(OutcomeUnknownError):
        await chat.share_file(LOG, PLACE, upload=upload, key="k")
    assert await chat.find_shared_file(PLACE, upload=upload, key="k")


async def test_a_channel_that_others_read_too_is_known(chat: SlackChat, slack: TwinControl) -> None:
    before = await chat.read_channel("C0INCIDENTS")
    await slack.act("connect_channel", user="ann", channel="incidents")
    after = await chat.read_channel("C0INCIDENTS")
    assert before is not None
    assert after is not None
    assert (before.external, after.external) == (False, True)

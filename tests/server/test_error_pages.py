"""What goes wrong, as somebody with a browser is told: in the site's frame, in plain words, with a way back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from callout.incidents import Incidents
from callout.server.limits import BODY_LIMIT
from tests.server.by_forms import Page
from tests.server.desk import problem_of
from tests.server.visitor import guarded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.server.desk import Desk

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FAR = "http://callout.test"


async def told(desk: Desk, path: str, status: int, *, method: str = "GET", **headers: str) -> httpx.Response:
    mine = {"cookie": await desk.cookie(desk.api.token), **HTML, **headers}
    answer = await desk.http.request(method, path, headers=mine)
    assert answer.status_code == status, answer.text
    guarded(answer)
    assert "Traceback" not in answer.text
    assert "{" not in Page(answer.text).text.partition("<main")[2], "no JSON, no template"
    return answer


async def test_an_unknown_page_is_told_in_the_frame_of_the_site(desk: Desk) -> None:
    page = await told(desk, "/nothing/here", 404)
    assert "There is no such page" in page.text
    assert 'aria-label="Main"' in page.text
    assert 'href="/incidents"' in page.text
    stranger = await desk.http.get("/nothing/here", headers=HTML)
    assert stranger.status_code == 404
    assert 'aria-label="Main"' not in stranger.text
    guarded(stranger)


async def test_the_way_back_is_where_somebody_came_from_and_never_elsewhere(desk: Desk) -> None:
    page = await told(desk, "/nothing", 404, referer=f"{FAR}/insights?days=7")
    assert 'href="/insights?days=7"' in page.text
    for away in ("http://evil.test/x", f"{FAR}//evil.test/x", f"{FAR}/nothing", "javascript:alert(1)"):
        page = await told(desk, "/nothing", 404, referer=away)
        assert "where you were" not in page.text, away


async def test_what_is_not_allowed_or_is_asked_in_the_wrong_way(desk: Desk) -> None:
    viewer = await desk.client("viewer")
    refused = await told(desk, "/admin/tokens", 403, cookie=await desk.cookie(viewer.token))
    assert "Not allowed" in refused.text
    assert 'aria-label="Main"' in refused.text
    wrong = await told(desk, "/incidents", 405, method="DELETE")
    assert wrong.headers["allow"]
    assert "no such request" in wrong.text
    await told(desk, "/%00", 400)


async def test_a_fault_of_ours_has_a_reference_that_is_in_the_log(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(Incidents, "get", broken)
    with capture_logs() as logged:
        page = await told(desk, "/incidents/INC-1", 500)
    [reference] = re.findall(r'<code id="reference">([^<]+)</code>', page.text)
    [line] = [one for one in logged if one["event"] == "request_failed"]
    assert line["reference"] == reference
    assert "the secret of the house" in str(line["exc_info"])
    assert "the secret" not in page.text
    with capture_logs() as logged:
        said = problem_of(await desk.api.request("GET", "/v1/incidents/INC-1"), 500, "internal")
    [line] = [one for one in logged if one["event"] == "request_failed"]
    assert said["instance"] == f"/v1/problems/{line['reference']}"


async def test_a_form_that_is_too_large(desk: Desk) -> None:
    for content in (b"x" * (BODY_LIMIT + 1), _pieces()):
        answer = await desk.http.post(
            "/incidents/new",
            content=content,
            headers={**HTML, "referer": f"{FAR}/incidents/new", "cookie": await desk.cookie(desk.api.token)},
        )
        assert answer.status_code == 413
        guarded(answer)
        assert "Too large" in answer.text
        assert 'href="/incidents/new"' in answer.text


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(17):
        yield b"x" * 65_536


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/v1/incidents/INC-9"])
async def test_addresses_of_programs_answer_with_problems_even_to_browsers(desk: Desk, path: str) -> None:
    answer = await desk.api.request("GET", path, headers=HTML)
    problem_of(answer, 404, "not-found")
    problem_of(await desk.http.post("/healthz", headers=HTML), 405)

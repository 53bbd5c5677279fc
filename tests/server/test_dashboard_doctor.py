"""The page that shows what `callout doctor` finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.by_forms import Page, Visitor

if TYPE_CHECKING:
    from tests.server.desk import Desk


async def test_the_page_tells_what_is_wrong_and_what_to_do(desk_on_both: Desk) -> None:
    me = await Visitor.of(desk_on_both)
    page = await me.see("/admin/doctor")
    assert "Something is wrong" in page.text  # no worker runs behind this desk
    assert "no worker" in page.text
    assert "callout serve" in page.text
    assert "facts about the vendor rest on memory" in page.text
    assert "/admin/doctor?ask=1" in page.links
    assert "/admin/doctor" in Page((await me.answer("/admin/settings")).text).links
    asked = await me.see("/admin/doctor?ask=1")
    assert "/admin/doctor?ask=1" not in asked.links


async def test_it_is_for_those_who_see_the_whole_organization(desk: Desk) -> None:
    viewer = await Visitor.of(desk, "viewer")
    assert (await viewer.answer("/admin/doctor")).status_code == 403

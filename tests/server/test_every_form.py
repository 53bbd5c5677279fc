"""Every form of every page with every kind of bad input: done, or the page again with what is wrong beside the field; never a fault."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from tests.server.every_page import INSIDE, furnished, set_up_link
from tests.server.form_finder import Field, Forms, FoundForm
from tests.server.visitor import Browser

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk

HTML = {"accept": "text/html"}
LONGEST: Final = "x" * 1_000_000
LONG: Final = "x" * 100_001
CONTROL: Final = "a\x00b\x01c\x7f\u202e\ufeff\ud83d\n<script>"
ODD: Final = "-1e999 ☃ ' OR 1=1 {{ 7*7 }}"
LATER: Final = ("remove", "revoke", "discard", "end", "sign-out", "detach", "reset", "end-others", "password")
"""Words at the end of addresses whose forms take away what others need."""
MOST_TYPED: Final = 6
"""Fields of one form that are typed into one by one; the forms with more hold many alike."""


PLAUSIBLE: Final = {
    "target": "person:ann",
    "ticket": "TST-1",
    "url": "http://127.0.0.1:9/in",
    "email": "x@example.com",
}
"""What a field takes where any text is not enough."""
NUMBERS: Final = itertools.count()
UNTOUCHED: Final = "as it is"


@dataclass(frozen=True)
class Bad:
    """One way to fill in a form badly: what is sent instead of what stood there, and into which field it was typed, if into one alone."""

    how: str
    typed: str = ""
    fields: tuple[Field, ...] = ()
    only: bool = False
    """Nothing else is sent but the mark of the session."""
    marked: bool = True

    @property
    def field(self) -> Field | None:
        """The one field that somebody typed into."""
        seen = [one for one in self.fields if one.kind not in {"hidden", "button"}]
        return seen[0] if len(self.fields) == 1 and seen else None

    def values(self, form: FoundForm) -> dict[str, str]:
        """Return what is sent; what has to be there and is not is filled in with something that could be right."""
        fine = f"fine-{next(NUMBERS)}"  # what is made by it has a name that nothing else has
        whole = {
            one.name: one.value or PLAUSIBLE.get(one.name, fine) if one.required else one.value
            for one in form.fields
            if one.kind != "unticked"
        }
        for name, text in PLAUSIBLE.items():
            if name in whole and not whole[name]:
                whole[name] = text
        sent = {name: text for name, text in whole.items() if name == "csrf"} if self.only else whole
        sent |= {one.name: self.typed for one in self.fields}
        return {name: text for name, text in sent.items() if name != "csrf" or self.marked}


def bad_inputs(form: FoundForm) -> Iterator[Bad]:
    yield Bad("without its mark", marked=False)
    yield Bad("nothing but its mark", only=True)
    visible = tuple(
        one for one in form.fields if one.kind not in {"hidden", "button", "file"} and _offered(form, one)
    )
    if visible:
        yield Bad("all empty", "", visible)
        yield Bad("all odd", ODD, visible)
    longest = LONGEST  # once for each form: beyond some length it is all the same
    for one in [one for one in visible if one.typed][:MOST_TYPED]:
        for how, typed in (
            ("too long", longest),
            ("control characters", CONTROL),
            ("odd", ODD),
            ("empty", ""),
        ):
            yield Bad(f"{one.name}: {how}", typed, (one,))
        longest = LONG
    for one in [one for one in visible if one.kind == "select"][:MOST_TYPED]:
        yield Bad(f"{one.name}: not offered", ODD, (one,))
    hidden = [one for one in form.fields if one.kind in {"hidden", "button"} and one.name != "csrf"]
    for one in hidden[:MOST_TYPED]:
        for how, typed in (("odd", ODD), ("too long", LONG), ("stale", "1")):
            yield Bad(f"hidden {one.name}: {how}", typed, (one,))


def _offered(form: FoundForm, one: Field) -> bool:
    """Whether somebody sees the field: of a credential only the fields of the kind that is chosen are shown."""
    slot, *rest = one.name.split(".")
    kind = form.values().get(f"{slot}.kind")
    return len(rest) < 2 or kind is None or rest[0] == kind


class Judge:
    """Sends forms, and notes what is not as it should be."""

    def __init__(self, browser: Browser, *, only: Sequence[str] = ()) -> None:
        self.browser = browser
        self.only = only
        self.wrong: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.seen: set[str] = set()

    async def forms_of(self, path: str) -> list[FoundForm]:
        answer = await self.browser.http.get(path, headers=HTML)
        assert answer.status_code < 500, path
        return Forms(answer.text).forms

    async def judge(self, path: str, form: FoundForm) -> None:
        """Send every bad input of one form, which is read anew where it was done."""
        for bad in list(bad_inputs(form)):
            if self.only and not any(word in bad.how for word in self.only):
                continue
            answer = await self._send(form, bad)
            beside = self._look(f"{path} → {form.action}, {bad.how}", form, bad, answer)
            if not beside and (await self._send(form, Bad(UNTOUCHED))).status_code != 422:
                # It is this field that is wrong, for with something plausible in it the form is taken.
                self.wrong.append(
                    f"{path} → {form.action}, {bad.how}: nothing is said beside it: {told(answer)}"
                )
            if answer.status_code == 303:
                again = next((one for one in await self.forms_of(path) if one.shape == form.shape), None)
                if again is None:
                    return  # it was done, and is not offered any more
                form = again

    async def _send(self, form: FoundForm, bad: Bad) -> httpx.Response:
        values = {name: value.encode("utf-8", "replace").decode() for name, value in bad.values(form).items()}
        if form.method == "get":
            short = {name: value[:4_000].replace("\x00", "") for name, value in values.items()}
            return await self.browser.http.get(form.action, params=short, headers=HTML)
        if form.multipart:
            file = values.pop("file", "")
            files = {"file": ("a.txt", file.encode(), "text/plain")} if file else {"file": ("", b"", "x/y")}
            return await self.browser.http.post(form.action, data=values, files=files, headers=HTML)
        return await self.browser.http.post(form.action, data=values, headers=HTML)

    def _look(self, what: str, form: FoundForm, bad: Bad, answer: httpx.Response) -> bool:
        """Note what is wrong; return False where nothing is said beside any field, though one was typed into."""
        status = answer.status_code
        self.outcomes[str(status)] += 1
        if status >= 500 and status != 502:
            self.wrong.append(f"{what}: {status} {told(answer)}")
        elif bad.how == "without its mark" and form.method == "post":
            if status != 403:
                self.wrong.append(f"{what}: {status} without the mark of the session")
        elif status == 422:
            return self._refused(what, form, bad, answer)
        elif status in {400, 403, 404, 409, 413, 415, 502}:
            # A page of its own is for what no person typed: another page's address, a field that nobody sees.
            if bad.field is not None:
                self.wrong.append(f"{what}: {status}, a page without the form: {told(answer)}")
            elif "<h1>" not in answer.text:
                self.wrong.append(f"{what}: {status} {answer.text[:200]}")
        elif status not in {200, 303}:
            self.wrong.append(f"{what}: {status}")
        return True

    def _refused(self, what: str, form: FoundForm, bad: Bad, answer: httpx.Response) -> bool:
        page = Forms(answer.text)
        if 'role="alert"' not in answer.text:
            self.wrong.append(f"{what}: refused, and no word of it")
        again = next((one for one in page.forms if one.shape == form.shape), None)
        again = again or next((one for one in page.forms if one.action == form.action), None)
        if again is None:
            self.wrong.append(f"{what}: refused, and the form is gone")
            return True
        beside = [one for one in again.fields if any(part.startswith("e-") for part in one.described)]
        for one in beside:
            if not one.invalid or not any(page.texts.get(part, "").strip() for part in one.described):
                self.wrong.append(f"{what}: {one.name} is not marked, or nothing is said beside it")
        if bad.field is None or form.method == "get":
            return True
        same = again.named(bad.field.name)
        if same is None:
            self.wrong.append(f"{what}: the field is gone")
            return True
        if same.kind != "password" and bad.field.kind != "select":
            wanted = bad.typed.encode("utf-8", "replace").decode().replace("\x00", "").strip()
            if same.value.replace("\r\n", "\n").strip() != wanted:
                self.wrong.append(f"{what}: what was typed is lost: {same.value[:40]!r}")
        return bool(beside)


async def test_forms_of_strangers_survive_bad_input(desk: Desk) -> None:
    browser = Browser(desk)
    judge = Judge(browser)
    known = await set_up_link(desk)
    for path in ("/setup/{secret}", "/login"):
        [form] = [one for one in await judge.forms_of(path.format(**known)) if "token" not in one.values()]
        for bad in bad_inputs(form):
            desk.clock.advance(timedelta(minutes=20))  # nobody is kept out because of what came before
            answer = await judge._send(form, bad)
            assert answer.status_code in {401, 422}, (bad.how, answer.status_code, answer.text)
            assert 'role="alert"' in answer.text, bad.how
            assert 'type="password" value=""' in answer.text
    assert not await browser.is_in()


def told(answer: httpx.Response) -> str:
    alert = re.search(r'role="alert"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    text = alert[1] if alert else answer.text.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())[:200]


def last(path: str, form: FoundForm) -> bool:
    return form.action.rpartition("/")[2] in LATER or path.startswith("/me")


@pytest.mark.timeout(240)
async def test_every_form_survives_bad_input(desk_on_both: Desk, database_url: str) -> None:
    desk = desk_on_both
    known = await furnished(desk)
    browser = Browser(desk)
    answer = await browser.sign_in("bo")
    assert answer.status_code == 303
    # Each database refuses texts of its own; what is refused before one is asked need not be sent twice.
    judge = Judge(browser, only=() if "sqlite" in database_url else ("too long", "control", "odd"))
    later = []
    for path in [page.format(**known) for page in INSIDE]:
        for form in await judge.forms_of(path):
            where = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", form.action)
            shape = f"{where} {sorted({one.name for one in form.fields})}"
            if shape in judge.seen or form.action == "/logout":
                continue
            judge.seen.add(shape)
            if last(path, form):
                later.append((path, form))
            else:
                await judge.judge(path, form)
    for path, form in later:
        await judge.judge(path, form)
    assert not judge.wrong, "\n".join([f"{len(judge.wrong)} are wrong", *judge.wrong])
    assert len(judge.seen) > 50, judge.seen
    assert judge.outcomes["422"] > 100, judge.outcomes
    assert judge.outcomes["303"] > 50, judge.outcomes
    assert await browser.is_in(), "nobody was signed out by what they typed"

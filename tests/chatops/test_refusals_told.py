"""Who is refused hears of it: at a form's field, or by a direct message where the platform gives no address to answer at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from callout.chatops.forms.shapes import NOTE
from callout.ports.chat import Answer, Card, Interaction, InteractionKind
from callout.ports.values import Audience, Person
from tests.chatops.lab import ChatLab, Wrapped

ANN = Person("U0ANN", "ann")


def _interaction(
    action: str, value: str, invocation: str, kind: InteractionKind, **values: str
) -> Interaction:
    return Interaction(
        action=action,
        value=value,
        user=ANN,
        team="T01ACC",
        channel=None,
        message=None,
        invocation=invocation,
        trigger="t" if kind is not InteractionKind.SUBMITTED else "",
        kind=kind,
        values=values,
    )


async def test_a_form_that_comes_too_quickly_stays_open_with_what_was_typed(lab: ChatLab) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    opened = await lab.dispatcher.handle(
        lab.workspace, _interaction(NOTE, incident.id, "o1", InteractionKind.PRESSED)
    )
    assert opened.form is not None
    lab.settings = lab.settings.model_copy(update={"user_rate": 1})

    async def submit(invocation: str) -> Answer:
        given = _interaction(
            NOTE,
            opened.form.token if opened.form else "",
            invocation,
            InteractionKind.SUBMITTED,
            text="long",
            audience="",
        )
        return await lab.dispatcher.handle(lab.workspace, given)

    await lab.type("help")  # the minute's one command
    answers = [await submit("s1"), await submit("s2")]
    for answer in answers:  # each time: a form that is closed without a word has lost what was typed
        assert "Too many commands" in answer.errors["text"]
    assert await lab.tx(lambda tx: lab.incidents.notes(tx, "INC-1", audiences=tuple(Audience))) == []
    lab.clock.advance(timedelta(minutes=1))
    assert (await submit("s3")).is_silent
    assert len(await lab.tx(lambda tx: lab.incidents.notes(tx, "INC-1", audiences=tuple(Audience)))) == 1


async def test_who_is_refused_on_the_home_page_or_at_a_shortcut_is_told_directly(lab: ChatLab) -> None:
    told: list[tuple[str, str]] = []

    async def noted(real: Callable[..., Awaitable[Any]], channel: str, card: Card, **options: Any) -> Any:
        told.append((channel, card.text))
        return await real(channel, card, **options)

    assert isinstance(lab.provider, Wrapped)
    lab.provider.spoiled["post_message"] = noted
    lab.settings = lab.settings.model_copy(update={"default_role": "viewer"})
    for _ in range(2):
        answer = await lab.dispatcher.handle(
            lab.workspace, _interaction("declare", "", "sh1", InteractionKind.SHORTCUT)
        )
        assert answer.form is None
    await lab.run_jobs()
    assert [channel for channel, _ in told] == ["U0ANN"]
    assert "does not allow this" in told[0][1]

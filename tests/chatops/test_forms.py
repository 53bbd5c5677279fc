"""Forms that are not what they say they are: nothing that a client sends back is believed unless we sealed it for that person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.chatops.context import Workspace
from callout.chatops.forms import FormTokens
from callout.chatops.forms.shapes import NOTE, RESOLVE
from callout.kit.clock import ManualClock
from callout.kit.secrets import KeyRing
from callout.ports.chat import Answer, ChannelRef, Interaction, InteractionKind
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Person, Status
from tests.chatops.lab import ChatLab


async def submitted(
    lab: ChatLab, action: str, token: str, *, user: str = "U0ANN", invocation: str = "s1", **values: str
) -> Answer:
    """Submit a form as a client that sends whatever it likes."""
    given = Interaction(
        action=action,
        value=token,
        user=Person(user, "ann"),
        team="T01ACC",
        channel=None,
        message=None,
        invocation=invocation,
        kind=InteractionKind.SUBMITTED,
        values=values,
    )
    return await lab.dispatcher.handle(lab.workspace, given)


async def notes(lab: ChatLab) -> list[str]:
    found = await lab.tx(lambda tx: lab.incidents.notes(tx, "INC-1", audiences=tuple(Audience)))
    return [note.text for note in found]


async def opened(lab: ChatLab, action: str, value: str, *, user: str = "U0ANN") -> str:
    """Open a form by a press; return its token."""
    given = Interaction(
        action=action,
        value=value,
        user=Person(user, "ann"),
        team="T01ACC",
        channel=ChannelRef("C0GENERAL"),
        message=None,
        invocation=f"o/{action}/{user}",
        trigger="t1",
    )
    answer = await lab.dispatcher.handle(lab.workspace, given)
    assert answer.form is not None, answer
    return answer.form.token


async def test_a_form_is_its_openers_own(lab: ChatLab) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    token = await opened(lab, NOTE, incident.id)
    for number, (user, action, sent) in enumerate(
        (
            ("U0BOB", NOTE, token),
            ("U0ANN", RESOLVE, token),
            ("U0ANN", NOTE, token[:-6] + "AAAAAA"),
            ("U0ANN", NOTE, ""),
            ("U0ANN", NOTE, '{"incident": "INC-1"}'),
        )
    ):
        answer = await submitted(
            lab, action, sent, user=user, invocation=f"x{number}", text="mine", audience="customer"
        )
        assert "not made here" in answer.text
    assert await notes(lab) == []
    assert (await lab.incident()).status is Status.OPEN
    assert (await submitted(lab, NOTE, token, text="mine", audience="internal")).is_silent
    assert await notes(lab) == ["mine"]


async def test_a_submission_that_is_repeated_acts_once(lab: ChatLab) -> None:
    await lab.type("declare db")
    token = await opened(lab, NOTE, (await lab.incident()).id)
    for _ in range(3):
        assert (await submitted(lab, NOTE, token, text="once", audience="")).is_silent
    assert await notes(lab) == ["once"]
    wrong = [await submitted(lab, NOTE, token, invocation="s2", text="", audience="") for _ in range(2)]
    assert [set(answer.errors) for answer in wrong] == [{"text"}, {"text"}]


async def test_a_form_of_yesterday_is_opened_again(lab: ChatLab) -> None:
    await lab.type("declare db")
    token = await opened(lab, NOTE, (await lab.incident()).id)
    lab.clock.advance(timedelta(days=1, seconds=1))
    answer = await submitted(lab, NOTE, token, text="late", audience="")
    assert "more than a day old" in answer.text


async def test_who_may_not_write_opens_nothing(lab: ChatLab) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    lab.settings = lab.settings.model_copy(update={"default_role": "viewer"})
    given = Interaction(
        action=RESOLVE,
        value=incident.id,
        user=Person("U9", "eve"),
        team="T01ACC",
        channel=ChannelRef("C0GENERAL"),
        message=None,
        invocation="o9",
        trigger="t9",
    )
    answer = await lab.dispatcher.handle(lab.workspace, given)
    assert answer.form is None


@pytest.mark.parametrize(
    ("workspace", "user", "action"),
    [("w2", "U0ANN", NOTE), ("w1", "U0BOB", NOTE), ("w1", "U0ANN", RESOLVE)],
)
def test_a_token_opens_in_its_place_alone(workspace: str, user: str, action: str) -> None:
    tokens = FormTokens(KeyRing({"k": b"0" * 32}, primary="k"), ManualClock(datetime.now(UTC)))

    def at(name: str) -> Workspace:
        return Workspace(name, "a1", "chat_slack", name, "Slack", None)  # type: ignore[arg-type]

    # Long enough not to stand in a token by chance.
    kept = {"incident": "an-incident-of-ours"}
    token = tokens.make(at("w1"), "U0ANN", NOTE, kept)
    assert tokens.read(at("w1"), "U0ANN", NOTE, token) == kept
    assert kept["incident"] not in token
    with pytest.raises(InvalidRequestError, match="not made here"):
        tokens.read(at(workspace), user, action, token)

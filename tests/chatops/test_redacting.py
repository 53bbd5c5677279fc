"""What is said in chat holds no secret and, by setting, no personal data; the incident keeps its text."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.chatops.redacting import Redactor
from callout.chatops.words import literal
from callout.kit import redaction
from callout.kit.personal_data import luhn, mod97, personal_spans
from callout.kit.secrets import Secret
from callout.ports.chat import Answer, Card, Fact
from callout.ports.chat_forms import Form, FormField
from callout.ports.chat_settings import ChatSettings, Personal
from callout.ports.values import Actor, ActorKind, Channel, Origin
from tests.chatops.lab import SETTINGS, ChatLab
from tests.sandbox.conftest import TwinControl

API = Origin(Channel.API, Actor(ActorKind.TOKEN, "t1", "Ann"))
PERSONAL: tuple[Personal, ...] = ("email", "phone", "card", "iban")
PLAIN, ALL = Redactor(SETTINGS), Redactor(ChatSettings(redact_personal=PERSONAL))

# Made up for this test, of the shapes that vendors document; the mark tells them in any dump.
SECRETS = (
    "xoxb-4711canary-4711-aBcDeF4711canary",
    "ghp_canary4711canary4711canary4711canary",
    "AKIA4711CANARY4711XY",
    "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiI0NzExIn0.canary4711canary4711",
    "-----BEGIN RSA PRIVATE KEY-----\ncanary4711canary4711\n-----END RSA PRIVATE KEY-----",
    "https://ops:canary4711@db.example/run",
    "Authorization: Bearer canary4711canary4711",
    "password: canary4711",
    "api_key=canary4711canary",
    "the password is canary4711!",
    "https://hooks.slack.com/services/T01/B01/canary4711",
    "AIza4711canary4711canary4711canary4711can",
)
HARMLESS = st.text(st.sampled_from("abc XYZ.,:-_*`#\n(){}é🙂"), max_size=40)


@given(before=HARMLESS, secret=st.sampled_from(SECRETS), after=HARMLESS, escaped=st.booleans())
def test_a_secret_is_hidden_wherever_it_stands(
    before: str, secret: str, after: str, *, escaped: bool
) -> None:
    text = f"{before} {secret} {after}"
    said = PLAIN.text(literal(text) if escaped else text)
    assert "canary4711" not in said.replace("\\", "").lower()
    assert "4711CANARY" not in said
    assert "secret hidden]" in said
    assert PLAIN.text(said) == said


@given(text=st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    for redactor in (PLAIN, ALL):
        said = redactor.text(text)
        assert said == text or "hidden]" in said


@pytest.mark.parametrize(
    "text",
    [
        "INC-7 checkout is down since 2026-11-21 12:30, build 20261121.4711 on 10.0.0.1",
        "the token bucket is empty; basic checks pass; the secret is out",
        "order 1234567890123456 took 1,234,567 ms, see https://wiki.example/run?id=7",
        "p99 100-200-300 ms",
    ],
)
def test_what_people_write_every_day_stays(text: str) -> None:
    assert PLAIN.text(text) == text
    assert PLAIN.text(literal(text)) == literal(text)
    assert ALL.text(text) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ann.b+x@mail.example.com now", "email"),
        ("call +49 170 1234567 now", "phone"),
        ("call 0170 1234567 now", "phone"),
        ("call (415) 555-0132 now", "phone"),
        ("card 4111 1111 1111 1111 now", "card"),
        ("card 5500005555555559 now", "card"),
        ("from DE89 3704 0044 0532 0130 00 now", "iban"),
        ("from GB82WEST12345698765432 now", "iban"),
    ],
)
def test_personal_data_by_setting(text: str, kind: str) -> None:
    assert PLAIN.text(text) == text
    only = Redactor(ChatSettings(redact_personal=(kind,)))  # type: ignore[arg-type]
    said = only.text(literal(text)).replace("\\", "")
    assert said.startswith(text.split(maxsplit=1)[0])
    assert said.endswith(" hidden] now")
    assert ALL.text(text) == only.text(text)


def test_check_digits_tell_numbers_from_others() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert not luhn("0000000000000000")
    assert mod97("DE89370400440532013000")
    assert not mod97("DE88370400440532013000")
    assert personal_spans("DE88 3704 0044 0532 0130 00", ("iban",)) == []


def test_the_values_of_secrets_in_use_are_hidden_too() -> None:
    secret = Secret("plain-words-only")
    redaction.register(secret)
    try:
        assert PLAIN.text("it says plain-words-only here") == "it says [secret hidden] here"
        assert PLAIN.text(literal("plain-words-only")) == "[secret hidden]"
    finally:
        redaction.forget(secret)


def test_it_can_be_switched_off() -> None:
    off = Redactor(ChatSettings(redact_secrets=False))
    assert off.text(SECRETS[0]) == SECRETS[0]


def test_every_part_of_an_answer() -> None:
    word = SECRETS[0]
    card = Card(word, word, (Fact("Note", word),), footer=word)
    form = Form(
        "a", word, (FormField("title", "Title", value=word), FormField("b", "B", value="fine")), text=word
    )
    said = PLAIN.answer(Answer(word, card=card, form=form, errors={"title": word}))
    assert word not in repr(said)
    assert said.form is not None
    # A marker would come back as the field's value: it is left empty.
    assert [field.value for field in said.form.fields] == ["", "fine"]


async def test_planted_secrets_never_reach_slack(lab: ChatLab, slack: TwinControl) -> None:
    """Everything that people can write, from every side, in everything that Slack is sent."""
    for number, secret in enumerate(SECRETS, 1):
        one_line = " ".join(secret.split())
        answer = await lab.type(f'declare "{one_line} is out" --description "{one_line}"')
        assert "canary" not in str(answer).lower().replace("\\", "")
        key = f"INC-{number}"

        async def written(tx: Any, key: str = key, secret: str = secret) -> None:
            await lab.incidents.patch(
                tx, key, {"title": f"now {secret}", "tags": [secret.split(maxsplit=1)[0][:60]]}, API
            )
            await lab.incidents.patch(tx, key, {"description": f"see {secret}", "service": secret[:40]}, API)

        await lab.tx(written)
        await lab.type(f"note {key} look at {one_line}")
        shown = await lab.type(f"status {key}")
        assert "canary4711" not in str(shown).lower().replace("\\", "")
    await lab.run_jobs()
    await lab.run_later(timedelta(minutes=1))
    state = json.dumps(slack.get("state")).lower()
    assert "canary4711" not in state.replace("\\", "")
    assert "4711canary" not in state.replace("\\", "")
    found = await lab.incident("INC-1")
    assert SECRETS[0] in found.title  # ours is as it was written
    assert await lab.waiting() == []

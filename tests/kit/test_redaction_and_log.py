"""Planted secrets are looked for in every form that leaves the process as a log line."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import hypothesis
import pytest
import structlog
from hypothesis import strategies as st

from callout.kit import redaction
from callout.kit.log import configure, get_logger, log_context
from callout.kit.redaction import forget, is_secret_name, redact, redact_text, register
from callout.kit.secrets import Secret

CANARY = "canary/9f+2=éx"


@pytest.fixture
def live() -> Iterator[Secret]:
    secret = Secret(CANARY)
    register(secret)
    yield secret
    forget(secret)


@pytest.fixture
def quiet_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield
    root.handlers, root.level = before[0], before[1]
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Bearer abc.def-123", "abc.def"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("{'Authorization': 'Token tok_12345'}", "tok_12345"),
        ("sent Bearer 0123456789abcdef", "0123456789abcdef"),
        ("https://admin:hunter2@jira.example/x", "hunter2"),
        ("GET /hook?token=s3cr3t&x=1", "s3cr3t"),
        ("GET /hook?api_key=s3cr3t", "s3cr3t"),
        ('{"access_token": "s3\\"cr3t", "x": 1}', "cr3t"),
        ("{'password': 's3cr3t'}", "s3cr3t"),
        ("client_secret=s3cr3t&grant_type=x", "s3cr3t"),
        ("posting with xoxb-123-abc and xapp-1-A1", "123-abc"),
        ("token xoxe.xoxp-1-Mi0y", "Mi0y"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJzdWIi"),
        ("ATATT3xFfGF0abcdefgh", "FfGF0"),
        ("https://hooks.slack.com/services/T0/B0/XyZ", "XyZ"),
        ("https://discord.com/api/v10/webhooks/123456/abc-DEF_1", "abc-DEF"),
        ("Set-Cookie: session=abc; Path=/", "session=abc"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("routing_key: R0UT1NGKEY", "R0UT1NGKEY"),
        ("X-Api-Key: k123456", "k123456"),
    ],
)
def test_credentials_are_masked_by_their_looks(text: str, hidden: str) -> None:
    assert hidden in text
    assert hidden not in redact_text(text)
    assert "***" in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication failed for integration int-1",
        "the bearer of this token is unknown",
        "HTTP 404: issue OPS-12 not found",
        "next_page_token=abc".replace("next_page_token", "cursor"),
        "mail admin@example.com about https://jira.example/browse/OPS-1",
        "keyboard: querty, monkey: business",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


def test_the_neighbours_of_a_secret_stay_readable() -> None:
    assert redact_text("GET /hook?token=s3cr3t&page=2 -> 200") == "GET /hook?token=***&page=2 -> 200"
    assert redact_text('{"token": "abc", "user": "u"}') == '{"token": "***", "user": "u"}'


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Authorization",
        "X-Api-Key",
        "client_secret",
        "refreshToken",
        "Set-Cookie",
        "TOKEN",
        "private_key",
    ],
)
def test_these_names_hold_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert redact({name: "v4lue"}) == {name: "***"}


@pytest.mark.parametrize(
    "name", ["user", "path", "next_page_token", "summary", "key", "fencing_token", "tokens_used"]
)
def test_these_names_do_not(name: str) -> None:
    assert not is_secret_name(name)


def test_exact_values_are_masked_in_every_spelling(live: Secret) -> None:
    spellings = [CANARY, "canary%2F9f%2B2%3D%C3%A9x", json.dumps(CANARY), "canary/9f%2B2%3D%C3%A9x"]
    for spelling in spellings:
        assert "9f" not in redact_text(f"around {spelling} it")


def test_a_forgotten_value_is_no_longer_hunted_for() -> None:
    secret = Secret("long-enough-value")
    register(secret)
    register(secret)
    forget(secret)
    assert "long-enough" not in redact_text("x long-enough-value")
    forget(secret)
    assert "long-enough" in redact_text("x long-enough-value")


def test_a_short_value_does_not_blank_the_whole_log() -> None:
    register(Secret("token"))
    assert redact_text("the token expired") == "the token expired"


def test_nested_values_and_odd_objects_are_redacted() -> None:
    @dataclass
    class Config:
        url: str = "https://u:hunter2@x/"

    deep: object = "xoxb-1-secret"
    for _ in range(100):
        deep = [deep]
    value = {
        "a": [{"password": ["x"]}, ("Bearer abc123def",)],
        "c": Config(),
        "b": b"token=s3cr3t",
        "d": deep,
    }
    shown = repr(redact(value))
    assert not [word for word in ("hunter2", "abc123def", "s3cr3t", "xoxb-1", "['x']") if word in shown]


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_log_line_carries_a_planted_secret(form: str, live: Secret, quiet_logging: None) -> None:
    out = io.StringIO()
    configure(form, "DEBUG", stream=out)  # type: ignore[arg-type]
    ours = get_logger("callout.test")
    with log_context(request_id="r-1", cookie=CANARY):
        ours.info("called vendor", url=f"https://x/?token={CANARY}", secret=live, body={"api_key": CANARY})
        ours.warning("positional %s", CANARY)
        logging.getLogger("some.library").warning("library says %s", CANARY)
        logging.getLogger("some.library").warning("header %r", {"Authorization": "Bearer abcdef123456"})
        logging.getLogger("some.library").info("extra", extra={"password": "hunter2"})
        try:
            raise RuntimeError(f"failed with {CANARY}")  # noqa: TRY301
        except RuntimeError:
            ours.exception("it broke")
            logging.getLogger("some.library").exception("it broke there")
    text = out.getvalue()
    assert "canary" not in text
    assert "9f+2" not in text
    assert "hunter2" not in text
    assert "abcdef123456" not in text
    assert text.count("RuntimeError") >= 2
    assert text.count("r-1") == 7
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["level"] for line in lines] == [
            "info",
            "warning",
            "warning",
            "warning",
            "info",
            "error",
            "error",
        ]
        assert lines[0]["event"] == "called vendor"
        assert lines[0]["logger"] == "callout.test"
        assert lines[0]["time"].endswith("Z")


def test_a_library_with_its_own_handler_is_brought_into_line(live: Secret, quiet_logging: None) -> None:
    side_door = io.StringIO()
    library = logging.getLogger("library.with.handler")
    library.addHandler(logging.StreamHandler(side_door))
    out = io.StringIO()
    configure("json", "INFO", stream=out)
    library.warning("token is %s", CANARY)
    assert side_door.getvalue() == ""
    assert json.loads(out.getvalue())["event"] == "token is ***"


def test_the_level_is_kept(quiet_logging: None) -> None:
    out = io.StringIO()
    configure("json", "WARNING", stream=out)
    get_logger("callout.test").info("not this")
    logging.getLogger("x").info("nor this")
    get_logger("callout.test").error("this", number=1)
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["this"]


def test_a_wrong_setting_is_named(quiet_logging: None) -> None:
    with pytest.raises(ValueError, match="level 'LOUD'"):
        configure("json", "LOUD")
    with pytest.raises(ValueError, match="format 'xml'"):
        configure("xml")  # type: ignore[arg-type]


@hypothesis.given(st.text(max_size=200))
def test_a_text_without_any_hint_holds_nothing_that_a_pattern_would_mask(text: str) -> None:
    if not redaction._hints_at_secrets(text):
        assert not any(pattern.search(text) for pattern in redaction._PATTERNS)


@pytest.mark.parametrize("pattern", redaction._PATTERNS, ids=lambda pattern: str(pattern.pattern)[:40])
def test_whatever_a_pattern_finds_holds_a_hint(pattern: re.Pattern[str]) -> None:
    @hypothesis.settings(max_examples=15, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(
        st.from_regex(pattern, alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"]))
    )
    def check(text: str) -> None:
        assert redaction._hints_at_secrets(text)

    check()


@pytest.mark.parametrize(
    "text",
    ["🟡 to\u212aen=abcdefgh12345678", "🟡 pa\u017fsword=abcdefgh12345678", "🟡 token=abcdefgh12345678"],
)
def test_letters_that_only_look_like_others_hide_nothing(text: str) -> None:
    assert "abcdefgh12345678" not in redaction.redact_text(text)

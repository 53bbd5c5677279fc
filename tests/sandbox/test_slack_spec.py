"""The twin's catalogue against the published method index and response samples, where they are at hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from callout.sandbox.slack.catalogue import METHODS

if TYPE_CHECKING:
    from tests.sandbox.conftest import TwinControl

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "slack"
INDEX = SPECS / "slack_methods_index_2026-05.json"
CALLS: dict[str, dict[str, str]] = {
    "conversations.create": {"name": "inc-1"},
    "conversations.info": {"channel": "C0INCIDENTS"},
    "conversations.list": {},
    "conversations.setTopic": {"channel": "C0INCIDENTS", "topic": "x"},
    "conversations.invite": {"channel": "C0INCIDENTS", "users": "U0DAN"},
    "users.info": {"user": "U0ANN"},
    "users.list": {},
    "users.lookupByEmail": {"email": "ann@example.com"},
    "chat.postEphemeral": {"channel": "C0INCIDENTS", "user": "U0ANN", "text": "x"},
}


def differences(at: str, got: object, sample: object) -> list[str]:
    """Return where an answer has a key or a type that the sample of the official SDK does not have."""
    if isinstance(sample, dict):
        if not isinstance(got, dict):
            return [f"{at} is no object"]
        unknown = [f"{at}.{key} is unknown" for key in got if key not in sample]
        known = [key for key in got if key in sample]
        return unknown + [line for key in known for line in differences(f"{at}.{key}", got[key], sample[key])]
    if isinstance(sample, list):
        if not isinstance(got, list):
            return [f"{at} is no array"]
        return [line for item in got if sample for line in differences(f"{at}[]", item, sample[0])]
    return [] if got is None or type(got) is type(sample) else [f"{at} is {type(got).__name__}"]


if INDEX.exists():
    PUBLISHED: dict[str, Any] = orjson.loads(INDEX.read_bytes())

    @pytest.mark.parametrize("name", sorted(METHODS))
    def test_a_method_has_the_tier_and_scopes_slack_publishes(name: str) -> None:
        method, published = METHODS[name], PUBLISHED[name]
        tier = re.match(r"Tier (\d)", published["rate_limit"])
        assert method.tier == (int(tier[1]) if tier else None)
        assert not published["bot_scopes"] or set(method.scopes) <= set(published["bot_scopes"])

    @pytest.mark.parametrize("name", sorted(CALLS))
    def test_an_answer_has_the_shape_of_the_official_sample(slack: TwinControl, name: str) -> None:
        sample = orjson.loads((SPECS / "samples" / f"{name}.json").read_bytes())
        form = {"token": "xoxb-acc", **CALLS[name]}
        answer = slack.http.post(f"{slack.url}/api/{name}", data=form).json()
        assert answer["ok"] is True
        assert differences(name, answer, sample) == []

"""The library's face: the examples of its page run, over Slack's twin."""

from __future__ import annotations

import inspect
import re
from functools import partial
from pathlib import Path
from typing import Any

from callout.kit.http import Timeouts, VendorHttp
from callout.kit.transport import GuardedTransport
from tests.chatops.test_notifications import INCIDENTS, Slack
from tests.sandbox.conftest import TwinControl

PAGE = Path(__file__).parents[2] / "docs/chatops-library.md"


async def test_the_examples_of_the_page_run(
    tmp_path: Path, slack: TwinControl, transport: GuardedTransport
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {
        "folder": tmp_path,
        "slack_url": f"{slack.url}/api",
        "http": partial(VendorHttp, transport=transport, timeouts=Timeouts(read=5.0, total=10.0)),
    }
    for block in blocks:
        code = compile(block, str(PAGE), "exec", flags=0x2000)  # top-level await, as in `python -m asyncio`
        made = eval(code, names)  # noqa: S307  # our own page
        if inspect.isawaitable(made):
            await made
    [card] = Slack(slack).cards(INCIDENTS)
    assert "Nobody answered for ten minutes." in str(card)

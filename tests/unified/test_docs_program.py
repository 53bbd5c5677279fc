"""The program of docs/api.md, as it stands there: only its base URL, its token, and the address of the vendor are changed."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unified.sdk import Sdk

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def program(sdk: Sdk) -> str:
    """Return the page's first program with the addresses and secrets of this installation."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    text = found.group(1)
    for old, new in {
        '"http://127.0.0.1:8080"': repr(sdk.url),
        "ORGANIZATION_TOKEN": repr(sdk.installation.api.token),
        '"https://example.atlassian.net"': repr(sdk.twin("jira")),
        "API_TOKEN": repr("token"),
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


async def test_the_program_of_the_page_prints_what_the_page_shows(sdk: Sdk) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program(sdk),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 150)
    assert process.returncode == 0, err.decode()
    shown = re.search(r"^```\n\n    (10001 .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown is not None
    assert out.decode().splitlines() == [shown.group(1)]

"""Our key where only text can carry it: on its own in a last line, as code, so that Jira leaves it as it is.

The service desk's API takes text and nothing else. What it made is found again by this line; it is cut off when it is read.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import quote, unquote

from callout.connectors.jira.wiki import to_wiki
from callout.kit.text import Document, Paragraph, Text, parse_markdown

_COMMENT: Final = re.compile(r"(?:^|\n\n)`callout:([A-Za-z0-9_.~%-]+)`\s*$")
_DESCRIPTION: Final = re.compile(r"(?:^|\n\n)`callout:([A-Za-z0-9_.~%-]+) callout[0-9a-f]{24}`\s*$")


def comment_text(content: str, key: str) -> str:
    """Return a comment as wiki markup, closed by our key where there is one."""
    return _written(content, f"callout:{quote(key, safe='')}" if key else "")


def comment_read(content: str) -> tuple[str, str]:
    """Return a comment's Markdown without the last line that names our key, and the key; empty when there is none."""
    found = _COMMENT.search(content)
    return (content, "") if found is None else (content[: found.start()], unquote(found[1]))


def token(key: str) -> str:
    """Return one word for a key, which a text search finds as a whole."""
    return f"callout{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def description_text(content: str, key: str) -> str:
    """Return a description as wiki markup, closed by our key and the word for it where there is one."""
    return _written(content, f"callout:{quote(key, safe='')} {token(key)}" if key else "")


def description_read(content: str) -> tuple[str, str]:
    """Return a description's Markdown without the last line that names our key, and the key; empty when there is none."""
    found = _DESCRIPTION.search(content)
    return (content, "") if found is None else (content[: found.start()], unquote(found[1]))


def _written(content: str, last: str) -> str:
    blocks = parse_markdown(content).blocks
    return to_wiki(Document((*blocks, Paragraph((Text(last, code=True),))) if last else blocks))

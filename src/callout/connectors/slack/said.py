"""What people say in Slack, with the mark-up that is Slack's alone written as the chat port has it. Pure.

Done before `&lt;` and its like are undone: what a person typed letter by letter stays letters.
"""

from __future__ import annotations

import re
from typing import Final

from callout.connectors.slack.mrkdwn_reader import unescape

# from memory: `<!subteam^ID|@handle>`, at times without the handle
_SPECIAL: Final = re.compile(r"<!([a-z]+)(?:\^([^<>|]*))?(?:\|([^<>]*))?>")
_BROADCASTS: Final = frozenset({"here", "channel", "everyone"})


def said(text: str) -> str:
    """Return a text of Slack's: `<!subteam^S1|@oncall>` as `<@&S1|oncall>`, `<!here>` as `@here`, a date as its words.

    A broadcast that we say again is a word: nobody is called by it.
    """
    return unescape(_SPECIAL.sub(_written, text) if "<!" in text else text)


def _written(match: re.Match[str]) -> str:
    name, rest, label = match[1], match[2] or "", match[3] or ""
    if name == "subteam":
        handle = label.removeprefix("@")
        return f"<@&{rest.partition('^')[0]}{f'|{handle}' if handle else ''}>"
    if name in _BROADCASTS:
        return f"@{name}"
    if name == "date":
        return label or rest.partition("^")[0]
    return label or name

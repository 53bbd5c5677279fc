"""The shapes of what people write: tokens, keys, severities, tickets, lengths of time. Each expression reads ahead at most once."""

from __future__ import annotations

import re
from typing import Final

ALIKE: Final = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u00b4\u2032\uff07", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys(
            "\u00a0\u200b\u200c\u200d\u2060\ufeff\u202f\u2009\u200e\u200f\t\r\x0b\x0c\u2028\u2029", " "
        ),
        "\uff20": "@",
        "\uff03": "#",
        "\uff1a": ":",
        "\uff1f": "?",
        "\u061f": "?",
        "\u203d": "?",
        "\u037e": "?",
    }
)
"""Character for character, so that places in the one text are places in the other."""

TOKEN = re.compile(
    r"""
      (?P<code>```.*?(?:```|\Z)|`[^`]*(?:`|\Z))
    | (?P<slack><[^<>\n]+>)
    | (?P<quoted>(?<!\w)"[^"]*"(?!\w)|(?<!\w)'[^'\n]*'(?!\w))
    | (?P<url>https?://[^\s<>]+)
    | (?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?P<at>@\w+(?:[.-]\w+)*)
    | (?P<emoji>:[a-z][a-z0-9_+-]{1,40}:)
    | (?P<arrow>-+>|=+>|\u2192|\u27a1)
    | (?P<flag>(?<!\S)(?:--|[\u2013\u2014])[A-Za-z]+)
    | (?P<word>\#?\w+(?:(?:['./_+&-]|(?<=\d):(?=\d))\w+)*)
    | (?P<newline>\n)
    | (?P<mark>[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
KEY = re.compile(r"(?:inc|incident)[-_]?#?([1-9][0-9]{0,8})")
SEVERITY = re.compile(r"(?:sev|severity)[-_]?([1-4])s?|p([1-4])s?|(?:sev|severity)[-_](one|two|three|four)")
TICKET = re.compile(r"[a-z][a-z0-9]{1,19}-[0-9]{1,9}|(?:inc|chg|ritm|req|prb|sctask|task|cs|sir)[0-9]{5,12}")
GLUED = re.compile(r"([0-9]{1,4})(m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)")
COUNT = re.compile(r"[0-9]{1,4}")
AT_TAG = re.compile(r"<at(?:\s[^<>]*)?>([^<>]{0,80})</at>", re.IGNORECASE)


def period(count: int, unit: str) -> str:
    """Return a length of time in normal form: weeks and months in days, one day in hours."""
    if unit == "w":
        return f"{7 * count}d"
    if unit == "month":
        return f"{30 * count}d"
    if unit == "d" and count == 1:
        return "24h"
    return f"{count}{unit}"

"""Taking secrets out of text and values before they reach a log, an error or an export.

Three nets, each catching what the others miss: the names of fields (`password`, `api_key`), the looks of
credentials (`xoxb-…`, `Bearer …`, `https://user:pass@…`), and the exact values of the secrets in use.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import quote, quote_plus

from callout.kit.secrets import MASK, Secret

MIN_EXACT_LENGTH: Final = 8
"""Shorter values are not hunted for: masking every `token` in a text would hide more than it protects."""

_MAX_DEPTH: Final = 16

_NAME_PARTS: Final = (
    "authorization",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "signingkey",
    "routingkey",
    "integrationkey",
    "encryptionkey",
    "credential",
    "cookie",
    "sessionid",
    "clientassertion",
    "webhookurl",
    "responseurl",
)
_NAME_ENDS: Final = ("token", "jwt", "otp", "pat")
# Cursors and descriptions that end like a credential but are needed to understand a log line.
_NAME_EXCEPTIONS: Final = frozenset(
    {"pagetoken", "nextpagetoken", "nexttoken", "synctoken", "fencingtoken", "path", "hassecret", "compat"}
)
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")

_SENSITIVE: Final = (
    r"[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|private[_-]?key|access[_-]?key|signing[_-]?key"
    r"|routing[_-]?key|integration[_-]?key|credentials?|cookie|jwt|signature|x-amz-credential)"
)
_TOKENISH: Final = r"(?=\S{20}|\S*[\d=._-])"

# Each pattern keeps its named group `keep` and masks the rest of the match.
_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"(?i)(?P<keep>\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n,}]+",
        r"(?i)(?P<keep>\b(?:set-)?cookie[\"']?\s*:\s*[\"']?)[^\"'\r\n]+",
        rf"(?i)(?P<keep>\b(?:bearer|basic|token|apikey|geniekey)\s+){_TOKENISH}[A-Za-z0-9._~+/=:-]{{6,}}",
        r"(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^/\s@\"'<>?#]+(?=@)",
        r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{3,}|\bxapp-[A-Za-z0-9-]{3,}",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?",
        r"\b(?:ATATT|ATCTT|ghp_|gho_|ghs_|github_pat_|glpat-|whsec_|sk_live_)[A-Za-z0-9_=-]{8,}",
        # Our own tokens.
        r"\bco_(?:org|int|rfo|rfi|hook)_[A-Za-z0-9_-]{8,}",
        # URLs that are themselves the credential.
        r"(?P<keep>\bhooks\.slack\.com/\w+/)[^\s\"'<>]+",
        r"(?P<keep>/webhooks/\d+/)[A-Za-z0-9_.-]+",
        r"(?P<keep>\.webhook\.office\.com/)[^\s\"'<>]+",
        rf"(?i)(?P<keep>(?:^|[?&;,\s\"'{{(\[]){_SENSITIVE}=)[^&\s\"'<>,;)}}\]]+",
        rf"(?i)(?P<keep>[\"']{_SENSITIVE}[\"']\s*:\s*b?\")(?:[^\"\\]|\\.)+",
        rf"(?i)(?P<keep>[\"']{_SENSITIVE}[\"']\s*:\s*b?')(?:[^'\\]|\\.)+",
        rf"(?i)(?P<keep>(?:^|[\s,({{]){_SENSITIVE}:\s*){_TOKENISH}[^\s\"',;)}}]{{6,}}",
    )
)

# What a text must hold, in lower case, for any pattern to find something in it. Most texts hold none of these, and looking for
# plain words costs a tenth of the patterns.
_HINTS: Final = (
    *("token", "secret", "passw", "passphrase", "credential", "cookie", "jwt", "signature", "authorization"),
    *(
        "private key",
        "bearer",
        "basic",
        "://",
        "xox",
        "xapp-",
        "eyj",
        "atatt",
        "atctt",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
    ),
    *("glpat-", "whsec_", "sk_live_", "co_", "hooks.slack.com", "/webhooks/", ".webhook.office.com"),
)

_KEY_HINT: Final = re.compile(r"[iesgn][_-]?key")
"""The end of api, private, access, signing, routing, integration and genie before `key`: a plain `key` is everywhere."""

_ODD_LETTERS: Final = re.compile("[\u0130\u0131\u017f\u212a]")
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""An id of ours, in which no pattern finds anything: most of what an audit row holds."""

_ID_LENGTH: Final = 36

_live_lock = threading.Lock()
_live: dict[str, int] = {}
_live_now: tuple[str, ...] = ()
"""The same, for readers, who need not wait for each other."""


def register(secret: Secret) -> None:
    """Mask this exact value in every redacted text from now on; values under 8 characters are left alone.

    Registering the same value twice needs two `forget` calls.
    """
    with _live_lock:
        for form in _forms(secret.reveal()):
            _live[form] = _live.get(form, 0) + 1
        _show_live()


def forget(secret: Secret) -> None:
    """Stop masking a value that is no longer in use."""
    with _live_lock:
        for form in _forms(secret.reveal()):
            left = _live.get(form, 0) - 1
            if left > 0:
                _live[form] = left
            else:
                _live.pop(form, None)
        _show_live()


def _show_live() -> None:
    global _live_now  # noqa: PLW0603  # replaced as a whole, so that readers see one state or the other
    _live_now = tuple(_live)


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds a credential."""
    plain = _NOT_LETTERS.sub("", name.lower())
    if plain in _NAME_EXCEPTIONS:
        return False
    return any(part in plain for part in _NAME_PARTS) or plain.endswith(_NAME_ENDS)


def redact_text(text: str, *, secrets: Iterable[Secret] = ()) -> str:
    """Return `text` with credentials masked.

    Args:
        text: anything on its way to a person or a file.
        secrets: further exact values to mask, those of the call at hand; short ones count here too.
    """
    text = redact_exact(text, secrets=secrets)
    if len(text) == _ID_LENGTH and _ID.fullmatch(text) is not None:
        return text
    if not _hints_at_secrets(text):
        return text
    for pattern in _PATTERNS:
        text = pattern.sub(_keep_and_mask, text)
    return text


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Return where in `text` credentials stand, as (start, end), in no order; they may overlap."""
    found = []
    for form in _live_now:
        start = text.find(form)
        while start >= 0:
            found.append((start, start + len(form)))
            start = text.find(form, start + len(form))
    if not _hints_at_secrets(text):
        return found
    for pattern in _PATTERNS:
        keeps = "keep" in pattern.groupindex
        for match in pattern.finditer(text):
            start = match.end("keep") if keeps and match["keep"] is not None else match.start()
            found.append((start, match.end()))
    return found


def is_plainly_clean(text: str) -> bool:
    """Return whether nothing in `text`, nor in any part of it, would be masked; False where only a closer look can tell."""
    return text.isascii() and not any(form in text for form in _live_now) and not _hints_at_secrets(text)


def has_odd_letters(text: str) -> bool:
    """Return whether `text` holds a letter that a pattern takes for an ASCII one and `lower` does not make one: four there are."""
    return not text.isascii() and _ODD_LETTERS.search(text) is not None


def _hints_at_secrets(text: str) -> bool:
    """Return whether `text` holds what a pattern needs, or may."""
    if has_odd_letters(text):
        return True
    lower = text.lower()
    for hint in _HINTS:
        if hint in lower:
            return True
    return "key" in lower and _KEY_HINT.search(lower) is not None


def redact_exact(text: str, *, secrets: Iterable[Secret] = ()) -> str:
    """Return `text` with only the exact values masked: the registered ones and `secrets`."""
    given = {form for secret in secrets for form in _forms(secret.reveal(), shortest=1)} if secrets else ()
    found = [form for form in _live_now if form in text]
    if not found and not given:
        return text
    # Longest first: a secret inside another must not leave the other's rest behind.
    for form in sorted({*found, *given}, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def redact(value: object, *, secrets: Iterable[Secret] = ()) -> object:
    """Return a copy of `value` fit for printing: fields by name, text by its looks, objects by their repr."""
    return _redact(value, tuple(secrets), 0)


def redaction_processor(_logger: object, _method: str, event: dict[str, object]) -> dict[str, object]:
    """Redact a structlog event; comes after everything that adds to it and before the renderer."""
    return {
        key: value if key.startswith("_") or key == "exc_info" else _redact_field(key, value)
        for key, value in event.items()
    }


def _redact_field(key: str, value: object) -> object:
    if is_secret_name(key) and not isinstance(value, bool | int | float | None):
        return MASK
    return redact(value)


def _redact(value: object, secrets: tuple[Secret, ...], depth: int) -> object:  # noqa: PLR0911
    if value is None or isinstance(value, bool | int | float | datetime | date | time | timedelta):
        return value
    if isinstance(value, str):
        return redact_text(value, secrets=secrets)
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, bytes | bytearray):
        return redact_text(bytes(value).decode("utf-8", "backslashreplace"), secrets=secrets)
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {
            redact_text(str(key), secrets=secrets): MASK
            if is_secret_name(str(key)) and isinstance(item, str | bytes | Secret | list | tuple)
            else _redact(item, secrets, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(item, secrets, depth + 1) for item in value]
    return redact_text(repr(value), secrets=secrets)


def _keep_and_mask(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + MASK


def _forms(value: str, *, shortest: int = MIN_EXACT_LENGTH) -> set[str]:
    """The ways one value is written in text: as it is, in a URL, in a form body, inside JSON."""
    if len(value) < shortest:
        return set()
    try:
        quoted = {quote(value, safe=""), quote(value), quote_plus(value)}
    except UnicodeEncodeError:  # a lone surrogate has no URL form
        quoted = set()
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], *quoted}

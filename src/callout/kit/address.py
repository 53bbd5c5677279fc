"""Web addresses that people enter as settings of an integration."""

from __future__ import annotations

from urllib.parse import urlsplit


def web_address(text: str, *, example: str) -> str:
    """Return `text` as the address of a server, without blanks around it and slashes at its end; empty stays empty.

    Raises ValueError, in words for the person who entered it, for what is no http address, for one with credentials in it (they would
    be printed with it), and for one with a query or fragment (paths are put behind it).
    """
    address = text.strip().rstrip("/")
    if not address:
        return ""
    wrong = f"give a full address, for example {example}"
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise ValueError(wrong) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(wrong)
    if "@" in parts.netloc:
        raise ValueError("credentials do not belong into the address")
    if "?" in address or "#" in address:
        raise ValueError("give the address alone, without ? and #")
    return address

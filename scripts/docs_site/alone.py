"""A built site that stands alone: nothing inline, so that a strict content security policy can hold, and nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What whoever serves the site can send as Content-Security-Policy."""
STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)
SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
ATTRIBUTES: Final = {' style="opacity: 50%"': ' opacity="0.5"', ' style="display: none;"': ' display="none"'}
"""What the theme writes inline on its icons → the same as SVG says it."""
LOADING: Final = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "object": "data",
}
FOREIGN: Final = re.compile(r"^(?:[a-z]+:)?//")
IMPORTED: Final = re.compile(r"@import|url\(\s*[\"']?(?:https?:)?//")


def set_apart(site: Path) -> None:
    """Move scripts and styles that stand in the pages into files of their own."""
    moved: dict[str, str] = {}
    for path in site.rglob("*.html"):
        root = "../" * (len(path.relative_to(site).parts) - 1)
        text = path.read_text()
        for pattern, name, element in (
            (STYLE, "inline.css", '<link rel="stylesheet" href="{}_static/inline.css">'),
            (SCRIPT, "inline.js", '<script src="{}_static/inline.js"></script>'),
        ):
            found = "\n".join(pattern.findall(text))
            if moved.setdefault(name, found) != found:
                raise ValueError(f"{path.name}: its inline {name} is not that of the other pages")
            text = pattern.sub(element.format(root), text)
        for inline, attribute in ATTRIBUTES.items():
            text = text.replace(inline, attribute)
        path.write_text(text)
    for name, found in moved.items():
        (site / "_static" / name).write_text(found)


def complaints(site: Path) -> Iterator[str]:
    """Yield what of the site is fetched from another host, or would break the policy."""
    for path in site.rglob("*.html"):
        judge = _Judge()
        judge.feed(path.read_text())
        yield from (f"{path.relative_to(site)}: {said}" for said in judge.said)
    for path in site.rglob("*.css"):
        if IMPORTED.search(path.read_text()):
            yield f"{path.relative_to(site)}: takes something from elsewhere"


class _Judge(HTMLParser):
    """Collects what a page loads from elsewhere, and what stands inline."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if FOREIGN.match(found.get(LOADING.get(tag, "")) or ""):
            self.said.append(f"<{tag}> from {found[LOADING[tag]]}")
        if tag == "style" or (tag == "script" and "src" not in found):
            self.said.append(f"inline <{tag}>")
        self.said += [f"<{tag} {name}>" for name in found if name == "style" or name.startswith("on")]

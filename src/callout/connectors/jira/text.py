"""Markdown, which is what tickets speak inside, to and from Jira's two text formats."""

from __future__ import annotations

from typing import Any

from callout.connectors.jira.adf import to_adf
from callout.connectors.jira.adf_reader import from_adf
from callout.connectors.jira.wiki_reader import from_wiki
from callout.kit.text import parse_markdown, to_markdown


def adf_from_markdown(text: str) -> dict[str, Any]:
    """Return an Atlassian document that Jira accepts."""
    return to_adf(parse_markdown(text))


def markdown_from_adf(value: object) -> str:
    """Return the text of an Atlassian document, or of what claims to be one; empty for none."""
    return to_markdown(from_adf(value), normalised=True) if value else ""


def markdown_from_wiki(value: object) -> str:
    """Return wiki markup, which webhooks and REST v2 use, as Markdown."""
    return to_markdown(from_wiki(value), normalised=True) if isinstance(value, str) and value else ""

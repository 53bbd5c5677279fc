"""Markdown, which is what tickets speak inside, to and from Jira's two text formats. For now plain paragraphs only."""

from __future__ import annotations

from typing import Any


def adf_from_markdown(text: str) -> dict[str, Any]:
    """Return an Atlassian document."""
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return {
        "type": "doc",
        "version": 1,
        "content": [
            {"type": "paragraph", "content": [{"type": "text", "text": part}]} for part in paragraphs
        ],
    }


def markdown_from_adf(value: Any) -> str:  # noqa: ANN401  # any JSON
    """Return the text of an Atlassian document."""
    blocks = value.get("content", []) if isinstance(value, dict) else []
    texts = ["".join(leaf.get("text", "") for leaf in block.get("content", [])) for block in blocks]
    return "\n\n".join(texts)


def markdown_from_wiki(value: Any) -> str:  # noqa: ANN401  # any JSON
    """Return wiki markup as it is."""
    return value if isinstance(value, str) else ""

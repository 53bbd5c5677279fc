"""Atlassian Document Format: is a value a document, and what does it say in plain text.

A content model written as tables, after the vendor's published rules. Jira refuses a document that breaks
them with 400, so the twin does as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callout.sandbox.jira.model import JsonObject

INLINE = frozenset(
    {"text", "hardBreak", "mention", "emoji", "date", "status", "inlineCard", "placeholder", "mediaInline"}
)
_LISTS = frozenset({"bulletList", "orderedList", "taskList"})
_MEDIA = frozenset({"mediaSingle", "mediaGroup"})
_PANEL = _LISTS | _MEDIA | {"paragraph", "heading", "codeBlock", "blockCard", "rule", "decisionList"}
_CELL = _PANEL | {"panel", "blockquote", "nestedExpand"}
BLOCKS = _CELL - {"nestedExpand"} | {"table", "expand"}

CHILDREN: dict[str, frozenset[str]] = {
    "doc": BLOCKS,
    "paragraph": INLINE,
    "heading": INLINE,
    "codeBlock": frozenset({"text"}),
    "blockquote": frozenset({"paragraph", "bulletList", "orderedList", "codeBlock"}) | _MEDIA,
    "panel": _PANEL,
    "expand": BLOCKS - {"expand"} | {"nestedExpand"},
    "nestedExpand": _PANEL | {"panel", "blockquote"},
    "bulletList": frozenset({"listItem"}),
    "orderedList": frozenset({"listItem"}),
    "listItem": frozenset({"paragraph", "codeBlock"}) | _LISTS | _MEDIA,
    "taskList": frozenset({"taskItem", "taskList"}),
    "taskItem": INLINE,
    "decisionList": frozenset({"decisionItem"}),
    "decisionItem": INLINE,
    "table": frozenset({"tableRow"}),
    "tableRow": frozenset({"tableHeader", "tableCell"}),
    "tableHeader": _CELL,
    "tableCell": _CELL,
    "mediaSingle": frozenset({"media", "caption"}),
    "mediaGroup": frozenset({"media"}),
    "caption": INLINE,
}
LEAVES = INLINE | {"rule", "media", "blockCard"}
NOT_EMPTY = frozenset(
    {
        "bulletList",
        "orderedList",
        "listItem",
        "taskList",
        "table",
        "blockquote",
        "panel",
        "mediaSingle",
        "mediaGroup",
    }
) | {"expand", "nestedExpand", "tableHeader", "tableCell", "decisionList"}
MARKS = frozenset(
    {
        "strong",
        "em",
        "code",
        "strike",
        "underline",
        "link",
        "textColor",
        "backgroundColor",
        "subsup",
        "annotation",
    }
)
_MARKS_BESIDE_CODE = frozenset({"code", "link", "annotation"})
REQUIRED_ATTRS: dict[str, frozenset[str]] = {
    "heading": frozenset({"level"}),
    "panel": frozenset({"panelType"}),
    "mention": frozenset({"id"}),
    "emoji": frozenset({"shortName"}),
    "date": frozenset({"timestamp"}),
    "status": frozenset({"text", "color"}),
    "taskList": frozenset({"localId"}),
    "taskItem": frozenset({"localId", "state"}),
}
_CHOICES: dict[tuple[str, str], frozenset[object]] = {
    ("heading", "level"): frozenset({1, 2, 3, 4, 5, 6}),
    ("panel", "panelType"): frozenset({"info", "note", "tip", "warning", "error", "success", "custom"}),
    ("taskItem", "state"): frozenset({"TODO", "DONE"}),
    ("status", "color"): frozenset({"neutral", "purple", "blue", "red", "yellow", "green"}),
}
_KEYS = frozenset({"type", "attrs", "content", "marks"})


def is_document(value: object) -> bool:
    """Whether `value` is a valid version 1 document."""
    return (
        isinstance(value, dict)
        and set(value) == {"type", "version", "content"}
        and value["type"] == "doc"
        and value["version"] == 1
        and not isinstance(value["version"], bool)
        and _valid_children("doc", value["content"])
    )


def _valid_children(parent: str, content: object) -> bool:
    return isinstance(content, list) and all(
        isinstance(node, dict) and node.get("type") in CHILDREN[parent] and _valid_node(node, parent)
        for node in content
    )


def _valid_node(node: JsonObject, parent: str) -> bool:
    kind = node["type"]
    if kind == "text":
        return _valid_text(node, parent)
    if set(node) - _KEYS or not _valid_attrs(kind, node.get("attrs")):
        return False
    content = node.get("content", [])
    if kind in LEAVES:
        return content == [] and "content" not in node
    if kind in NOT_EMPTY and not content:
        return False
    return _valid_children(kind, content)


def _valid_text(node: JsonObject, parent: str) -> bool:
    text, marks = node.get("text"), node.get("marks", [])
    if (
        set(node) - {"type", "text", "marks"}
        or not isinstance(text, str)
        or not text
        or not isinstance(marks, list)
    ):
        return False
    names = [mark.get("type") if isinstance(mark, dict) else None for mark in marks]
    if any(name not in MARKS for name in names) or (parent == "codeBlock" and names):
        return False
    if "code" in names and not set(names) <= _MARKS_BESIDE_CODE:
        return False
    return all(mark["type"] != "link" or isinstance(mark.get("attrs", {}).get("href"), str) for mark in marks)


def _valid_attrs(kind: str, attrs: object) -> bool:
    required = REQUIRED_ATTRS.get(kind, frozenset())
    if attrs is None:
        return not required
    if not isinstance(attrs, dict) or not required <= set(attrs):
        return False
    if kind == "status" and not attrs["text"]:
        return False
    return all(
        attrs[name] in choices
        for (owner, name), choices in _CHOICES.items()
        if owner == kind and name in attrs and isinstance(attrs[name], str | int)
    )


def document(*blocks: JsonObject) -> JsonObject:
    """A document of these blocks."""
    return {"type": "doc", "version": 1, "content": list(blocks)}


def plain_text(node: JsonObject | None) -> str:
    """The words of a document, blocks on lines of their own; what a text search looks at."""
    return "" if node is None else "".join(_words(node)).strip("\n")


def _words(node: JsonObject) -> Iterator[str]:
    kind: str = node.get("type", "")
    attrs: dict[str, Any] = node.get("attrs") or {}
    if kind == "text":
        yield node["text"]
    elif kind == "hardBreak":
        yield "\n"
    elif kind in {"mention", "emoji", "status"}:
        yield str(attrs.get("text") or attrs.get("shortName") or attrs.get("id") or "")
    elif kind == "inlineCard":
        yield str(attrs.get("url", ""))
    for child in node.get("content", []):
        yield from _words(child)
    if kind in BLOCKS or kind in {"listItem", "taskItem", "tableRow"}:
        yield "\n"

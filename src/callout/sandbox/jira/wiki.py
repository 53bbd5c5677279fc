"""Wiki markup, the text form of REST v2 and of webhook bodies, to and from ADF.

Both directions cover what people type in tickets: headings, lists, code, quotes, panels, tables, rules, links,
mentions and the common marks. A plain text that merely looks like markup is escaped with backslashes on the
way out, so that it survives a round trip.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from callout.sandbox.jira.adf import document

if TYPE_CHECKING:
    from callout.sandbox.jira.model import JsonObject

_WRAP = {"strong": "*{}*", "em": "_{}_", "code": "{{{{{}}}}}", "strike": "-{}-", "underline": "+{}+"}
_MARK_OF = {"*": "strong", "_": "em", "-": "strike", "+": "underline"}
_PANELS = {"info": "info", "note": "note", "tip": "tip", "warning": "warning"}
_INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~h])"
    r"|&#(?P<entity>\d{1,7});"
    r"|\{\{(?P<code>[^{}\n]+)\}\}"
    r"|\{(?P<braced>[*_\-+])\}(?P<within>[^\n]+?)\{(?P=braced)\}"
    r"|\[~accountid:(?P<mention>[^\]\s]+)\]"
    r"|\[(?P<label>[^\]|\n]+)\|(?P<href>[^\]|\s]+)\]"
    r"|\[(?P<bare>(?:https?://|mailto:)[^\]\s|]+)\]"
    r"|(?<![\w*_\-+])(?P<mark>[*_\-+])(?P<inner>[^\s*_\-+\n](?:[^\n]*?[^\s\n\\])?)(?P=mark)(?![\w*_\-+])"
)
_HEADING = re.compile(r"h([1-6])\. +(.*)")
_ITEM = re.compile(r"([*#]+|-) +(.*)")
_FENCE = re.compile(r"\{(code|noformat)(?::([^}]*))?\}(.*)")
_BOX = re.compile(r"\{(quote|panel|info|note|tip|warning)(?::[^}]*)?\}(.*)")
_SPECIAL = re.compile(r"([\\*_\-+{}\[\]|]|&(?=#))")


def to_wiki(doc: JsonObject | None) -> str | None:
    """The wiki markup of a document; None stays None."""
    if doc is None:
        return None
    return "\n\n".join(_block(node) for node in doc["content"])


def _block(node: JsonObject) -> str:  # noqa: PLR0911 - one return per node type reads best
    kind, content, attrs = node["type"], node.get("content", []), node.get("attrs") or {}
    match kind:
        case "paragraph":
            return _escape_line_starts(_inline(content))
        case "heading":
            return f"h{attrs['level']}. {_inline(content)}"
        case "bulletList" | "orderedList":
            return "\n".join(_items(node, ""))
        case "taskList":
            return "\n".join(f"* {_inline(item.get('content', []))}" for item in content)
        case "codeBlock":
            code = "".join(part["text"] for part in content)
            language = attrs.get("language")
            return f"{{code:{language}}}\n{code}\n{{code}}" if language else f"{{code}}\n{code}\n{{code}}"
        case "blockquote":
            return "{quote}\n" + "\n\n".join(_block(child) for child in content) + "\n{quote}"
        case "panel":
            name = _PANELS.get(attrs["panelType"], "panel")
            return f"{{{name}}}\n" + "\n\n".join(_block(child) for child in content) + f"\n{{{name}}}"
        case "rule":
            return "----"
        case "table":
            return "\n".join(_row(row) for row in content)
        case _:
            return "\n\n".join(_block(child) for child in content)


def _items(node: JsonObject, prefix: str) -> list[str]:
    prefix += "*" if node["type"] == "bulletList" else "#"
    lines: list[str] = []
    for item in node["content"]:
        texts: list[str] = []
        nested: list[str] = []
        for child in item["content"]:
            if child["type"] in {"bulletList", "orderedList"}:
                nested += _items(child, prefix)
            else:
                texts.append(_block(child))
        lines += [f"{prefix} " + "\n".join(texts), *nested]
    return lines


def _row(row: JsonObject) -> str:
    line, bar = "", "|"
    for cell in row.get("content", []):
        bar = "||" if cell["type"] == "tableHeader" else "|"
        line += bar + ("\n".join(_block(child) for child in cell.get("content", [])) or " ")
    return line + bar


def _inline(content: list[JsonObject]) -> str:
    return "".join(_inline_node(node) for node in content)


def _inline_node(node: JsonObject) -> str:  # noqa: PLR0911 - one return per node type reads best
    attrs = node.get("attrs") or {}
    match node["type"]:
        case "text":
            return _marked(node)
        case "hardBreak":
            return "\n"
        case "mention":
            return f"[~accountid:{attrs['id']}]"
        case "emoji":
            return str(attrs.get("text") or attrs["shortName"])
        case "inlineCard":
            return f"[{attrs.get('url', '')}]"
        case "date":
            return datetime.fromtimestamp(int(attrs["timestamp"]) / 1000, UTC).date().isoformat()
        case "status":
            return str(attrs["text"])
        case _:
            return ""


def _marked(node: JsonObject) -> str:
    text: str = node["text"]
    marks = {mark["type"]: mark.get("attrs", {}) for mark in node.get("marks", [])}
    if "code" not in marks and parse_inline(text) != [{"type": "text", "text": text}]:
        text = _SPECIAL.sub(r"\\\1", text)
    for name, wrap in _WRAP.items():
        if name in marks:
            text = wrap.format(text)
    if "link" in marks:
        href = marks["link"]["href"]
        text = f"[{href}]" if node["text"] == href else f"[{text}|{href}]"
    return text


def _escape_line_starts(text: str) -> str:
    return "\n".join("\\" + line if _structure([line]) else line for line in text.split("\n"))


def from_wiki(text: str | None) -> JsonObject | None:
    """The document of a wiki text; None and the empty text are no document."""
    return document(*_blocks(text.replace("\r\n", "\n").split("\n"))) if text else None


def _blocks(lines: list[str]) -> list[JsonObject]:
    blocks: list[JsonObject] = []
    paragraph: list[str] = []

    def close() -> None:
        if paragraph:
            blocks.append({"type": "paragraph", "content": parse_inline("\n".join(paragraph))})
            paragraph.clear()

    index = 0
    while index < len(lines):
        taken = _structure(lines[index:])
        if taken is None:
            if lines[index].strip():
                paragraph.append(lines[index])
            else:
                close()
            index += 1
            continue
        close()
        block, count = taken
        blocks.append(block)
        index += count
    close()
    return blocks


def _structure(lines: list[str]) -> tuple[JsonObject, int] | None:  # noqa: PLR0911 - one return per construct
    line = lines[0]
    if found := _HEADING.fullmatch(line):
        content = parse_inline(found[2])
        return {"type": "heading", "attrs": {"level": int(found[1])}, "content": content}, 1
    if line.strip() == "----":
        return {"type": "rule"}, 1
    if found := _FENCE.fullmatch(line):
        return _fenced(lines, found)
    if found := _BOX.fullmatch(line):
        return _boxed(lines, found)
    if _ITEM.fullmatch(line):
        count = next((n for n, other in enumerate(lines) if not _ITEM.fullmatch(other)), len(lines))
        found_items = [_ITEM.fullmatch(other) for other in lines[:count]]
        return _list([(match[1].replace("-", "*"), match[2]) for match in found_items if match], 1), count
    if line.startswith("|") and line.rstrip().endswith("|"):
        count = next((n for n, other in enumerate(lines) if not other.startswith("|")), len(lines))
        return {"type": "table", "content": [_cells(other) for other in lines[:count]]}, count
    return None


def _fenced(lines: list[str], opening: re.Match[str]) -> tuple[JsonObject, int]:
    closing = "{" + opening[1] + "}"
    body: list[str] = []
    count = len(lines)
    rest = [opening[3], *lines[1:]]
    for number, line in enumerate(rest):
        if closing in line:
            body.append(line.partition(closing)[0])
            count = number + 1
            break
        body.append(line)
    code = "\n".join(body).strip("\n")
    node: JsonObject = {"type": "codeBlock", "content": [{"type": "text", "text": code}] if code else []}
    if opening[2]:
        node["attrs"] = {"language": opening[2].split("|")[0]}
    return node, count


def _boxed(lines: list[str], opening: re.Match[str]) -> tuple[JsonObject, int]:
    closing = "{" + opening[1] + "}"
    body: list[str] = []
    count = len(lines)
    for number, line in enumerate([opening[2], *lines[1:]]):
        if closing in line:
            body.append(line.partition(closing)[0])
            count = number + 1
            break
        body.append(line)
    content = [_demoted(block) for block in _blocks(body)] or [{"type": "paragraph", "content": []}]
    if opening[1] == "quote":
        return {"type": "blockquote", "content": content}, count
    panel = opening[1] if opening[1] in _PANELS else "info"
    return {"type": "panel", "attrs": {"panelType": panel}, "content": content}, count


def _demoted(block: JsonObject) -> JsonObject:
    """What may not stand inside a quote or a panel becomes a paragraph with the same words."""
    if block["type"] in {"paragraph", "bulletList", "orderedList", "codeBlock"}:
        return block
    return {"type": "paragraph", "content": parse_inline(_block(block).removeprefix("h"))}


def _list(items: list[tuple[str, str]], depth: int) -> JsonObject:
    kind = "bulletList" if items[0][0][depth - 1] == "*" else "orderedList"
    nodes: list[JsonObject] = []
    index = 0
    while index < len(items):
        marker, text = items[index]
        content: list[JsonObject] = []
        if len(marker) <= depth:
            content.append({"type": "paragraph", "content": parse_inline(text)})
            index += 1
        nested_end = index
        while nested_end < len(items) and len(items[nested_end][0]) > depth:
            nested_end += 1
        if nested_end > index:
            content.append(_list(items[index:nested_end], depth + 1))
            index = nested_end
        nodes.append({"type": "listItem", "content": content})
    return {"type": kind, "content": nodes}


def _cells(line: str) -> JsonObject:
    cells: list[JsonObject] = []
    for bars, text in re.findall(r"(\|\|?)((?:\[[^\]]*\]|[^|])*)", line.rstrip().rstrip("|")):
        kind = "tableHeader" if bars == "||" else "tableCell"
        cells.append(
            {"type": kind, "content": [{"type": "paragraph", "content": parse_inline(text.strip())}]}
        )
    return {"type": "tableRow", "content": cells}


def parse_inline(text: str, marks: tuple[str, ...] = ()) -> list[JsonObject]:
    """The inline nodes of one paragraph's markup; newlines become hard breaks."""
    nodes: list[JsonObject] = []
    position = 0
    for found in _INLINE.finditer(text):
        _add_text(nodes, text[position : found.start()], marks)
        position = found.end()
        if found["escaped"] is not None:
            _add_text(nodes, found["escaped"], marks)
        elif found["entity"] is not None:
            _add_text(nodes, html.unescape(f"&#{found['entity']};"), marks)
        elif found["braced"] is not None:
            nodes += parse_inline(found["within"], (*marks, _MARK_OF[found["braced"]]))
        elif found["code"] is not None:
            nodes.append({"type": "text", "text": found["code"], "marks": [{"type": "code"}]})
        elif found["mention"] is not None:
            nodes.append({"type": "mention", "attrs": {"id": found["mention"]}})
        elif found["mark"] is not None:
            nodes += parse_inline(found["inner"], (*marks, _MARK_OF[found["mark"]]))
        else:
            href = found["href"] or found["bare"]
            link = [*({"type": name} for name in marks), {"type": "link", "attrs": {"href": href}}]
            nodes.append({"type": "text", "text": found["label"] or href, "marks": link})
    _add_text(nodes, text[position:], marks)
    return nodes


def _add_text(nodes: list[JsonObject], text: str, marks: tuple[str, ...]) -> None:
    for number, line in enumerate(text.split("\n")):
        if number:
            nodes.append({"type": "hardBreak"})
        if not line:
            continue
        styled = [{"type": name} for name in dict.fromkeys(marks)]
        node: JsonObject = {"type": "text", "text": line, **({"marks": styled} if styled else {})}
        if nodes and nodes[-1]["type"] == "text" and nodes[-1].get("marks") == node.get("marks"):
            nodes[-1] = {**nodes[-1], "text": nodes[-1]["text"] + line}
        else:
            nodes.append(node)

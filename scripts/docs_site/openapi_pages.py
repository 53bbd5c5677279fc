"""The reference of the API, read from the document that the running application answers: one page per group, one of the types."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from callout.bootstrap.core import open_core
from callout.bootstrap.settings import Settings
from callout.bootstrap.web import build_web
from callout.bootstrap.wiring import wire
from scripts.docs_site.markdown import cell, page, table

FOLDER: Final = "reference/api"
NOT_BUILT: Final = "not built"
Json = Mapping[str, Any]


def pages() -> Mapping[str, str]:
    """Return path → Markdown of every page of the reference."""
    whole, engine = asyncio.run(described())
    groups: dict[str, list[tuple[str, str, Json]]] = {}
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(
                (method.upper(), path, operation)
            )
    opened_by_integration = set(engine["paths"])
    made = {
        f"{FOLDER}/{file_of(tag)}.md": page(
            heading(tag), opened_by(operations, opened_by_integration), *(told(*one) for one in operations)
        )
        for tag, operations in groups.items()
    }
    made[f"{FOLDER}/types.md"] = page("Types", *types(whole["components"]["schemas"]))
    made[f"{FOLDER}/index.md"] = index(groups, opened_by_integration)
    return made


async def described() -> tuple[Json, Json]:
    """Return what an installation answers when it is asked to describe its API, whole and the part for integrations' tokens."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_core(Settings(data_dir=Path(folder))) as core:
            wired = wire(core)
            transport = httpx.ASGITransport(build_web(wired))
            try:
                async with httpx.AsyncClient(transport=transport, base_url="http://callout.invalid") as http:
                    whole = await http.get("/v1/meta/openapi")
                    engine = await http.get("/v1/meta/openapi/engine")
            finally:
                await wired.connections.close()
    return whole.raise_for_status().json(), engine.raise_for_status().json()


def index(groups: Mapping[str, list[tuple[str, str, Json]]], opened_by_integration: set[str]) -> str:
    """Return the first page: every operation there is, by group."""
    parts = []
    for tag, operations in groups.items():
        rows = [
            (f"[`{method} {path}`]({file_of(tag)}.md#{anchor(operation)})", cell(operation["summary"]))
            for method, path, operation in operations
        ]
        parts.append(
            f"## {heading(tag)}\n\n{opened_by(operations, opened_by_integration)}\n\n{table(('Call', 'What'), rows)}"
        )
    names = [file_of(tag) for tag in groups]
    return page(
        "API",
        "Made from the OpenAPI document that the application answers at `/v1/meta/openapi`; nothing on these pages is written by hand. "
        "What the calls mean, with examples: [the unified API](../../api.md) and [the management API](../../management-api.md). "
        "Every call wants `Authorization: Bearer TOKEN`, unless it says otherwise. Errors are [Problems](#type-problem).",
        *parts,
        "\n".join(["```{toctree}", ":hidden:", "", *names, "types", "```"]),
    )


def heading(tag: str) -> str:
    """Return a group's title."""
    return tag[0].upper() + tag[1:]


def file_of(tag: str) -> str:
    """Return the name of a group's page, without its ending."""
    return re.sub(r"[^a-z0-9]+", "-", tag.lower()).strip("-")


def anchor(operation: Json) -> str:
    """Return the name by which an operation is linked to."""
    return "op-" + re.sub(r"[^a-z0-9]+", "-", operation["operationId"].lower()).strip("-")


def opened_by(operations: Iterable[tuple[str, str, Json]], opened_by_integration: set[str]) -> str:
    """Return whose token opens a group of operations."""
    by_integration = {path in opened_by_integration for _, path, _ in operations}
    if by_integration == {True}:
        return "With the token of an integration."
    if by_integration == {False}:
        return "With a token of the organization."
    return "Some with a token of the organization, some with that of an integration."


def told(method: str, path: str, operation: Json) -> str:
    """Return what is said about one operation."""
    summary, description = text(operation["summary"]), text(operation.get("description", ""))
    parts = [f"({anchor(operation)})=\n## `{method} {path}`"]
    parts += [
        one
        for one in (summary, description)
        if one and not (one is summary and description.startswith(summary.rstrip(".")))
    ]
    parameters = [
        (
            f"`{one['name']}`",
            one["in"] + (", required" if one.get("required") else ""),
            type_of(one["schema"]),
            cell(one.get("description", "")),
        )
        for one in operation.get("parameters", [])
    ]
    parts.append(table(("Parameter", "Where", "Type", "What"), parameters))
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Body, `{kind}`: {type_of(content.get('schema', {}))}")
    answers = [
        f"{status}: {of_answer(one)}"
        for status, one in sorted(operation["responses"].items())
        if status.startswith("2")
    ]
    parts.append(f"Answers {'; '.join(answers)}." if answers else "")
    refused = sorted(status for status in operation["responses"] if not status.startswith("2"))
    if refused:
        parts.append(f"Or a [Problem](#type-problem): {', '.join(refused)}.")
    return "\n\n".join(part for part in parts if part)


def of_answer(answer: Json) -> str:
    """Return the types of an answer's body."""
    kinds = answer.get("content", {})
    return "; ".join(f"`{kind}` {type_of(one.get('schema', {}))}" for kind, one in kinds.items()) or "no body"


def types(schemas: Mapping[str, Json]) -> Iterator[str]:
    """Yield a section per type."""
    for name, schema in sorted(schemas.items(), key=lambda one: one[0].lower()):
        lines = [f"({anchor_of_type(name)})=\n## {name}"]
        if schema.get("description"):
            lines.append(text(schema["description"]))
        required = schema.get("required", [])
        rows = [
            (
                f"`{field}`" + (", required" if field in required else ""),
                type_of(one),
                cell(" ".join(filter(None, [one.get("description", ""), limits(one)]))),
            )
            for field, one in schema.get("properties", {}).items()
        ]
        lines.append(table(("Field", "Type", "What"), rows) or f"{type_of(schema)} {limits(schema)}".strip())
        yield "\n\n".join(lines)


def anchor_of_type(name: str) -> str:
    """Return the name by which a type is linked to."""
    return "type-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def type_of(schema: Json) -> str:
    """Return a schema in a few words, with links to the types it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor_of_type(name)})"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(type_of(one) for one in schema[word]))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {type_of(schema['additionalProperties'])}"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{words} ({schema['format']})" if "format" in schema else words


LIMITS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches `{}`",
    "default": "default `{}`",
}


def limits(schema: Json) -> str:
    """Return what a value must keep to, in words."""
    said = [
        words.format(schema[name])
        for name, words in LIMITS.items()
        if schema.get(name) not in (None, "", [], {})
    ]
    return f"({', '.join(said)})" if said else ""


def text(description: str) -> str:
    """Return a description as Markdown."""
    said = description.strip().replace("<", "&lt;")
    return f"{said}." if said and said[-1] not in ".:`" and "\n" not in said else said

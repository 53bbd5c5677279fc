"""List what the product is made of: python scripts/sbom.py [--check]

Writes `sbom.cdx.json` (CycloneDX 1.6: name, version, licence and hashes of every locked package, who needs whom) and the tables of
docs/dependencies.md; `--check` only says whether those are up to date. Versions are those of the lock, licences those that the
installed packages state. Fails for a licence that is not allowed, and for a direct dependency for which no reason is given.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
BOM: Final = ROOT / "sbom.cdx.json"
PAGE: Final = ROOT / "docs" / "dependencies.md"
BEGIN: Final = "<!-- made by scripts/sbom.py: begin -->"
END: Final = "<!-- made by scripts/sbom.py: end -->"
LOCKED: Final = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)((?:.*\\\n)*.*)", re.MULTILINE)
HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")

ALLOWED: Final = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"}
)
IN_EXTRAS: Final = frozenset({"LGPL-3.0-only"})
"""Allowed besides in what an operator asks for by name: psycopg, in the extra `postgres` (decision 0004)."""
OF_TEXT: Final[Mapping[str, str]] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "MIT License OR Apache Software License": "MIT OR Apache-2.0",
}
"""What packages without an SPDX expression write → what it means."""
READ: Final[Mapping[str, str]] = {
    "httpx-aiohttp": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "uvloop": "MIT OR Apache-2.0",
}
"""Licences read in the packages' own licence files, where their metadata say too little."""

WHY: Final[Mapping[str, str]] = {
    "aiohttp": "sends webhooks; carries the calls to vendors",
    "alembic": "migrations of the database",
    "argon2-cffi": "hashes of passwords",
    "asyncpg": "PostgreSQL",
    "click": "the command line",
    "cryptography": "encrypted credentials, the seal of the audit record",
    "fastapi": "the API and its description",
    "httptools": "reads HTTP for uvicorn",
    "httpx": "the calls to vendors",
    "httpx-aiohttp": "httpx over aiohttp, five times faster at fifty connections",
    "jinja2": "the dashboard's pages",
    "markdown-it-py": "reads Markdown, for every vendor's dialect of text",
    "opentelemetry-api": "traces; does nothing until an SDK is installed",
    "opentelemetry-exporter-otlp-proto-http": "sends traces to a collector",
    "opentelemetry-sdk": "makes the traces",
    "orjson": "JSON on the intake of webhooks",
    "procrastinate": "work of several processes on PostgreSQL",
    "prometheus-client": "metrics",
    "psycopg": "the PostgreSQL driver of Procrastinate",
    "pydantic": "checks requests and settings",
    "pyjwt": "tokens that vendors and sign-in providers sign",
    "python-multipart": "forms and uploads",
    "rich": "progress bars",
    "sqlalchemy": "tables and statements",
    "starlette": "plain routes: webhooks, chat, pages",
    "structlog": "logs",
    "uvicorn": "the HTTP server",
    "uvloop": "a faster event loop",
    "wsproto": "WebSockets of the Slack twin",
}
"""Direct dependency → what it is for; decisions 0001 to 0005 say why this one and not another."""


class NotAllowedError(Exception):
    """The list cannot be made; the words say what is to be decided."""


@dataclass(frozen=True, slots=True)
class Package:
    """One locked package."""

    name: str
    version: str
    licence: str
    extra: str
    """The extra that brings it; empty in the default install."""
    needs: tuple[str, ...]
    hashes: tuple[str, ...]


def packages() -> list[Package]:
    """Return all that the product and its extras run with. Raises NotAllowedError."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    locked = _locked("dev")
    reached = _reached(project["dependencies"], set(locked))
    if reached.keys() != _locked("runtime").keys():
        raise NotAllowedError(f"not as locked: {sorted(reached.keys() ^ _locked('runtime').keys())}")
    found = {name: _package(name, locked[name], extra="", among=reached) for name in reached}
    for extra, wanted in project["optional-dependencies"].items():
        more = _reached([*project["dependencies"], *wanted], set(locked))
        for name in more.keys() - found.keys():
            found[name] = _package(name, locked[name], extra=extra, among=more)
    direct = [
        *project["dependencies"],
        *(one for wanted in project["optional-dependencies"].values() for one in wanted),
    ]
    if unexplained := {_name(one) for one in direct} - WHY.keys():
        raise NotAllowedError(f"scripts/sbom.py does not say what these are for: {sorted(unexplained)}")
    for one in found.values():
        if not allowed(one.licence, ALLOWED | (IN_EXTRAS if one.extra else set())):
            raise NotAllowedError(
                f"{one.name} is under {one.licence!r}, which is not among the allowed licences"
            )
    return sorted(found.values(), key=lambda one: one.name)


def allowed(licence: str, those: Iterable[str]) -> bool:
    """True when an SPDX expression can be kept with licences out of `those` alone."""
    good = set(those)
    inner = re.sub(r"\(([^()]*)\)", lambda part: "yes" if allowed(part[1], good) else "no", licence)
    return any(
        all(one.strip() in good | {"yes"} for one in way.split(" AND ")) for way in inner.split(" OR ")
    )


def _locked(name: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return name → version and hashes of a lock file; of several versions for several Pythons, the newest."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return {
        canonicalize_name(found[1]): (found[2], tuple(HASH.findall(found[3])))
        for found in LOCKED.finditer(text)
    }


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def _needs(name: str, extras: Iterable[str]) -> list[Requirement]:
    """Return what an installed package needs, whatever the platform, with what some of its extras want."""
    wanted = [Requirement(one) for one in metadata.requires(name) or []]
    return [
        one
        for one in wanted
        if one.marker is None
        or "extra" not in str(one.marker)
        or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def _reached(wanted: Iterable[str], locked: set[str]) -> dict[str, set[str]]:
    """Return all that some requirements bring with them: name → which of its extras are wanted."""
    reached: dict[str, set[str]] = {}
    queue = [Requirement(one) for one in wanted]
    while queue:
        one = queue.pop()
        name = canonicalize_name(one.name)
        if name in locked and (name not in reached or one.extras - reached[name]):
            reached[name] = reached.get(name, set()) | one.extras
            queue += _needs(name, reached[name])
    return reached


def _package(
    name: str, pinned: tuple[str, tuple[str, ...]], *, extra: str, among: Mapping[str, set[str]]
) -> Package:
    version, hashes = pinned
    needs = {canonicalize_name(one.name) for one in _needs(name, among[name])} & among.keys()
    return Package(name, version, licence_of(name), extra, tuple(sorted(needs - {name})), hashes)


def licence_of(name: str) -> str:
    """Return the licence of an installed package as an SPDX expression."""
    if name in READ:
        return READ[name]
    told = metadata.metadata(name).json
    classes = [
        one.rpartition(" :: ")[2] for one in told.get("classifier", []) if one.startswith("License ::")
    ]
    text = str(told.get("license_expression") or told.get("license") or " OR ".join(classes))
    return OF_TEXT.get(text, text)


def tables(found: Iterable[Package]) -> str:
    """Return the generated part of the page."""
    by_extra: dict[str, list[Package]] = {}
    for one in found:
        by_extra.setdefault(one.extra, []).append(one)
    parts = []
    for extra, some in sorted(by_extra.items()):
        parts.append(f"## With `callout[{extra}]` besides" if extra else "## The default install")
        needed_by = {one.name: [other.name for other in some if one.name in other.needs] for one in some}
        rows = [
            f"| {one.name} | {one.version} | {one.licence} | {WHY.get(one.name) or 'for ' + ', '.join(needed_by[one.name])} |"
            for one in some
        ]
        parts.append(
            "\n".join(["| Package | Version | Licence | What for |", "| --- | --- | --- | --- |", *rows])
        )
    return "\n\n".join(parts)


def page(found: Iterable[Package]) -> str:
    """Return the page with its generated part renewed."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables(found)}\n\n{END}{rest.partition(END)[2]}"


def document(found: Iterable[Package], version: str) -> str:
    """Return the CycloneDX document, checked against its schema. Raises NotAllowedError."""
    licences = LicenseFactory()
    bom = Bom()
    callout = Component(
        name="callout",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="callout",
        licenses=[licences.make_from_string("Apache-2.0")],
        purl=PackageURL("pypi", name="callout", version=version),
    )
    bom.metadata.component = callout
    components = {one.name: _component(one, licences) for one in found}
    for component in components.values():
        bom.components.add(component)
    direct = [component for name, component in components.items() if name in WHY]
    bom.register_dependency(callout, direct)
    for one in found:
        bom.register_dependency(components[one.name], [components[need] for need in one.needs])
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise NotAllowedError(f"the document is not CycloneDX 1.6: {wrong}")
    return text + "\n"


def _component(one: Package, licences: LicenseFactory) -> Component:
    index = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(f"https://pypi.org/project/{one.name}/{one.version}/"),
        comment=f"of the extra {one.extra}" if one.extra else None,
        hashes=[HashTypeFactory().from_hashlib_alg("sha256", digest) for digest in one.hashes],
    )
    return Component(
        name=one.name,
        version=one.version,
        bom_ref=f"{one.name}@{one.version}",
        licenses=[licences.make_from_string(one.licence)],
        purl=PackageURL("pypi", name=one.name, version=one.version),
        external_references=[index],
    )


def main(arguments: list[str]) -> int:
    """Write both, or check the page; exit status."""
    found = packages()
    made = page(found)
    if arguments == ["--check"]:
        if PAGE.read_text() != made:
            print("docs/dependencies.md is not what the lock says: make sbom")
            return 1
        return 0
    PAGE.write_text(made)
    BOM.write_text(document(found, metadata.version("callout")))
    print(f"{BOM.name}: {len(found)} packages; {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NotAllowedError as error:
        sys.exit(str(error))

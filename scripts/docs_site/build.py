"""Build the documentation's site: python -m scripts.docs_site.build [FOLDER | --check]

Strict: a link or an anchor that leads nowhere, and a page that docs/index.md does not lead to, fail the build. The pages are docs/,
the README, and the references of API and command line, which are made from the program. The site asks no other host for anything.
`--check` judges all of it and writes nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scripts.docs_site import cli_pages, openapi_pages
from scripts.docs_site.markdown import page
from scripts.docs_site.render import judge, render

ROOT: Final = Path(__file__).parents[2]
SITE: Final = ROOT / "site"
LINK: Final = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")
FENCE: Final = re.compile(r"(^```.*?^```|<!--.*?-->)", re.MULTILINE | re.DOTALL)
ENTRY: Final = re.compile(r"^- (\[[^\]]*\])\(([^)\s#]+)\)", re.MULTILINE)
ONLY_HERE: Final = re.compile(r"<!-- on the site: (.*?) -->")
"""In docs/index.md: a page that is made, which a reader of the plain files does not have."""
SECTION: Final = re.compile(r"^(?=## )", re.MULTILINE)
STATE: Final = "What works today"
APART: Final = frozenset({STATE, "More"})
"""Sections of the README that are no part of the quick start: a page of its own, and what the navigation says."""
TOCTREE: Final = "```{{toctree}}\n:hidden:\n:glob:\n{}\n{}\n```"
PLACES: Final[Mapping[str, str]] = {
    "README.md": "quick-start.md",
    "README.md#what-works-today": "what-works.md",
    "contrib/README.md": "contrib.md",
    "SECURITY.md": "reporting.md",
    "docs/decisions": "decisions/index.md",
}
"""Where on the site is what lies elsewhere in the project; what docs/ holds keeps its place."""


class DocumentsError(Exception):
    """The documents cannot become a site; the words say what to do."""


def build(site: Path = SITE) -> int:
    """Build the site into a folder; exit status. Raises DocumentsError."""
    with tempfile.TemporaryDirectory(prefix="callout-docs-") as folder:
        staged = Path(folder) / "docs"
        stage(staged)
        shutil.rmtree(site, ignore_errors=True)
        return render(staged, site)


def check() -> int:
    """Judge what would become the site; exit status. Raises DocumentsError."""
    with tempfile.TemporaryDirectory(prefix="callout-docs-") as folder:
        staged = Path(folder) / "docs"
        stage(staged)
        return judge(staged)


def stage(folder: Path) -> None:
    """Write every page of the site, and the files that they link to, into a folder."""
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.is_file():
            place = place_of(path.relative_to(ROOT).as_posix())
            write(folder / place, moved(path, folder) if path.suffix == ".md" else path.read_bytes())
    for name in ("contrib/README.md", "SECURITY.md"):
        write(folder / PLACES[name], moved(ROOT / name, folder))
    for place, text in {**of_readme(folder), **cli_pages.pages(), **openapi_pages.pages()}.items():
        write(folder / place, text)
    write(folder / "decisions/index.md", decisions())
    index = ONLY_HERE.sub(r"\1", (folder / "index.md").read_text())
    write(folder / "index.md", index + navigation(index))


def write(path: Path, content: str | bytes) -> None:
    """Write a file, with the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def place_of(path: str) -> str:
    """Return where on the site a file of the project is."""
    return PLACES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}")


def moved(path: Path, folder: Path, text: str | None = None, place: str = "") -> str:
    """Return a document with its links as they are from its place on the site; other files of the project come along.

    Raises DocumentsError for a link to what does not exist.
    """
    here = Path(place or place_of(path.relative_to(ROOT).as_posix())).parent

    def relink(found: re.Match[str]) -> str:
        words, link = found.groups()
        target, mark, fragment = link.partition("#")
        if not target or "://" in target or target.startswith("mailto:"):
            return found[0]
        file = (path.parent / target).resolve()
        if not file.exists() or not file.is_relative_to(ROOT):
            raise DocumentsError(f"{path.relative_to(ROOT)} links to {target}, which does not exist")
        name = file.relative_to(ROOT).as_posix()
        if f"{name}#{fragment}" in PLACES:
            name, mark, fragment = f"{name}#{fragment}", "", ""
        to = place_of(name)
        if to.startswith("files/") and file.is_file():
            write(folder / to, file.read_bytes())
        return f"{words}({os.path.relpath(to, here)}{mark}{fragment})"

    pieces = FENCE.split(path.read_text() if text is None else text)
    return "".join(piece if number % 2 else LINK.sub(relink, piece) for number, piece in enumerate(pieces))


def of_readme(folder: Path) -> Mapping[str, str]:
    """Return the pages that the README's sections are."""
    readme = ROOT / "README.md"
    first, *sections = SECTION.split(readme.read_text())
    by_title = {section.partition("\n")[0].removeprefix("## "): section for section in sections}
    if not by_title.keys() >= APART:
        raise DocumentsError(f"README.md has no longer all of the sections {sorted(APART)}")
    start = "".join(section for title, section in by_title.items() if title not in APART)
    state = by_title[STATE].partition("\n")[2]
    moved(readme, folder)  # the links of those sections too that do not appear
    return {
        "quick-start.md": moved(readme, folder, "# Quick start\n" + first.partition("\n")[2] + start),
        "what-works.md": moved(readme, folder, f"# {STATE}\n{state}", "what-works.md"),
    }


def decisions() -> str:
    """Return the list of decisions."""
    rows = []
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title = path.read_text().partition("\n")[0].removeprefix("# ").removeprefix(f"{path.stem[:4]}: ")
        rows.append(f"- {path.stem[:4]} [{title}]({path.name})")
    return page(
        "Decisions", "What was chosen, and why; newest last.", "\n".join(rows), TOCTREE.format("", "[0-9]*")
    )


def navigation(index: str) -> str:
    """Return the site's navigation: each section of docs/index.md with the pages that its list leads to."""
    trees = []
    for section in SECTION.split(index)[1:]:
        title, _, body = section.partition("\n")
        entries = [target.removesuffix(".md") for _, target in ENTRY.findall(body)]
        trees.append(TOCTREE.format(f":caption: {title.removeprefix('## ')}\n", "\n".join(entries)))
    return "\n" + "\n\n".join(trees) + "\n"


if __name__ == "__main__":
    try:
        sys.exit(
            check() if sys.argv[1:] == ["--check"] else build(Path(sys.argv[1]) if sys.argv[1:] else SITE)
        )
    except DocumentsError as error:
        sys.exit(str(error))

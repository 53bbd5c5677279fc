"""From a folder of Markdown pages to a site, with Sphinx at its strictest: python -m scripts.docs_site.render PAGES [SITE]"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from sphinx.cmd.build import main as sphinx

from scripts.docs_site import alone

SETTINGS: Final = Path(__file__).parent


def render(pages: Path, site: Path) -> int:
    """Make a site of a folder of pages; exit status, which is not 0 for a single warning, or something from elsewhere."""
    status = _sphinx("html", pages, site)
    alone.set_apart(site)
    complaints = list(alone.complaints(site))
    print("".join(f"{complaint}\n" for complaint in complaints), end="", file=sys.stderr)
    return status or int(bool(complaints))


def judge(pages: Path) -> int:
    """Read a folder of pages as a site is made of them, in a third of the time, and write nothing; exit status as `render`."""
    return _sphinx("dummy", pages, pages.with_suffix(".out"))


def _sphinx(builder: str, pages: Path, out: Path) -> int:
    strict = ["--fail-on-warning", "--keep-going", "--quiet"]
    doctrees = str(pages.with_suffix(".doctrees"))
    return int(sphinx([*strict, "-d", doctrees, "-c", str(SETTINGS), "-b", builder, str(pages), str(out)]))


if __name__ == "__main__":
    folders = [Path(one) for one in sys.argv[1:]]
    sys.exit(render(*folders) if len(folders) == 2 else judge(*folders))

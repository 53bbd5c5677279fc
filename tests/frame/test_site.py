"""The documentation's site: every link and anchor leads somewhere, every page is in the navigation, nothing comes from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from callout.cli import COMMANDS
from scripts.docs_site import alone, cli_pages, openapi_pages

ROOT = Path(__file__).parents[2]
INDEX = """# Index

[One](one.md#there)

```{toctree}
one
```
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's folder; Sphinx in a process of its own warns as it likes."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=150
    )


def pages(folder: Path, **texts: str) -> Path:
    (folder / "pages").mkdir()
    for name, text in texts.items():
        (folder / "pages" / f"{name}.md").write_text(text)
    return folder / "pages"


@pytest.mark.timeout(160)  # ten seconds on a machine that does nothing else
def test_the_documents_become_a_site_without_a_warning() -> None:
    done = python("-m", "scripts.docs_site.build", "--check")
    assert done.stderr == ""
    assert done.returncode == 0


def test_every_picture_is_shown_and_all_are_small() -> None:
    folder = ROOT / "docs" / "images"
    text = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    unused = [path.name for path in folder.iterdir() if f"images/{path.name})" not in text]
    assert unused == []
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000


def test_what_is_broken_is_told(tmp_path: Path) -> None:
    broken = pages(
        tmp_path,
        index=INDEX,
        one="# One\n\n[nowhere](gone.md), ![no picture](gone.png)\n",
        forgotten="# Forgotten\n",
    )
    done = python("-m", "scripts.docs_site.render", str(broken))
    assert done.returncode == 1
    for said in ("'gone.md'", "gone.png", "'there'", "isn't included in any toctree"):
        assert said in done.stderr
    assert done.stderr.count("WARNING") == 4


def test_a_site_stands_alone(tmp_path: Path) -> None:
    some = pages(tmp_path, index=INDEX, one="# One\n\n## There\n\n```python\nprint(1)\n```\n")
    done = python("-m", "scripts.docs_site.render", str(some), str(tmp_path / "site"))
    assert (done.returncode, done.stderr) == (0, "")
    assert list(alone.complaints(tmp_path / "site")) == []
    assert '<script src="_static/inline.js"></script>' in (tmp_path / "site" / "one.html").read_text()
    assert "localStorage" in (tmp_path / "site" / "_static" / "inline.js").read_text()


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "<script> from https://cdn.example/x.js"),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', "<link> from //fonts.example/x.css"),
        ('<img src="http://elsewhere.example/x.png">', "<img> from http://elsewhere.example/x.png"),
        ("<script>let x</script>", "inline <script>"),
        ('<p style="color: red">', "<p style>"),
        ('<p onclick="go()">', "<p onclick>"),
    ],
)
def test_what_comes_from_elsewhere_or_stands_inline_is_told(
    tmp_path: Path, written: str, complaint: str
) -> None:
    (tmp_path / "x.html").write_text(f'<a href="https://elsewhere.example">fine</a>{written}')
    assert list(alone.complaints(tmp_path)) == [f"x.html: {complaint}"]


def test_the_reference_holds_every_call_and_command() -> None:
    made = {**openapi_pages.pages(), **cli_pages.pages()}
    assert "## `PATCH /v1/incidents/{incident}`" in made["reference/api/incidents.md"]
    assert "## `GET /v1/ticketing/tickets`" in made["reference/api/ticketing.md"]
    calls = sum(text.count("\n(op-") for text in made.values())
    listed = made["reference/api/index.md"].count("| [`")
    assert calls == listed > 150
    for name in COMMANDS:
        assert f"reference/cli/{name}.md" in made
    assert "`--severity" in made["reference/cli/incident.md"]

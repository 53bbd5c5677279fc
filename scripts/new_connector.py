"""Starts a connector: its folder, twin, tests and docs page, from scripts/connector_template/.

    python scripts/new_connector.py NAME [ROOT]

What is made works at once against a twin of a made-up vendor, passes format, lint and types, and inherits the conformance
suite, whose failures are what is left to do. Each `replace:` marks what belongs to the real vendor. No file is overwritten.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).parent / "connector_template"
PROJECT = Path(__file__).parent.parent


class ScaffoldError(Exception):
    """The connector cannot be started; the message says why."""


def files_for(name: str) -> dict[Path, str]:
    """Every file of a new connector by its path in the project. Raises ScaffoldError for a name that cannot be one."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise ScaffoldError(
            f"{name!r} cannot be a connector's name: lower-case words such as opsgenie or azure_devops\n"
            "usage: make new-connector NAME=opsgenie"
        )
    words = [word.capitalize() for word in name.split("_")]
    values = {"name": name, "Title": " ".join(words), "Class": "".join(words)}
    return {
        Path(str(path.relative_to(TEMPLATE)).replace("@name@", name).removesuffix(".txt")): Template(
            path.read_text()
        ).substitute(values)
        for path in sorted(TEMPLATE.rglob("*.txt"))
    }


def write(name: str, root: Path) -> list[Path]:
    """Write the files of connector `name` below `root`; their paths. Raises ScaffoldError if one exists."""
    files = files_for(name)
    if existing := [str(path) for path in files if (root / path).exists()]:
        raise ScaffoldError(f"there is a connector of that name: {', '.join(existing)}")
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    # A long name moves line breaks and the order of imports.
    for tool in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *tool, *files], cwd=root, check=False)
    return list(files)


def main(arguments: list[str]) -> int:
    """Exit status."""
    name, root = [*arguments, "", ""][:2]
    try:
        written = write(name, Path(root) if root else PROJECT)
    except ScaffoldError as error:
        print(error, file=sys.stderr)
        return 2
    for path in written:
        print(f"  {path}")
    print(
        f"""
Next (docs/adding-a-connector.md has the whole walk):
  1. put real payloads into tests/connectors/{name}/fixtures/
  2. name it in src/callout/bootstrap/registry.py and its twin in src/callout/sandbox/registry.py
  3. work through each `replace:`
  4. python -m pytest tests/connectors/{name}"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

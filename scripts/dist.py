"""Builds dist/*.whl and dist/*.tar.gz, and says what is in them: python scripts/dist.py [--try]

With `--try` the wheel is then installed from the runtime lock into a fresh environment, away from the source, and has to
print its version and pass `callout demo --check`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
DEMO_SECONDS = 180


def build() -> Path:
    """Build both archives with the tools of the lock; the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST, ROOT], check=True)
    [wheel] = DIST.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("callout/py.typed", "callout/__main__.py"):
        if needed not in names:
            sys.exit(f"{wheel.name} lacks {needed}")
    if strays := [name for name in names if not name.startswith(("callout/", "callout-"))]:
        sys.exit(f"{wheel.name} holds what is not ours to install: {strays}")
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size // 1024} kB")
    return wheel


def try_out(wheel: Path) -> None:
    """Install `wheel` as an operator would and let it tell its own story."""
    with tempfile.TemporaryDirectory(prefix="callout wheel ") as folder:  # with a space, on purpose
        python = Path(folder) / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "install",
            "--no-deps",
        ]
        subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt"], check=True)
        subprocess.run([*pip, wheel], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        callout = python.with_name("callout")
        for command in (["--version"], ["demo", "--check"]):
            print(f"== installed wheel: callout {' '.join(command)}", flush=True)
            subprocess.run([callout, *command], cwd=folder, env=environment, timeout=DEMO_SECONDS, check=True)


if __name__ == "__main__":
    built = build()
    if "--try" in sys.argv[1:]:
        try_out(built)

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.stories.installation", "tests.stories.people")

EARLIER = "f13118c"
"""The commit whose program works beside the present one; the databases in `fixtures/0008` are of it, too."""


def _in_history() -> bool:
    """Whether there is a history here to take that program from: an unpacked archive has none."""
    asked = ["git", "-C", str(Path(__file__).parent), "cat-file", "-e", f"{EARLIER}^{{commit}}"]
    try:
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


collect_ignore = [] if _in_history() else ["test_beside.py"]


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source of the earlier program."""
    folder = tmp_path_factory.mktemp("earlier")
    packed = folder / "src.tar"
    root = Path(__file__).parents[2]
    subprocess.run(["git", "-C", root, "archive", "-o", packed, EARLIER, "src"], check=True)
    subprocess.run(["tar", "xf", packed, "-C", folder], check=True)
    return folder / "src"

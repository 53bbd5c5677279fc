from __future__ import annotations

import pytest

# Before any test here imports them: their assertions explain themselves, in whatever order folders are collected.
pytest.register_assert_rewrite("tests.stories.installation", "tests.stories.people")

"""What the product is made of is known: every locked package with an allowed licence and a reason, and a CycloneDX document of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts import sbom

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_the_lock_says() -> None:
    assert sbom.PAGE.read_text() == sbom.page(sbom.packages()), "make sbom"


def test_the_document_lists_the_runtime_lock_with_licences_and_hashes() -> None:
    made = json.loads(sbom.document(sbom.packages(), "1.2.3"))
    assert made["specVersion"] == "1.6"
    listed = {(one["name"], one["version"]) for one in made["components"]}
    lock = (ROOT / "requirements" / "runtime.txt").read_text()
    assert set(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, re.MULTILINE)) <= listed
    assert all(one["licenses"] for one in made["components"])
    assert all(one["externalReferences"][0]["hashes"] for one in made["components"])
    needs = {one["ref"]: set(one.get("dependsOn", [])) for one in made["dependencies"]}
    assert any(one.startswith("fastapi@") for one in needs["callout"])
    assert not any(one.startswith("greenlet@") for one in needs["callout"])
    everything = set().union(*needs.values())
    assert {one["bom-ref"] for one in made["components"]} <= everything, (
        "something is there that nobody needs"
    )


@pytest.mark.parametrize(
    ("licence", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("MIT AND (LGPL-3.0-only OR GPL-3.0-only)", False),
        ("", False),
    ],
)
def test_a_licence_is_judged_as_a_whole(licence: str, good: bool) -> None:
    assert sbom.allowed(licence, sbom.ALLOWED) is good


def test_nothing_of_the_default_install_is_lgpl() -> None:
    found = sbom.packages()
    assert {one.name for one in found if "LGPL" in one.licence} == {
        "psycopg",
        "psycopg-binary",
        "psycopg-pool",
    }
    assert not [one.name for one in found if "LGPL" in one.licence and one.extra != "postgres"]

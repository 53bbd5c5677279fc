"""Every mutant of the merge and of the work around it is caught by histories, and the real code is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from callout.sync.simulate.run import CHUNK, played
from tests.sync.simulate.mutants import MUTANTS

WITHIN = 2_000
CAUGHT_AT: Mapping[str, int] = {
    "base_dropped": 0,
    "judged_against_the_others_base": 12,
    "key_search_skipped": 3,
    "lag_ignored": 286,
    "ledger_off": 0,
    "audience_lost_inward": 2,
    "audience_ignored_outward": 5,
    "audience_widened_outward": 2,
    "pending_not_recorded": 11,
    "fold_skipped": 12,
    "sent_taken_for_read_back": 99,
    "echo_pushed_back": 47,
    "many_to_one_status_pushes_back": 99,
    "comments_known_forgotten": 3,
    "comment_mark_ignored": 238,
    "begun_comment_forgotten": 52,
    "begun_creation_forgotten": 3,
    "version_not_sent": 302,
    "old_webhooks_believed": 24,
    "comments_not_polled": 2,
    "others_not_told": 148,
    "trouble_not_tried_again": 124,
    "ours_always_wins": 5,
    "lost_write_taken_for_done": 8,
    "edits_before_finding_forgotten": 3,
    "no_overlap": 0,
    "refused_field_holds_up_the_rest": 144,
    "file_search_skipped": 130,
    "file_echo_pulled_back": 127,
    "file_begun_forgotten": 130,
    "file_known_by_name_only": 198,
    "file_audience_ignored_outward": 0,
    "file_audience_lost_inward": 0,
    "file_in_flight_not_fetched_again": 182,
}
"""Mutant → a seed that catches it, played first. When histories are drawn otherwise one day, all are played from seed 0."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    hint = CAUGHT_AT.get(name, 0)
    if played(hint, hint + 1, {}, stop=True).failed:
        return
    assert any(played(at, at + CHUNK, {}, stop=True).failed for at in range(0, WITHIN, CHUNK))


def test_the_real_code_passes_where_the_mutants_fail() -> None:
    assert len(MUTANTS) >= 20
    assert [played(seed, seed + 1, {}).failed for seed in sorted({*CAUGHT_AT.values(), *range(40)})] == [
        [] for _ in {*CAUGHT_AT.values(), *range(40)}
    ]

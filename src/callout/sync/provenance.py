"""By which rule of the merge a value of theirs came to be ours: kept with the change, so that it can be told later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from callout.incidents.model import person_from_json, person_json
from callout.sync.merge import Resolution, ValueKind

if TYPE_CHECKING:
    from callout.jobs import Job
    from callout.ports.values import Person
    from callout.sync.merge import FieldRule, LinkState, MergeResult


class AppliedRule(StrEnum):
    """Why a merge changed a field of ours."""

    ONLY_THEIRS_CHANGED = "only_theirs_changed"
    FIRST_AGREEMENT = "first_agreement"
    INBOUND_ONLY = "inbound_only"
    EXTERNAL_WINS = "external_wins"
    FURTHER_ALONG = "further_along"
    MERGED = "merged"
    PERSON_DECIDED = "person_decided"

    @property
    def words(self) -> str:
        """What the rule says."""
        return _WORDS[self]


_WORDS: Mapping[AppliedRule, str] = {
    AppliedRule.ONLY_THEIRS_CHANGED: "only their side had changed since both agreed",
    AppliedRule.FIRST_AGREEMENT: "both sides had a value before they were linked",
    AppliedRule.INBOUND_ONLY: "both sides had changed, and the field only comes in",
    AppliedRule.EXTERNAL_WINS: "both sides had changed, and the field's resolution is external",
    AppliedRule.FURTHER_ALONG: "both sides had moved on, and theirs was further along",
    AppliedRule.PERSON_DECIDED: "a person decided a conflict",
    AppliedRule.MERGED: "both sides had changed, and the edits were merged",
}


def words_of(rule: str) -> str:
    """Return what a stored rule says; empty for none, and for one of a newer version."""
    return next((one.words for one in AppliedRule if one.value == rule), "")


def applied_rules(
    before: LinkState, ours: Mapping[str, Any], result: MergeResult, rules: Mapping[str, FieldRule]
) -> dict[str, str]:
    """Return, for each field that a merge changes on our side, the rule that did; `ours` are our values before it."""
    return {name: _rule(before, ours[name], rules[name]).value for name in result.to_ours}


def _rule(before: LinkState, ours: Any, rule: FieldRule) -> AppliedRule:  # noqa: ANN401  # a field's JSON value
    base = before.bases.get(rule.name)
    if base is not None and rule.identity(ours) == rule.identity(base.ours):
        return AppliedRule.ONLY_THEIRS_CHANGED
    if not rule.direction.outbound:
        return AppliedRule.INBOUND_ONLY
    if rule.resolution is Resolution.EXTERNAL:
        return AppliedRule.EXTERNAL_WINS
    if base is None:
        return AppliedRule.FIRST_AGREEMENT
    return AppliedRule.FURTHER_ALONG if rule.kind is ValueKind.PROGRESS else AppliedRule.MERGED


def asked(by: Sequence[tuple[str, Person | None]]) -> dict[str, Any]:
    """Return, for the payload of a visit, which webhooks had it made and who they said had changed the ticket.

    Nobody is named when they named several: a read does not tell who changed what.
    """
    if not by:
        return {}
    people = {person for _, person in by}
    return {"cause": by[-1][0], "actor": person_json(people.pop()) if len(people) == 1 else None}


def cause_of(jobs: Sequence[Job]) -> tuple[str, Person | None]:
    """Return what had a visit made (`webhook:ID`, or its reason in words), and who had changed the ticket, as far as that is known."""
    causes = [str(job.payload.get("cause") or job.payload.get("reason") or "") for job in jobs]
    told = [cause for cause in causes if cause.startswith("webhook:")]
    people = {person_from_json(job.payload.get("actor")) for job in jobs}
    return (told or causes or [""])[-1], people.pop() if len(people) == 1 else None

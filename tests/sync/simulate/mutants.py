"""Seeded mutants of the merge and of the work around it: each a mistake that somebody could make, put into the real functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from callout.incidents import IncidentEdit
from callout.kit.ids import new_id
from callout.ports.values import Audience
from callout.sync import apply as _apply
from callout.sync import changes as _changes
from callout.sync import file_pairs, links, mapping, reactions, trouble
from callout.sync import file_sending as _file_sending
from callout.sync import files as _files
from callout.sync import outcomes as _outcomes
from callout.sync import poll as _poll
from callout.sync import sending as _sending
from callout.sync import visit as _visit
from callout.sync import writing as _writing
from callout.sync.merge import Base, LinkState, Pending
from callout.sync.overwritten import Trace
from callout.sync.simulate import vendor_files as _vendor_files

# Their own names for what they import are changed: of no type that a checker would let us touch.
apply: Any = _apply
changes: Any = _changes
file_sending: Any = _file_sending
files: Any = _files
vendor_files: Any = _vendor_files
outcomes: Any = _outcomes
poll: Any = _poll
sending: Any = _sending
visit: Any = _visit
writing: Any = _writing
merge: Any = import_module("callout.sync.merge")
"""The module: the package's attribute of this name is the function."""
Patch = pytest.MonkeyPatch


def base_dropped(patch: Patch) -> None:
    """What both sides agreed on is forgotten again."""
    real = links._state_of
    patch.setattr(links, "_state_of", lambda data: replace(real(data), bases={}))


def judged_against_the_others_base(patch: Patch) -> None:
    """Theirs counts as changed when it differs from what we would have sent, not from what was read back."""
    real = merge._merge_field

    def field(work: Any, rule: Any, ours: Any, theirs: Any) -> None:
        base = work.bases.get(rule.name)
        if base is not None:
            work.bases[rule.name] = Base(base.ours, rule.encode(base.ours))
        real(work, rule, ours, theirs)

    patch.setattr(merge, "_merge_field", field)


def key_search_skipped(patch: Patch) -> None:
    """A creation of unknown outcome is repeated without looking."""

    async def earlier(self: Any, _visit: Any) -> None:
        return None

    patch.setattr(visit.Visits, "_earlier", earlier)


def lag_ignored(patch: Patch) -> None:
    """What a search does not show is not there."""
    patch.setattr(outcomes, "Findable", SimpleNamespace)


def ledger_off(patch: Patch) -> None:
    """Every poll sees everything as new."""
    real = poll.insert_or_ignore

    def always(tx: Any, table: Any, row: Mapping[str, Any]) -> Any:
        return real(tx, table, {**row, "version": new_id()} if "version" in row else row)

    patch.setattr(poll, "insert_or_ignore", always)


def audience_lost_inward(patch: Patch) -> None:
    """Comments of theirs become notes for everybody."""
    real = IncidentEdit.note

    def note(self: Any, text: str, _audience: Audience, **more: Any) -> Any:
        return real(self, text, Audience.CUSTOMER if more.get("at") else _audience, **more)

    patch.setattr(IncidentEdit, "note", note)


def audience_ignored_outward(patch: Patch) -> None:
    """Internal notes are sent like all others."""
    patch.setattr(visit, "COMMENT_READERS", Audience.INTERNAL)


def audience_widened_outward(patch: Patch) -> None:
    """Notes for responders are written where customers read."""
    real = sending.CommentDraft

    def draft(content: str, *, audience: Audience, **more: Any) -> Any:
        return real(content, audience=Audience.CUSTOMER if audience else audience, **more)

    patch.setattr(sending, "CommentDraft", draft)


def pending_not_recorded(patch: Patch) -> None:
    """A write that was begun is not remembered."""
    real = merge._Merging.push

    def push(self: Any, rule: Any, ours: Any, theirs: Any) -> None:
        real(self, rule, ours, theirs)
        del self.pending[rule.name]

    patch.setattr(merge._Merging, "push", push)


def fold_skipped(patch: Patch) -> None:
    """What was read back after a write does not reach the bases."""
    patch.setattr(writing, "fold", lambda state, _written, _rules, **_more: state)


def sent_taken_for_read_back(patch: Patch) -> None:
    """The base is what was sent, not what the vendor made of it."""
    real = merge.fold

    def fold(state: LinkState, written: Mapping[str, Any], rules: Any, **more: Any) -> LinkState:
        sent = {n: state.pending[n].sent if n in state.pending else v for n, v in written.items()}
        folded: LinkState = real(state, sent, rules, **more)
        return folded

    patch.setattr(writing, "fold", fold)


def echo_pushed_back(patch: Patch) -> None:
    """What was pulled counts as our own change."""
    real = merge._Merging.pull

    def pull(self: Any, rule: Any, theirs: Any) -> None:
        before = self.bases.get(rule.name)
        real(self, rule, theirs)
        if before is not None:
            self.pending[rule.name] = Pending(before.ours, rule.encode(before.ours))

    patch.setattr(merge._Merging, "pull", pull)


def many_to_one_status_pushes_back(patch: Patch) -> None:
    """Their status means exactly one of ours."""

    def same(self: Any, ours: str, theirs: str) -> bool:
        return bool(self._status_in(theirs) == ours)

    patch.setattr(mapping.FieldMappings, "_same_status", same)


def comments_known_forgotten(patch: Patch) -> None:
    """A comment that was taken before is taken again."""
    real = links.pair_comment

    async def pair(tx: Any, link_id: str, one: Any, now: Any) -> None:
        known = one if one.comment_id is None else replace(one, comment_id=new_id())
        await real(tx, link_id, known, now)

    patch.setattr(apply.links, "pair_comment", pair)


def comment_mark_ignored(patch: Patch) -> None:
    """Our own comment, whose answer was lost, is taken for somebody's."""
    real = apply.take_comments

    async def take(tx: Any, edit: Any, link: Any, found: Any, **more: Any) -> Any:
        return await real(tx, edit, link, [(replace(c, mark="x"), a) for c, a in found], **more)

    patch.setattr(visit, "take_comments", take)


def begun_comment_forgotten(patch: Patch) -> None:
    """Nobody remembers that the writing of a comment was begun."""

    async def begin(_tx: Any, **_what: Any) -> None:
        return None

    patch.setattr(sending.links, "begin_comment", begin)


def begun_creation_forgotten(patch: Patch) -> None:
    """Nobody remembers that a creation was begun."""

    async def begun(self: Any, _tx: Any, _visit: Any, _now: Any) -> None:
        return None

    patch.setattr(visit.Visits, "_mark_begun", begun)


def version_not_sent(patch: Patch) -> None:
    """The version is not looked at again before a write."""
    real = writing.TicketPatch

    def made(values: Any, **more: Any) -> Any:
        return real(values, **{**more, "expected_version": ""})

    patch.setattr(writing, "TicketPatch", made)


def history_ignored_after_a_write(patch: Patch) -> None:
    """Nobody looks at what a write took the place of."""
    patch.setattr(writing, "trace", lambda *_what, **_more: Trace())


def old_webhooks_believed(patch: Patch) -> None:
    """A webhook counts however old it is, and in whatever spelling."""
    patch.setattr(changes, "must_read", lambda _link, _told, _rules: False)


def comments_not_polled(patch: Patch) -> None:
    """A visit never asks for comments: a lost webhook stays lost."""
    patch.setattr(visit, "with_comments", lambda _jobs: False)


def others_not_told(patch: Patch) -> None:
    """What comes from one system does not go to the others."""
    real = reactions.HANDLERS["incident.changed"]

    async def changed(context: Any, tx: Any, event: Any) -> None:
        if not event.origin.link_id:
            await real(context, tx, event)

    patch.setitem(reactions.HANDLERS, "incident.changed", changed)


def trouble_not_tried_again(patch: Patch) -> None:
    """After a fault of the vendor nobody comes back."""

    async def never(self: Any, *_what: Any, **_more: Any) -> None:
        return None

    patch.setattr(trouble.Troubles, "visit_at", never)


def ours_always_wins(patch: Patch) -> None:
    """Where both sides changed a field, ours goes out and nothing is said."""

    def both(work: Any, rule: Any, ours: Any, theirs: Any, _base: Any) -> None:
        if rule.same(ours, theirs):
            work.settle(rule.name, ours, theirs)
        else:
            work.push(rule, ours, theirs)

    patch.setattr(merge, "_both_changed", both)


def lost_write_taken_for_done(patch: Patch) -> None:
    """A write whose answer was lost counts as done."""

    def unfinished(work: Any, rule: Any, theirs: Any) -> bool:
        pending = work.pending.pop(rule.name, None)
        if pending is not None:
            work.settle(rule.name, pending.ours, theirs)
        return False

    patch.setattr(merge, "_unfinished_write", unfinished)


def edits_before_finding_forgotten(patch: Patch) -> None:
    """A ticket found after a lost creation counts as untouched."""
    real = apply.draft_bases

    def bases(*given: Any, found_later: bool) -> Any:
        assert found_later in {True, False}
        return real(*given, found_later=False)

    patch.setattr(visit, "draft_bases", bases)


def no_overlap(patch: Patch) -> None:
    """A poll begins where the last one ended: what searches showed late is skipped."""
    patch.setattr(poll, "OVERLAP", timedelta())


def refused_field_holds_up_the_rest(patch: Patch) -> None:
    """When the vendor refuses a write, its other fields are not tried."""

    async def write(self: Any, one: Any, ticket: Any, to_theirs: Any) -> Any:
        written, again = await self._patch(one, ticket, to_theirs) if to_theirs else (None, False)
        return written if again else None

    patch.setattr(writing.Writer, "write", write)


def file_search_skipped(patch: Patch) -> None:
    """An upload of unknown outcome is repeated without looking."""

    async def settle(self: Any) -> None:
        return None

    async def wait(self: Any, _one: Any, _pair: Any) -> timedelta:
        return timedelta()

    patch.setattr(file_sending.FileSender, "settle", settle)
    patch.setattr(file_sending.FileSender, "_wait", wait)


def file_echo_pulled_back(patch: Patch) -> None:
    """What we uploaded with a lost answer is taken for somebody's, before it is searched for."""
    real = files.Files._look_after

    async def look(self: Any, run: Any) -> None:
        there = await run.provider.list_attachments(run.link.ticket_id)
        await run.commit(lambda tx: self._compare(tx, run, there))
        await real(self, run)

    patch.setattr(files.Files, "_look_after", look)


def file_begun_forgotten(patch: Patch) -> None:
    """Nobody remembers that an upload was begun."""
    real = file_pairs.put

    async def put(tx: Any, link_id: str, pair: Any, now: Any) -> None:
        await real(tx, link_id, replace(pair, begun_at=None), now)

    patch.setattr(file_pairs, "put", put)


def file_known_by_name_only(patch: Patch) -> None:
    """A file of the same name and size counts as ours."""

    async def find(provider: Any, ticket_id: str, identity: Any, *, known: Any) -> Any:
        for info in await provider.list_attachments(ticket_id):
            if info.id not in known and info.size == identity.size:
                return info
        return None

    patch.setattr(file_sending, "find_file", find)
    patch.setattr(vendor_files, "find_file", find)


def file_audience_ignored_outward(patch: Patch) -> None:
    """Files go wherever a ticket is."""

    async def nobody(self: Any, _one: Any, _pair: Any) -> bool:
        return False

    patch.setattr(file_sending.FileSender, "_withheld", nobody)


def file_audience_lost_inward(patch: Patch) -> None:
    """Files of theirs are for everybody here."""
    real = IncidentEdit.attach

    def attach(self: Any, file: Any, _audience: Audience, **more: Any) -> Any:
        return real(self, file, Audience.CUSTOMER if more.get("at") else _audience, **more)

    patch.setattr(IncidentEdit, "attach", attach)


def file_in_flight_not_fetched_again(patch: Patch) -> None:
    """The bytes of a file whose facts are stored are nobody's work after a death."""
    real = files.Files._compare

    async def compare(self: Any, tx: Any, run: Any, there: Any) -> Any:
        before = {one.id for one in await self._context.incidents.attachments(tx, run.link.incident_id)}
        found = await real(self, tx, run, there)
        return replace(found, fetch=tuple(one for one in found.fetch if one[0].id not in before))

    patch.setattr(files.Files, "_compare", compare)


MUTANTS: Mapping[str, Callable[[Patch], None]] = {
    one.__name__: one
    for one in (
        base_dropped,
        judged_against_the_others_base,
        key_search_skipped,
        lag_ignored,
        ledger_off,
        audience_lost_inward,
        audience_ignored_outward,
        audience_widened_outward,
        pending_not_recorded,
        fold_skipped,
        sent_taken_for_read_back,
        echo_pushed_back,
        many_to_one_status_pushes_back,
        comments_known_forgotten,
        comment_mark_ignored,
        begun_comment_forgotten,
        begun_creation_forgotten,
        version_not_sent,
        history_ignored_after_a_write,
        old_webhooks_believed,
        comments_not_polled,
        others_not_told,
        trouble_not_tried_again,
        ours_always_wins,
        lost_write_taken_for_done,
        edits_before_finding_forgotten,
        no_overlap,
        refused_field_holds_up_the_rest,
        file_search_skipped,
        file_echo_pulled_back,
        file_begun_forgotten,
        file_known_by_name_only,
        file_audience_ignored_outward,
        file_audience_lost_inward,
        file_in_flight_not_fetched_again,
    )
}

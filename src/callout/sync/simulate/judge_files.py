"""The judgement about files: each is there once and here once, for nobody else than it is meant for, and none is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from callout.incidents import AttachmentState
from callout.ports.values import Audience
from callout.sync import file_pairs
from callout.sync.file_pairs import FileState
from callout.sync.links import LinkStatus
from callout.sync.simulate.ledger import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callout.incidents import Attachment, TimelineEntry
    from callout.sync.file_pairs import FilePair
    from callout.sync.links import Link
    from callout.sync.simulate.ledger import FileAdded
    from callout.sync.simulate.play import Outcome
    from callout.sync.simulate.records import Record
    from callout.sync.simulate.vendor import Vendor
    from callout.sync.simulate.world import World

ONE_FILE: Final = "not one file"
FILE_AUDIENCE: Final = "file's audience widened"
EXCUSED: Final = frozenset({FileState.REFUSED, FileState.IN_DOUBT, FileState.GONE})


class FileJudge:
    """Judges the files of one history."""

    def __init__(self, world: World, outcome: Outcome, timeline: Sequence[TimelineEntry]) -> None:
        self.world = world
        self.outcome = outcome
        self.timeline = timeline
        self.here: list[Attachment] = world.run(lambda tx: world.incidents.attachments(tx, world.incident_id))
        self.links = world.links()
        self.pairs: Mapping[str, Mapping[str, FilePair]] = {
            name: world.run(partial(file_pairs.of_link, link_id=link.id)) for name, link in self.links.items()
        }

    def judge(self) -> None:
        """Check every file that somebody added, and that nothing else came."""
        known = {added.digest: added for added in self.world.ledger.files}
        for one in self.here:
            self.outcome.checks[ONE_FILE] += 1
            if one.state is AttachmentState.FETCHING:
                self._broken(ONE_FILE, f"{one.name!r} is on its way here for ever")
            if one.state is AttachmentState.STORED and one.sha256 not in known:
                self._broken(ONE_FILE, f"{one.name!r} is here with bytes that nobody added")
        for added in self.world.ledger.files:
            copies = self._here(added)
            for name, vendor in self.world.vendors.items():
                link = self.links.get(name)
                record = None if link is None else vendor.records.get(link.ticket_id)
                if link is None or record is None or record.deleted or link.status is not LinkStatus.ACTIVE:
                    continue
                if added.side == name and added.ticket != record.id:
                    continue
                if added.side == name:
                    self._came(added, vendor, record, copies)
                else:
                    self._went(added, vendor, link, record, copies)

    def _broken(self, kind: str, words: str) -> None:
        self.outcome.broken.append(f"{kind}: {words}")

    def _here(self, added: FileAdded) -> list[Attachment]:
        copies = [one for one in self.here if one.sha256 == added.digest]
        self.outcome.checks[ONE_FILE] += 1
        if len(copies) > 1 or (added.side == OURS and not copies):
            self._broken(ONE_FILE, f"{added.told()} is {len(copies)} times here")
        self.outcome.checks[FILE_AUDIENCE] += 1
        for one in copies:
            if one.audience is not added.audience:
                self._broken(FILE_AUDIENCE, f"{added.told()} is for {one.audience.value} here")
        return copies

    def _came(self, added: FileAdded, vendor: Vendor, record: Record, copies: Sequence[Attachment]) -> None:
        """A file of theirs is there once, as it was, and here once."""
        there = sum(one.content == added.content for one in record.files)
        if there > 1:
            self._broken(ONE_FILE, f"{added.told()} came back to {vendor.name}")
        if not there:
            if added.content not in vendor.removed:
                self._broken(ONE_FILE, f"{added.told()} was taken away from {vendor.name} by us")
            return
        if not self.world.meaning.files.inbound:
            return
        shown = [
            one for one in self.here if one.name == added.name and one.state is AttachmentState.ELSEWHERE
        ]
        too_large = len(added.content) > self.world.incidents.attachment_limit
        if too_large:
            self.outcome.seen["files too large to be kept here, which is said"] += bool(shown)
        if not (shown if too_large else copies):
            self._broken(ONE_FILE, f"{added.told()} did not come here")

    def _went(
        self, added: FileAdded, vendor: Vendor, link: Link, record: Record, copies: Sequence[Attachment]
    ) -> None:
        """A file that is here is there once, unless more people would read it there than it is for: then that is said once."""
        there = sum(one.content == added.content for one in record.files)
        self.outcome.checks[ONE_FILE] += 1
        self.outcome.checks[FILE_AUDIENCE] += 1
        if there > 1:
            self._broken(ONE_FILE, f"{added.told()} is {there} times in {vendor.name}")
        if not copies or not self.world.meaning.files.outbound:
            if there:
                self._broken(ONE_FILE, f"{added.told()} is in {vendor.name} and not here")
            return
        pair = self.pairs[vendor.name].get(copies[0].id)
        if not added.audience.may_reach(vendor.readers()):
            told = [
                line
                for line in self.timeline
                if line.kind == "sync_file_withheld"
                and line.data["attachment_id"] == copies[0].id
                and line.data["link_id"] == link.id
            ]
            self.outcome.seen["files kept from readers they are not for, which is said"] += 1
            if there:
                self._broken(
                    FILE_AUDIENCE, f"{added.told()} may be read by {vendor.readers().value} in {vendor.name}"
                )
            elif pair is None or pair.state is not FileState.WITHHELD or len(told) != 1:
                self._broken(
                    ONE_FILE, f"{added.told()} is kept from {vendor.name}, and that is said {len(told)} times"
                )
            elif added.audience is Audience.INTERNAL and told[0].audience is not Audience.INTERNAL:
                self._broken(FILE_AUDIENCE, f"{added.told()} is named to {told[0].audience.value}")
            return
        excused = pair is not None and (
            pair.state in EXCUSED or (pair.unsettled and added.content in vendor.removed)
        )
        if excused:
            assert pair is not None  # noqa: S101  # as just asked
            self.outcome.seen[f"files {pair.state.value.replace('_', ' ')} there, which is said"] += 1
        if not there and not excused and added.content not in vendor.removed:
            self._broken(ONE_FILE, f"{added.told()} is not in {vendor.name}, and nothing says why")


__all__ = ["FILE_AUDIENCE", "ONE_FILE", "FileJudge"]

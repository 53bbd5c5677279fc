"""Three-way merge of texts by line, with the standard library's matcher."""

from __future__ import annotations

from difflib import SequenceMatcher

LINE_LIMIT = 5_000
"""Above this many lines on a side a person decides: the matcher would take too long."""

Edit = tuple[int, int, list[str]]


def _edits(base: list[str], changed: list[str]) -> list[Edit]:
    matcher = SequenceMatcher(None, base, changed, autojunk=False)
    return [(a, b, changed[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def merge_lines(base: str, ours: str, theirs: str) -> str | None:
    """Return the text with both sides' edits of `base`, or None when they touch the same or neighbouring lines.

    Both sides inserting the same lines at the same place counts as one edit.
    """
    lines = base.split("\n")
    left, right = ours.split("\n"), theirs.split("\n")
    if max(len(lines), len(left), len(right)) > LINE_LIMIT:
        return None
    edits = _edits(lines, left)
    for edit in _edits(lines, right):
        if edit in edits:
            continue
        # An insertion touches the gap between two lines, so touching ends count as overlap.
        if any(edit[0] <= other[1] and other[0] <= edit[1] for other in edits):
            return None
        edits.append(edit)
    merged = list(lines)
    for start, end, replacement in sorted(edits, reverse=True):
        merged[start:end] = replacement
    return "\n".join(merged)

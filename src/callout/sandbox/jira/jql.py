"""Compiling a JQL query against a site: every field and value is checked first, then issues are matched and sorted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callout.sandbox.jira.errors import InvalidInputError
from callout.sandbox.jira.jql_fields import Ask, field_for
from callout.sandbox.jira.jql_syntax import Clause, Joined, Negated, Node, Sort, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from callout.sandbox.jira.model import Issue, Json, User
    from callout.sandbox.jira.site import Site

    Test = Callable[[Issue], bool]

UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query: `test` tells whether an issue belongs, `bounded` whether it restricts at all."""

    test: Test
    bounded: bool
    _sorters: list[tuple[Callable[[Issue], Json], bool]] = field(default_factory=list)

    def run(self, issues: Iterable[Issue]) -> list[Issue]:
        """The matching issues in the order asked for; without one, the newest first."""
        found = sorted((issue for issue in issues if self.test(issue)), key=lambda issue: -int(issue.id))
        # Stable sorts from the last term to the first: a keyed sort is many times faster than `compare`.
        for value, descending in reversed(self._sorters):
            keyed = [(value(issue), issue) for issue in found]
            held = [pair for pair in keyed if pair[0] is not None]
            held.sort(key=lambda pair: pair[0], reverse=descending)
            # Nothing sorts after everything, whichever the direction.
            found = [issue for _, issue in held] + [issue for key, issue in keyed if key is None]
        return found

    def compare(self, one: Issue, other: Issue) -> int:
        """Negative when `one` comes first. The id breaks ties, so that the order is total."""
        for value, descending in self._sorters:
            left, right = value(one), value(other)
            if left == right:
                continue
            if left is None or right is None:
                # Nothing sorts after everything, whichever the direction.
                return 1 if left is None else -1
            return -1 if (left < right) != descending else 1
        return int(other.id) - int(one.id)


def compile_query(text: str, *, site: Site, user: User | None) -> Query:
    """Compile a query for an account: dates are read in its zone, `currentUser()` is it.

    Raises:
        InvalidInputError: the text cannot be parsed, or names unknown fields or values (all are listed).
    """
    parsed = parse(text)
    ask = Ask(site=site, user=user)
    refusals: list[str] = []
    test: Test = (lambda _: True) if parsed.where is None else _compile(parsed.where, ask, refusals)
    sorters = _sorters(parsed.order, ask, refusals)
    if refusals:
        raise InvalidInputError(*dict.fromkeys(refusals))
    return Query(test, parsed.where is not None, sorters)


def _sorters(
    order: tuple[Sort, ...], ask: Ask, refusals: list[str]
) -> list[tuple[Callable[[Issue], Json], bool]]:
    sorters: list[tuple[Callable[[Issue], Json], bool]] = []
    for sort in order:
        try:
            sorters.append((field_for(sort.field, ask).sort_value, sort.descending))
        except InvalidInputError as error:
            refusals += error.messages
    return sorters


def _compile(node: Node, ask: Ask, refusals: list[str]) -> Test:
    match node:
        case Clause():
            try:
                return field_for(node.field, ask).compile(node)
            except InvalidInputError as error:
                refusals += error.messages
                return lambda _: False
        case Negated(part):
            inside = _compile(part, ask, refusals)
            return lambda issue: not inside(issue)
        case Joined(word, parts):
            tests = [_compile(part, ask, refusals) for part in parts]
            return _all(tests) if word == "and" else _any(tests)


def _all(tests: list[Test]) -> Test:
    return lambda issue: all(test(issue) for test in tests)


def _any(tests: list[Test]) -> Test:
    return lambda issue: any(test(issue) for test in tests)

"""Encoded queries at work: which records fit, and in what order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from callout.sandbox.servicenow.model import Column
from callout.sandbox.servicenow.query_syntax import Condition, EncodedQuery, Order, parse
from callout.sandbox.servicenow.times import NotATimeError, QueryTime, instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, Row

Test = Callable[["Row"], bool]
_UTC = ZoneInfo("UTC")
NO_ROWS_PROPERTY = "glide.invalid_query.returns_no_rows"
_ME = "javascript:gs.getUserID()"
_DYNAMIC_ME = "90d1921e5f510100a9ad2572f2b477fe"  # from memory: the dynamic filter "Me".
_TIMES_AS_TEXT = frozenset({"IN", "NOT IN", "LIKE", "STARTSWITH", "ISEMPTY", "ISNOTEMPTY", "ANYTHING"})
_COMPARISONS: dict[str, Callable[..., bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "RELATIVEGT": lambda a, b: a > b,
    "RELATIVEGE": lambda a, b: a >= b,
    "RELATIVELT": lambda a, b: a < b,
    "RELATIVELE": lambda a, b: a <= b,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: have == want,
    # An empty value is not equal to anything but the empty value, so it is found.
    "!=": lambda have, want: have != want,
    "LIKE": lambda have, want: want in have,
    "NOT LIKE": lambda have, want: want not in have,
    "STARTSWITH": lambda have, want: have.startswith(want),
    "ENDSWITH": lambda have, want: have.endswith(want),
    "ISEMPTY": lambda have, _: not have,
    "ISNOTEMPTY": lambda have, _: bool(have),
    "EMPTYSTRING": lambda have, _: not have,
    "ANYTHING": lambda _have, _want: True,
}


class _InvalidConditionError(ValueError):
    """A condition the instance does not understand: it is dropped."""


@dataclass(frozen=True, slots=True)
class Finder:
    """A query made ready for a table. `dropped` are the conditions nobody asked for any more."""

    branches: list[list[list[Test]]]
    sort: Callable[[Iterable[Row]], list[Row]]
    dropped: tuple[str, ...] = ()
    nothing: bool = False

    def test(self, row: Row) -> bool:
        """Whether a record fits."""
        return not self.nothing and any(
            all(any(test(row) for test in group) for group in branch) for branch in self.branches
        )

    def among(self, rows: Iterable[Row]) -> list[Row]:
        """The records that fit, in order."""
        return self.sort(row for row in rows if self.test(row))


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Makes a query ready for one table and one asking user."""

    instance: Instance
    table: str
    account: Account
    times: QueryTime
    dropped: list[str] = field(default_factory=list)

    def finder(self, query: EncodedQuery) -> Finder:
        branches = [
            [group for group in (self._group(conditions) for conditions in branch) if group]
            for branch in query.branches
        ]
        orders = [(self._reader(order.field), order) for order in query.orders if self._known(order)]
        nothing = bool(self.dropped) and self.instance.property(NO_ROWS_PROPERTY) == "true"
        return Finder(branches, lambda rows: self._sorted(rows, orders), tuple(self.dropped), nothing)

    def _known(self, order: Order) -> bool:
        if self._column(order.field) is None:
            self.dropped.append(f"ORDERBY{order.field}")
            return False
        return True

    def _group(self, conditions: list[Condition]) -> list[Test]:
        made: list[Test] = []
        for condition in conditions:
            try:
                made.append(self._test(condition))
            except _InvalidConditionError:
                # The trap of the platform: the condition vanishes, and the query widens.
                self.dropped.append(condition.text)
        return made

    def _column(self, path: str) -> Column | None:
        """The column at the end of a dot-walk, None where the path leads nowhere."""
        table = self.table
        names = path.split(".")
        for name in names[:-1]:
            step = self.instance.columns(table).get(name)
            if step is None or step.reference not in self.instance.tables:
                return None
            table = step.reference
        return self.instance.columns(table).get(names[-1])

    def _reader(self, path: str) -> Callable[[Row], str]:
        if "." not in path:
            return lambda row: row.values.get(path, "")
        return lambda row: walk(self.instance, row, path)[0]

    def _test(self, condition: Condition) -> Test:
        column = self._column(condition.field)
        if column is None or condition.operator is None:
            raise _InvalidConditionError(condition.text)
        read, operator, value = self._reader(condition.field), condition.operator, condition.value
        if value == _ME:
            value = self.account.sys_id
        if column.time and operator not in _TIMES_AS_TEXT:
            return self._time_test(read, operator, value)
        if operator in _COMPARISONS and not operator.startswith("RELATIVE"):
            compare, wanted = _COMPARISONS[operator], _key(column, value)
            # As in a database, what is empty is neither more nor less than anything.
            return lambda row: bool(read(row)) and compare(_key(column, read(row)), wanted)
        if operator in _TEXT or operator in {"IN", "NOT IN"}:
            return _text_test(read, operator, value)
        return self._odd_test(read, condition, column)

    def _odd_test(self, read: Callable[[Row], str], condition: Condition, column: Column) -> Test:
        value = condition.value
        match condition.operator:
            case "SAMEAS" | "NSAMEAS" as operator:
                other, same = self._reader(value), operator == "SAMEAS"
                return lambda row: (read(row) == other(row)) is same
            case "INSTANCEOF":
                descends, tables = self.instance.descends, self.instance.tables
                return lambda row: read(row) in tables and descends(read(row), value)
            case "BETWEEN":
                low, _, high = value.partition("@")
                return lambda row: _key(column, low) <= _key(column, read(row)) <= _key(column, high)
            case "DYNAMIC" if value == _DYNAMIC_ME:
                me = self.account.sys_id
                return lambda row: read(row) == me
            case _:
                raise _InvalidConditionError(condition.text)

    def _time_test(self, read: Callable[[Row], str], operator: str, value: str) -> Test:
        if operator in {"=", "!="} and not value:
            return lambda row: (read(row) == "") is (operator == "=")
        try:
            if operator in {"ON", "NOTON", "BETWEEN"}:
                low, high = self.times.span(value)
                inside = operator != "NOTON"
                return lambda row: _within(read(row), low, high) is inside
            moment = (
                self.times.relative(value) if operator.startswith("RELATIVE") else self.times.moment(value)
            )
        except NotATimeError as error:
            raise _InvalidConditionError(str(error)) from error
        if operator in {"=", "!="}:
            return lambda row: _within(read(row), moment, moment) is (operator == "=")
        compare = _COMPARISONS.get(operator)
        if compare is None:
            raise _InvalidConditionError(operator)
        # Kept times sort as text, which spares reading each of them.
        wanted = moment.strftime("%Y-%m-%d %H:%M:%S")
        return lambda row: bool(read(row)) and compare(read(row), wanted)

    def _sorted(self, rows: Iterable[Row], orders: list[tuple[Callable[[Row], str], Order]]) -> list[Row]:
        found = list(rows)
        for read, order in reversed(orders):
            column = self._column(order.field)
            found.sort(key=self._sort_key(read, column), reverse=order.descending)
        return found

    def _sort_key(
        self, read: Callable[[Row], str], column: Column | None
    ) -> Callable[[Row], tuple[bool, float | str]]:
        if column is not None and column.kind == "reference":
            target = column.reference
            return lambda row: (bool(read(row)), self._title(target, read(row)))
        return lambda row: _key(column, read(row))

    def _title(self, table: str, sys_id: str) -> str:
        found = self.instance.find(table, sys_id) if sys_id else None
        return self.instance.title(found) if found else ""


def compile_query(text: str, table: str, *, instance: Instance, account: Account) -> Finder:
    """Make an encoded query ready for a table, as asked by a user."""
    zone = instance.zone(account)
    literal = zone if instance.settings.query_time_zone == "user" else _UTC
    times = QueryTime(instance.now(), zone, literal)
    return _Compiler(instance, table, account, times).finder(parse(text))


def walk(instance: Instance, row: Row | None, path: str) -> tuple[str, Row | None, str]:
    """Follow a dot-walk: the value at its end, the record that holds it, and the column's name there."""
    *steps, last = path.split(".")
    for name in steps:
        if row is None:
            break
        column = instance.columns(row.table).get(name)
        if column is None or column.reference not in instance.tables:
            return "", None, last
        row = instance.find(column.reference, row[name]) if row[name] else None
    return ("" if row is None else row[last]), row, last


def _key(column: Column | None, value: str) -> tuple[bool, float | str]:
    """A value made comparable: numbers as numbers; empty ones first."""
    if column is not None and column.kind == "integer":
        try:
            return bool(value), float(value or 0)
        except ValueError:
            return bool(value), 0.0
    return bool(value), value


def _text_test(read: Callable[[Row], str], operator: str, value: str) -> Test:
    if operator in {"IN", "NOT IN"}:
        members, wanted = frozenset(part.strip() for part in value.split(",")), operator == "IN"
        return lambda row: (read(row) in members) is wanted
    decide = _TEXT[operator]
    return lambda row: decide(read(row), value)


def _within(value: str, low: datetime, high: datetime) -> bool:
    return bool(value) and low <= instant(value) <= high

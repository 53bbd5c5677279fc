"""What each JQL field means: which operators it takes, how its values are looked up, what an issue has there."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from callout.sandbox.jira.adf import plain_text
from callout.sandbox.jira.errors import InvalidInputError
from callout.sandbox.jira.jql_syntax import Clause, Empty, FunctionCall, Literal, Operand
from callout.sandbox.jira.jql_time import DATE_FUNCTIONS, date_function, read_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from callout.sandbox.jira.model import Field, Issue, Json, User
    from callout.sandbox.jira.site import Site

    Getter = Callable[[Issue], Json]
    Test = Callable[[Issue], bool]

EQUALITY = frozenset({"=", "!=", "in", "not in"})
ORDERING = frozenset({"<", "<=", ">", ">="})
EMPTINESS = frozenset({"is", "is not"})
WORDS = frozenset({"~", "!~"})
_COMPARE: dict[str, Callable[[Json, Json], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, of which site."""

    site: Site
    user: User | None

    @property
    def zone(self) -> ZoneInfo:
        """The zone date literals are read in."""
        return self.site.zone(self.user)


class JqlField:
    """One field in a query. Subclasses look values up and say what an issue holds."""

    operators: frozenset[str] = EQUALITY | EMPTINESS

    def __init__(self, name: str, ask: Ask, get: Getter) -> None:
        self.name = name
        self.ask = ask
        self.get = get

    def sort_value(self, issue: Issue) -> Json:
        """What ORDER BY compares; None sorts last."""
        held = self.held(issue)
        return held[0] if held else None

    def held(self, issue: Issue) -> tuple[Json, ...]:
        """The values an issue has in this field, none when it is empty."""
        value = self.get(issue)
        if value is None or value == "":
            return ()
        return tuple(value) if isinstance(value, tuple) else (value,)

    def look_up(self, operand: Literal) -> Iterable[Json]:
        """The held values an operand stands for.

        Raises:
            InvalidInputError: no such value.
        """
        raise NotImplementedError

    def call(self, call: FunctionCall) -> Iterable[Json]:
        """The held values a function stands for."""
        raise InvalidInputError(f"Unable to find JQL function '{call.name}({', '.join(call.arguments)})'.")

    def values(self, operands: Iterable[Operand]) -> set[Json]:
        """The held values all operands stand for; None for EMPTY."""
        found: set[Json] = set()
        for operand in operands:
            if isinstance(operand, Empty):
                found.add(None)
            elif isinstance(operand, FunctionCall):
                found.update(self.call(operand))
            else:
                found.update(self.look_up(operand))
        return found

    def compile(self, clause: Clause) -> Test:
        """The test a clause makes.

        Raises:
            InvalidInputError: the operator is not for this field, or a value is unknown.
        """
        op = clause.operator
        if op not in self.operators:
            raise InvalidInputError(
                f"The operator '{op.upper()}' is not supported by the '{self.name}' field."
            )
        if op in EMPTINESS:
            if not isinstance(clause.operands[0], Empty):
                raise InvalidInputError(
                    f"The operator '{op.upper()}' only supports 'EMPTY' and 'NULL' as its value."
                )
            wanted = op == "is"
            return lambda issue: (not self.held(issue)) is wanted
        if op in ORDERING:
            return self.compile_order(clause)
        if op in WORDS:
            return self.compile_words(clause)
        return self._compile_equality(clause)

    def _compile_equality(self, clause: Clause) -> Test:
        values = self.values(clause.operands)
        if clause.operator in {"=", "in"}:
            return lambda issue: bool(values.intersection(self.held(issue) or (None,)))
        # `!=` and `not in` leave out the issues where the field is empty, as Jira does.
        return lambda issue: bool(self.held(issue)) and not values.intersection(self.held(issue))

    def compile_order(self, clause: Clause) -> Test:
        """A `<` or `>` clause."""
        (limit,) = self.values(clause.operands) or {None}
        compare = _COMPARE[clause.operator]
        return lambda issue: limit is not None and any(compare(value, limit) for value in self.held(issue))

    def compile_words(self, clause: Clause) -> Test:
        """A `~` clause."""
        raise NotImplementedError

    def unknown(self, value: str) -> InvalidInputError:
        """The refusal of an unknown value."""
        return InvalidInputError(f"The value '{value}' does not exist for the field '{self.name}'.")


class NamedField(JqlField):
    """A field of things with ids and names."""

    def __init__(self, name: str, ask: Ask, get: Getter, *, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__(name, ask, get)
        self.pairs = list(pairs)

    def look_up(self, operand: Literal) -> Iterable[Json]:
        wanted = operand.text.casefold()
        found = [ident for ident, name in self.pairs if name.casefold() == wanted]
        found = found or [ident for ident, _ in self.pairs if ident == operand.text]
        if not found:
            raise self.unknown(operand.text)
        return found


class PriorityField(NamedField):
    """Priorities also have an order: the first of the scheme is the greatest."""

    operators = EQUALITY | EMPTINESS | ORDERING

    def rank(self, ident: str) -> int:
        """Greater is more urgent."""
        return -[other for other, _ in self.pairs].index(ident)

    def sort_value(self, issue: Issue) -> Json:
        held = self.held(issue)
        return self.rank(held[0]) if held else None

    def compile_order(self, clause: Clause) -> Test:
        (limit,) = self.values(clause.operands)
        compare = _COMPARE[clause.operator]
        return lambda issue: any(compare(self.rank(value), self.rank(limit)) for value in self.held(issue))


class ResolutionField(NamedField):
    """Resolutions; `Unresolved` is another word for EMPTY."""  # from memory

    def look_up(self, operand: Literal) -> Iterable[Json]:
        return [None] if operand.text.casefold() == "unresolved" else super().look_up(operand)


class UserField(JqlField):
    """A field holding an account."""

    def look_up(self, operand: Literal) -> Iterable[Json]:
        for user in self.ask.site.users.values():
            if operand.text == user.account_id or (
                user.email_visible and operand.text.casefold() in {user.email, user.display_name.casefold()}
            ):
                return [user.account_id]
        raise self.unknown(operand.text)

    def call(self, call: FunctionCall) -> Iterable[Json]:
        if call.name.casefold() == "currentuser":
            return [self.ask.user.account_id] if self.ask.user else []
        return super().call(call)

    def sort_value(self, issue: Issue) -> Json:
        held = self.held(issue)
        return self.ask.site.users[held[0]].display_name if held else None


class LabelField(JqlField):
    """Words; any word may be asked for."""

    def look_up(self, operand: Literal) -> Iterable[Json]:
        return [operand.text]


class TextField(JqlField):
    """Text, searched by word."""

    operators = WORDS | EMPTINESS

    def compile_words(self, clause: Clause) -> Test:
        operand = clause.operands[0]
        if not isinstance(operand, Literal):
            raise InvalidInputError(
                f"The operator '{clause.operator}' is not supported by the '{self.name}' field."
            )
        matches = _word_search(operand.text)
        wanted = clause.operator == "~"
        # `!~` too leaves out the issues where the field is empty.
        return lambda issue: (
            bool(self.held(issue)) and matches(" \n ".join(map(str, self.held(issue)))) is wanted
        )

    def sort_value(self, issue: Issue) -> Json:
        held = self.held(issue)
        return str(held[0]).casefold() if held else None


class NumberField(JqlField):
    """Numbers."""

    operators = EQUALITY | EMPTINESS | ORDERING

    def look_up(self, operand: Literal) -> Iterable[Json]:
        try:
            return [float(operand.text)]
        except ValueError:
            raise InvalidInputError(
                f"Value '{operand.text}' for the '{self.name}' field is not a valid number."
            ) from None


class DateField(JqlField):
    """Instants and days."""

    operators = EQUALITY | EMPTINESS | ORDERING

    def held(self, issue: Issue) -> tuple[Json, ...]:
        value = self.get(issue)
        if value is None:
            return ()
        if isinstance(value, str):
            # A day has no zone: it is midnight wherever the asking account is.
            return (datetime.fromisoformat(value).replace(tzinfo=self.ask.zone).astimezone(UTC),)
        return (value,)

    def look_up(self, operand: Literal) -> Iterable[Json]:
        moment = read_moment(operand.text, zone=self.ask.zone, now=self.ask.site.now())
        if moment is None:
            raise InvalidInputError(
                f"Date value '{operand.text}' for field '{self.name}' is invalid. Valid formats include: "
                "'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. "
                "'-5d', '4w 2d'."
            )
        return [moment]

    def call(self, call: FunctionCall) -> Iterable[Json]:
        if call.name.casefold() not in DATE_FUNCTIONS:
            return super().call(call)
        moment = date_function(call.name, call.arguments, zone=self.ask.zone, now=self.ask.site.now())
        if moment is None:
            raise InvalidInputError(
                f"Duration for function '{call.name}' should be in the format '(+/-)n(yMwdhm)'."
            )
        return [moment]


class KeyField(JqlField):
    """Issue keys and ids; they sort by project and number."""

    operators = EQUALITY | EMPTINESS | ORDERING

    def look_up(self, operand: Literal) -> Iterable[Json]:
        issue = self.ask.site.find_issue(operand.text)
        if issue is None or not self.ask.site.may_browse(self.ask.user, issue.project_id):
            raise InvalidInputError(
                f"An issue with key '{operand.text}' does not exist for field '{self.name}'."
            )
        return [issue.id]

    def sort_value(self, issue: Issue) -> Json:
        return issue.key.rpartition("-")[0], issue.number

    def compile_order(self, clause: Clause) -> Test:
        (ident,) = self.values(clause.operands)
        limit = self.ask.site.issues[ident]
        compare = _COMPARE[clause.operator]
        return lambda issue: issue.project_id == limit.project_id and compare(issue.number, limit.number)


def _word_search(query: str) -> Callable[[str], bool]:
    """A test for texts: every word must occur, a quoted phrase as it stands, a trailing `*` by prefix."""
    phrases = [_words(phrase) for phrase in re.findall(r'"([^"]+)"', query)]
    loose = re.sub(r'"[^"]*"', " ", query)
    wanted = [(word.rstrip("*"), word.endswith("*")) for word in re.findall(r"[\w*]+", loose.casefold())]

    def matches(text: str) -> bool:
        words = _words(text)
        return all(
            any(word.startswith(stem) if prefix else word == stem for word in words)
            for stem, prefix in wanted
        ) and all(
            any(words[at : at + len(phrase)] == phrase for at in range(len(words))) for phrase in phrases
        )

    return matches


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _text_of(value: Json) -> str:
    return plain_text(value) if isinstance(value, dict) else str(value or "")


def field_for(name: str, ask: Ask) -> JqlField:
    """The field a query calls by `name`: a system field, `cf[10042]`, or a custom field's own name.

    Raises:
        InvalidInputError: there is none.
    """
    wanted = name.casefold()
    system = _system_field(name, wanted, ask)
    if system is not None:
        return system
    for definition in ask.site.fields.values():
        if definition.custom and wanted in {clause.casefold() for clause in definition.clauses} | {
            definition.id
        }:
            return _custom_field(name, definition, ask)
    # `issue.property[..]` lands here as well: only properties indexed by an app can be searched, and none is.
    raise InvalidInputError(f"Field '{name}' does not exist or you do not have permission to view it.")


def _system_field(name: str, wanted: str, ask: Ask) -> JqlField | None:  # noqa: C901, PLR0911, PLR0912
    site = ask.site

    def value(field_id: str) -> Getter:
        return lambda issue: issue.values.get(field_id)

    def text(field_id: str) -> Getter:
        return lambda issue: _text_of(issue.values.get(field_id))

    match wanted:
        case "project":
            projects = site.visible_projects(ask.user)
            pairs = [(p.id, p.key) for p in projects] + [(p.id, p.name) for p in projects]
            return NamedField(name, ask, lambda issue: issue.project_id, pairs=pairs)
        case "key" | "id" | "issue" | "issuekey":
            return KeyField(name, ask, lambda issue: issue.id)
        case "parent":
            return KeyField(name, ask, value("parent"))
        case "issuetype" | "type":
            types = [(t.id, t.name) for t in site.issue_types.values()]
            return NamedField(name, ask, value("issuetype"), pairs=types)
        case "status":
            statuses = [(s.id, s.name) for s in site.statuses.values()]
            return NamedField(name, ask, value("status"), pairs=statuses)
        case "statuscategory":
            categories = {s.category.key: s.category for s in site.statuses.values()}.values()
            names = [(c.key, n) for c in categories for n in (c.name, c.key, str(c.id))]
            return NamedField(name, ask, lambda issue: site.status_of(issue).category.key, pairs=names)
        case "priority":
            priorities = [(p.id, p.name) for p in site.priorities.values()]
            return PriorityField(name, ask, value("priority"), pairs=priorities)
        case "resolution":
            resolutions = [(r.id, r.name) for r in site.resolutions.values()]
            return ResolutionField(name, ask, value("resolution"), pairs=resolutions)
        case "assignee" | "reporter":
            return UserField(name, ask, value(wanted))
        case "creator":
            return UserField(name, ask, lambda issue: issue.creator)
        case "watcher":
            return UserField(name, ask, lambda issue: issue.watchers)
        case "labels":
            return LabelField(name, ask, value("labels"))
        case "component":
            components = [(c.id, c.name) for p in site.projects.values() for c in p.components]
            return NamedField(name, ask, value("components"), pairs=components)
        case "summary" | "description" | "environment":
            return TextField(name, ask, text(wanted))
        case "comment":
            return TextField(name, ask, lambda issue: tuple(plain_text(c.body) for c in issue.comments))
        case "text":
            return TextField(name, ask, _all_text)
        case "created" | "createddate":
            return DateField(name, ask, lambda issue: issue.created)
        case "updated" | "updateddate":
            return DateField(name, ask, lambda issue: issue.updated)
        case "duedate" | "due":
            return DateField(name, ask, value("duedate"))
        case "resolved" | "resolutiondate":
            return DateField(name, ask, value("resolutiondate"))
        case "statuscategorychangeddate":
            return DateField(name, ask, value("statuscategorychangedate"))
    return None


def _all_text(issue: Issue) -> tuple[str, ...]:
    stories = (issue.values.get(field_id) for field_id in ("summary", "description", "environment"))
    custom = (value for field_id, value in issue.values.items() if field_id.startswith("customfield_"))
    texts = [_text_of(value) for value in (*stories, *custom) if isinstance(value, dict | str)]
    return (*texts, *(plain_text(comment.body) for comment in issue.comments))


def _custom_field(name: str, definition: Field, ask: Ask) -> JqlField:  # noqa: PLR0911 - a table of kinds
    def get(issue: Issue) -> Json:
        return issue.values.get(definition.id)

    match definition.kind:
        case "select" | "multiselect":
            return NamedField(
                name, ask, get, pairs=[(option.id, option.value) for option in definition.options]
            )
        case "number":
            return NumberField(name, ask, get)
        case "datetime" | "date":
            return DateField(name, ask, get)
        case "user":
            return UserField(name, ask, get)
        case "labels":
            return LabelField(name, ask, get)
        case "story":
            return TextField(name, ask, lambda issue: _text_of(get(issue)))
        case _:
            # A one-line text field takes `~` only.
            return TextField(name, ask, get)

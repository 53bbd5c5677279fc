"""The grammar of JQL: text to a tree. Knows nothing of fields or values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from callout.sandbox.jira.errors import InvalidInputError

OPERATORS = ("!=", "!~", "<=", ">=", "=", "~", "<", ">")
KEYWORDS = frozenset(
    {"and", "or", "not", "in", "is", "empty", "null", "order", "by", "asc", "desc", "was", "changed"}
)
# A part of the vendor's list: the words most likely to be a project key or a label.
_MORE_RESERVED = """
abort access add after alias all alter any are as audit avg before begin between boolean break
byte catch cf char check checkpoint collate collation column commit connect continue count
create current date decimal declare decrement default defaults define delete delimiter
difference distinct divide do double drop else encoding end equals escape exclusive exec execute
exists explain false fetch file field first float for from function go goto grant greater group
having identified if immediate increment index initial inner inout input insert int integer
intersect intersection into isempty isnull join last left less like limit lock long max min
minus mode modify modulo more multiply next noaudit notin nowait number object of on option
outer output power previous prior privileges public raise raw remainder rename resource return
returns revoke right row rowid rownum rows select session set share size sqrt start strict
string subtract sum synonym table then to trans transaction trigger true uid union unique update
user validate values view when whenever where while with
"""
RESERVED = KEYWORDS | frozenset(_MORE_RESERVED.split())
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<field>cf\[\d+\]|issue\.property\[[^\]]+\](?:\.[\w.]+)?)
    | (?P<op>!=|!~|<=|>=|&&|\|\||[=~<>!(),])
    | (?P<word>[^\s"'()=!<>~,&|\[\]{}+*/%^$#@?;]+(?:@[^\s"'()=!<>~,&|\[\]]+)?|\+\d+[mhdwMy])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written; `quoted` tells "10" from 10."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function with its arguments, such as `startOfDay(-1)`."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """EMPTY or NULL."""


Operand = Literal | FunctionCall | Empty


@dataclass(frozen=True, slots=True)
class Clause:
    """field, operator (lower case, `not in`, `is not`), operands."""

    field: str
    operator: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions joined by `and` or `or`."""

    word: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """NOT something."""

    part: Node


Node = Clause | Joined | Negated


@dataclass(frozen=True, slots=True)
class Sort:
    """One ORDER BY term."""

    field: str
    descending: bool


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A whole query; `where` None when it has no restriction."""

    where: Node | None
    order: tuple[Sort, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "word" else ""


def parse(text: str) -> ParsedQuery:
    """Parse a query.

    Raises:
        InvalidInputError: with Jira's `Error in the JQL Query: ..`.
    """
    return _Parser(text).query()


def unescape(body: str) -> str:
    """Undo backslash escapes inside a quoted string."""

    def plain(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)

    return _ESCAPE.sub(plain, body)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise _lexical_error(text, start)
        tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        position = found.end()
    return tokens


def _lexical_error(text: str, position: int) -> InvalidInputError:
    character = text[position]
    where = _where(text, position)
    if character in "\"'":
        return InvalidInputError(
            f"Error in the JQL Query: The quoted string '{text[position + 1 :]}' has not been completed. ({where})"
        )
    return InvalidInputError(
        f"Error in the JQL Query: The character '{character}' is a reserved JQL character. You must enclose it in a "
        f"string or use the escape '\\u{ord(character):04x}' instead. ({where})"
    )


def _where(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, character {position - text.rfind(chr(10), 0, position)}"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.index = 0

    @property
    def token(self) -> _Token:
        if self.index < len(self.tokens):
            return self.tokens[self.index]
        return _Token("end", "", len(self.text))

    def take(self) -> _Token:
        token = self.token
        self.index += 1
        return token

    def accept(self, *texts: str) -> bool:
        if (self.token.word or self.token.text if self.token.kind in {"word", "op"} else "") in texts:
            self.index += 1
            return True
        return False

    def error(self, expecting: str) -> InvalidInputError:
        token = self.token
        where = _where(self.text, token.position)
        if token.kind == "end":
            return InvalidInputError(
                f"Error in the JQL Query: Expecting {expecting} before the end of the query."
            )
        return InvalidInputError(
            f"Error in the JQL Query: Expecting {expecting} but got '{token.text}'. ({where})"
        )

    def query(self) -> ParsedQuery:
        where = None
        if self.token.kind != "end" and self.token.word != "order":
            where = self.either()
        order: list[Sort] = []
        if self.accept("order"):
            if not self.accept("by"):
                raise self.error("'by'")
            order.append(self.sort())
            while self.accept(","):
                order.append(self.sort())
        if self.token.kind != "end":
            raise self.error("either 'OR' or 'AND'")
        return ParsedQuery(where, tuple(order))

    def sort(self) -> Sort:
        field = self.field()
        if self.accept("desc"):
            return Sort(field, descending=True)
        self.accept("asc")
        return Sort(field, descending=False)

    def either(self) -> Node:
        parts = [self.both()]
        while self.accept("or", "||"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def both(self) -> Node:
        parts = [self.negation()]
        while self.accept("and", "&&"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def negation(self) -> Node:
        if self.accept("not", "!"):
            return Negated(self.negation())
        if self.accept("("):
            inside = self.either()
            if not self.accept(")"):
                raise self.error("')'")
            return inside
        return self.clause()

    def field(self) -> str:
        token = self.token
        if token.kind == "string":
            self.index += 1
            return unescape(token.text[1:-1])
        if token.kind not in {"word", "field"}:
            raise self.error("a field name")
        if token.word in RESERVED:
            raise self.reserved(token)
        self.index += 1
        return token.text

    def reserved(self, token: _Token) -> InvalidInputError:
        return InvalidInputError(
            f"Error in the JQL Query: '{token.text}' is a reserved JQL word. You must surround it in quotation marks "
            f"to use it in a query. ({_where(self.text, token.position)})"
        )

    def clause(self) -> Clause:
        field = self.field()
        operator = self.operator(field)
        if operator in {"in", "not in"}:
            return Clause(field, operator, self.many())
        return Clause(field, operator, (self.operand(),))

    def operator(self, field: str) -> str:
        token = self.token
        if token.kind == "op" and token.text in OPERATORS:
            self.index += 1
            return token.text
        if self.accept("in"):
            return "in"
        if self.accept("is"):
            return "is not" if self.accept("not") else "is"
        if self.accept("not"):
            if self.accept("in"):
                return "not in"
            raise self.error("'IN'")
        if token.word in {"was", "changed"}:
            raise InvalidInputError(f"History searches do not support the '{field}' field.")
        if token.kind == "end":
            raise self.error("operator")
        where = _where(self.text, token.position)
        raise InvalidInputError(
            f"Error in the JQL Query: Expecting operator but got '{token.text}'. The valid operators are '=', '!=', "
            f"'<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'. ({where})"
        )

    def many(self) -> tuple[Operand, ...]:
        if not self.accept("("):
            # A function may stand for a whole list: `assignee in membersOf("x")`.
            return (self.operand(),)
        operands = [self.operand()]
        while self.accept(","):
            operands.append(self.operand())
        if not self.accept(")"):
            raise self.error("')' or ','")
        return tuple(operands)

    def operand(self) -> Operand:
        token = self.token
        if token.kind == "string":
            self.index += 1
            return Literal(unescape(token.text[1:-1]), quoted=True)
        if token.kind != "word":
            raise self.error("either a value, list or function")
        if token.word in {"empty", "null"}:
            self.index += 1
            return Empty()
        if token.word in RESERVED:
            raise self.reserved(token)
        self.index += 1
        if self.accept("("):
            return self.call(token.text)
        return Literal(token.text)

    def call(self, name: str) -> FunctionCall:
        arguments: list[str] = []
        while not self.accept(")"):
            token = self.take()
            if token.kind not in {"word", "string"}:
                self.index -= 1
                raise self.error("a function argument")
            arguments.append(unescape(token.text[1:-1]) if token.kind == "string" else token.text)
            self.accept(",")
        return FunctionCall(name, tuple(arguments))

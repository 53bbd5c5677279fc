"""Encoded queries taken apart: `a=1^ORb=2^NQc>3^ORDERBYd`.

`^` joins by AND, `^OR` binds to the condition before it, `^NQ` begins another complete query, united with the first.
There is no escape for `^`: a value that holds one ends there, and what follows is read as further conditions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Longest first where one begins another.
OPERATORS = (
    "DOES NOT CONTAIN",
    "EMPTYSTRING",
    "ISNOTEMPTY",
    "RELATIVEGE",
    "RELATIVEGT",
    "RELATIVELE",
    "RELATIVELT",
    "STARTSWITH",
    "INSTANCEOF",
    "NOT LIKE",
    "ANYTHING",
    "CONTAINS",
    "ENDSWITH",
    "BETWEEN",
    "DYNAMIC",
    "ISEMPTY",
    "NSAMEAS",
    "NOT IN",
    "NOTON",
    "SAMEAS",
    "LIKE",
    "IN",
    "ON",
    "!=",
    ">=",
    "<=",
    "!*",
    "=",
    ">",
    "<",
    "*",
    "%",
)
_CONDITION = re.compile(
    r"^([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)(" + "|".join(re.escape(op) for op in OPERATORS) + r")(.*)$",
    re.DOTALL,
)
_SYNONYMS = {
    "*": "LIKE",
    "CONTAINS": "LIKE",
    "!*": "NOT LIKE",
    "DOES NOT CONTAIN": "NOT LIKE",
    "%": "ENDSWITH",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `operator` is None where the text is none the instance understands."""

    text: str
    field: str = ""
    operator: str | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key."""

    field: str
    descending: bool


# All of the inner conditions of a group are alternatives; all groups of a branch must hold; one branch suffices.
Branch = list[list[Condition]]


@dataclass(slots=True)
class EncodedQuery:
    """A query taken apart."""

    branches: list[Branch] = field(default_factory=lambda: [[]])
    orders: list[Order] = field(default_factory=list)


def parse_condition(text: str) -> Condition:
    """One condition; never fails, see `Condition`."""
    found = _CONDITION.match(text)
    if found is None:
        return Condition(text)
    name, operator, value = found.groups()
    return Condition(text, name, _SYNONYMS.get(operator, operator), value)


def parse(text: str) -> EncodedQuery:
    """Take a query apart. Whatever cannot be understood stays in as a condition without operator."""
    query = EncodedQuery()
    for term in text.split("^"):
        if not term or term == "EQ" or term.startswith("GROUPBY"):
            continue
        if term.startswith("ORDERBYDESC"):
            query.orders.append(Order(term.removeprefix("ORDERBYDESC"), descending=True))
        elif term.startswith("ORDERBY"):
            query.orders.append(Order(term.removeprefix("ORDERBY"), descending=False))
        elif term.startswith("NQ"):
            query.branches.append([])
            if term != "NQ":
                query.branches[-1].append([parse_condition(term.removeprefix("NQ"))])
        elif term.startswith("OR") and query.branches[-1]:
            query.branches[-1][-1].append(parse_condition(term.removeprefix("OR")))
        else:
            query.branches[-1].append([parse_condition(term.removeprefix("OR"))])
    return query

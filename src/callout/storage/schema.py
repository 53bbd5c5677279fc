"""The one metadata object, the column types, and the columns that every table of an account has.

Times are whole microseconds since 1970 in UTC (BIGINT) on both databases: hand-written SQL then compares and orders them in the
same way everywhere, and no session time zone can bend them. Documents are JSON text, since no query looks inside them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A number given by the database: 64 bits on both (SQLite only counts up for INTEGER PRIMARY KEY)."""


def micros(moment: datetime) -> int:
    """Return an aware `moment` as whole microseconds since 1970 UTC, as the database keeps it."""
    if moment.tzinfo is None:
        msg = "a naive datetime cannot be stored: give it a time zone"
        raise ValueError(msg)
    return (moment - EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Return the aware UTC datetime of `value` microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


def json_text(value: Any) -> str:  # noqa: ANN401
    """Return `value` as the database keeps a JSON document."""
    return orjson.dumps(value).decode()


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """A JSON document, kept as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401
        return None if value is None else json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401
        return None if value is None else orjson.loads(value)


def account_id() -> Column[str]:
    """Return the column that puts a table under the account rule of :class:`~callout.storage.tx.AccountTx`."""
    return Column("account_id", Text, nullable=False)


__all__ = [
    "EPOCH",
    "BigId",
    "Boolean",
    "Json",
    "LargeBinary",
    "UtcTime",
    "account_id",
    "from_micros",
    "json_text",
    "metadata",
    "micros",
]

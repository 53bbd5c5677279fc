"""Pages: one call of one person, channel or on-call system, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from callout.incidents.response_tables import incident_page
from callout.ports.errors import NotFoundError
from callout.storage.bulk import insert_rows

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.storage import AccountTx


class PageState(StrEnum):
    """What is known of a page."""

    PENDING = "pending"
    TOLD = "told"
    PERHAPS = "perhaps"
    """It may have arrived; it is not repeated blindly."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Callee:
    """Who or what is called. A person is known by `member_id` or, as somebody of a chat platform or by e-mail alone, by `person_id`.

    `at` is the integration of a channel or on-call system, `of` the team or role by which a person is called, `why_not` is set
    where it is clear already that the call cannot be made.
    """

    kind: str
    name: str
    member_id: str = ""
    person_id: str = ""
    email: str = ""
    at: str = ""
    of: str = ""
    why_not: str = ""

    @property
    def who(self) -> str:
        """In words."""
        if self.kind == "channel":
            return f"#{self.name}"
        if self.kind == "oncall":
            return f"{self.at} ({self.name})" if self.name else self.at
        return f"{self.name} ({self.of})" if self.of else self.name

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        found = {
            "kind": self.kind,
            "name": self.name,
            "member_id": self.member_id,
            "person_id": self.person_id,
            "email": self.email,
            "at": self.at,
            "of": self.of,
        }
        return {name: value for name, value in found.items() if value or name in {"kind", "name"}}

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Callee:
        """Read what :meth:`to_json` wrote."""
        return cls(**{name: data.get(name, "") for name in _FIELDS})


_FIELDS = ("kind", "name", "member_id", "person_id", "email", "at", "of")


@dataclass(frozen=True, slots=True)
class Page:
    """One call. `call_id` is shared by those that were made together, `means` says how it was told, `why` why not.

    `due_at` is when it was to be made, `asked_at` when it was; later where Callout was not running in between.
    """

    id: str
    incident_id: str
    call_id: str
    callee: Callee
    due_at: datetime
    asked_at: datetime
    generation: int = 0
    position: int = 0
    state: PageState = PageState.PENDING
    means: str = ""
    why: str = ""
    attempted_at: datetime | None = None
    ended_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form that events and people see."""
        return {
            "id": self.id,
            "call_id": self.call_id,
            "who": self.callee.who,
            "target": self.callee.to_json(),
            "state": self.state.value,
            "means": self.means,
            "why": self.why,
            "due_at": self.due_at.isoformat(),
            "asked_at": self.asked_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
        }


async def insert(tx: AccountTx, pages: Sequence[Page]) -> None:
    """Store new pages."""
    await insert_rows(tx.system, incident_page, [{"account_id": tx.account_id, **_row(one)} for one in pages])


async def save(tx: AccountTx, page: Page) -> None:
    """Store a page's new state."""
    await tx.execute(tx.update(incident_page).where(incident_page.c.id == page.id).values(**_row(page)))


async def load(tx: AccountTx, page_id: str, *, lock: bool = False) -> Page:
    """Return a page. Raises NotFoundError."""
    statement = tx.select(incident_page).where(incident_page.c.id == page_id)
    row = await tx.one(statement.with_for_update() if lock else statement)
    if row is None:
        raise NotFoundError(f"there is no page {page_id[:40]!r} in this account")
    return _page(row)


async def of_incident(tx: AccountTx, incident_id: str) -> list[Page]:
    """Return the pages of an incident, oldest first."""
    statement = tx.select(incident_page).where(incident_page.c.incident_id == incident_id)
    return [_page(row) for row in await tx.all(statement.order_by(incident_page.c.id))]


async def of_call(tx: AccountTx, call_id: str, incident_id: str) -> list[Page]:
    """Return the pages that were made together."""
    return [one for one in await of_incident(tx, incident_id) if one.call_id == call_id]


def ended(page: Page, state: PageState, at: datetime, *, means: str = "", why: str = "") -> Page:
    """Return a page that is done with."""
    return replace(
        page, state=state, ended_at=at, means=means or page.means, why=why[:500], attempted_at=None
    )


def _row(page: Page) -> dict[str, Any]:
    return {
        "id": page.id,
        "incident_id": page.incident_id,
        "call_id": page.call_id,
        "generation": page.generation,
        "position": page.position,
        "target": page.callee.to_json(),
        "state": page.state.value,
        "means": page.means,
        "why": page.why,
        "due_at": page.due_at,
        "asked_at": page.asked_at,
        "attempted_at": page.attempted_at,
        "ended_at": page.ended_at,
    }


def _page(row: RowMapping) -> Page:
    return Page(
        id=row["id"],
        incident_id=row["incident_id"],
        call_id=row["call_id"],
        callee=Callee.from_json(row["target"]),
        due_at=row["due_at"],
        asked_at=row["asked_at"],
        generation=row["generation"],
        position=row["position"],
        state=PageState(row["state"]),
        means=row["means"],
        why=row["why"],
        attempted_at=row["attempted_at"],
        ended_at=row["ended_at"],
    )


__all__ = ["Callee", "Page", "PageState", "ended", "insert", "load", "of_call", "of_incident", "save"]

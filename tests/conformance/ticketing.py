"""The contract of a ticketing provider: every connector inherits it, the in-process test provider first.

A subclass gives the fixture `harness`. Optional operations are tested where the provider has them; that it has exactly those it
says is a test of its own.
"""

from __future__ import annotations

from tests.conformance.optional import OptionalContract
from tests.conformance.queries import QueryContract
from tests.conformance.remote import LagContract, RemoteContract
from tests.conformance.tickets import TicketContract
from tests.conformance.twoway import TwoWayContract


class TicketingContract(TicketContract, QueryContract, OptionalContract, TwoWayContract):
    """What every ticketing provider does alike."""


__all__ = ["LagContract", "RemoteContract", "TicketingContract"]

"""Endpoints: made, changed, switched off and on; their secrets are stored encrypted, each bound to its account and endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sqlalchemy import RowMapping, or_, select, update

from callout.access.naming import choose_names, clean_fullname, clean_name
from callout.access.stamps import next_update, refuse_stale
from callout.integrations import EVENTS as TICKET_EVENTS
from callout.kit.ids import new_id
from callout.kit.net import AddressGuard, AddressRefused
from callout.kit.secrets import KeyRing, Secret
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.storage import AccountTx
from callout.storage.schema import micros
from callout.storage.upsert import insert_or_ignore
from callout.webhooks.outbound.model import FILTERS, ORGANIZATION, RAW_FORMATS, Endpoint
from callout.webhooks.outbound.queue import wake
from callout.webhooks.outbound.signing import SECRET_BYTES, is_long_enough, new_secret
from callout.webhooks.tables import webhook_delivery, webhook_endpoint

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.ports.values import Actor, Origin
    from callout.storage import Tx

OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=7)
LONGEST_URL: Final = 2_000
ENVIRONMENTS: Final = ("prod", "test")
_CHANGEABLE: Final = frozenset({"name", "fullname", "environment", "filters", "url", "raw_format"})


class Endpoints:
    """The endpoints of one account; those of the organization are seen through :meth:`organization`."""

    def __init__(
        self, clock: Clock, audit: Audit, keys: KeyRing, queue: Queue, *, guard: AddressGuard
    ) -> None:
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._queue = queue
        self._guard = guard
        self.changed: int = 0
        """Counts the committed changes of this process, for whoever keeps what they read."""

    @staticmethod
    def organization(tx: AccountTx | Tx) -> AccountTx:
        """Return the view of a transaction in which the endpoints of the whole organization are."""
        return (tx.system if isinstance(tx, AccountTx) else tx).account(ORGANIZATION)

    async def create(
        self,
        tx: AccountTx,
        *,
        url: str,
        filters: Sequence[str],
        actor: Actor,
        origin: Origin | None = None,
        secret: Secret | None = None,
        name: str | None = None,
        fullname: str | None = None,
        environment: str = "prod",
        integration_id: str = "",
        raw_format: str = "object",
        source: str = "api",
    ) -> Endpoint:
        """Add an endpoint.

        Args:
            tx: the account, or the organization's view.
            url: where deliveries go; https unless the operator allows its address.
            filters: events it is told of; none: all of its integration, or of its account.
            actor: who does it.
            origin: by which way in.
            secret: what deliveries are signed with, 24 to 64 bytes; made when absent.
            name: unique within the account.
            fullname: for people.
            environment: of an organization's endpoint: of which accounts it is told.
            integration_id: told of this integration's tickets alone.
            raw_format: how `raw_payload` is sent: the `object` as it came, or a `string` that holds it.
            source: `config` when the integration's own webhook settings name it.

        Raises InvalidRequestError, ConflictError.
        """
        endpoint_id, now = new_id(), self._clock.now()
        within = webhook_endpoint.c.account_id == tx.account_id
        chosen, full = await choose_names(
            tx.system, webhook_endpoint, name=name, fullname=fullname, record_id=endpoint_id, within=within
        )
        row = {
            "id": endpoint_id,
            "account_id": tx.account_id,
            "name": chosen,
            "fullname": full,
            "environment": _environment(environment),
            "integration_id": integration_id,
            "source": source,
            "url": self._url(url),
            "filters": _filters(filters, only_tickets=bool(integration_id)),
            "raw_format": _raw_format(raw_format),
            "secret_sealed": self._seal(tx.account_id, endpoint_id, _secret(secret)),
            "state": "enabled",
            "disabled_why": "",
            "failures": 0,
            "created_at": now,
            "updated_at": now,
        }
        if not await tx.system.execute(insert_or_ignore(tx.system, webhook_endpoint, row)):
            raise ConflictError(f"there is a webhook named {chosen!r} already", fields={"/name": "taken"})
        await self._record(
            tx,
            "webhook.created",
            endpoint_id,
            {"name": chosen, "filters": row["filters"]},
            actor=actor,
            origin=origin,
        )
        return await self.get(tx, endpoint_id)

    async def get(self, tx: AccountTx, id_or_name: str) -> Endpoint:
        """Return an endpoint by its id or name. Raises NotFoundError."""
        named = or_(webhook_endpoint.c.id == id_or_name, webhook_endpoint.c.name == id_or_name.lower())
        rows = await tx.all(tx.select(webhook_endpoint).where(named))
        if not rows:
            raise NotFoundError(f"there is no webhook {id_or_name[:100]!r}")
        return self.of_row(min(rows, key=lambda row: row["id"] != id_or_name))

    async def list(self, tx: AccountTx, *, integration_id: str | None = None) -> Sequence[Endpoint]:
        """Return endpoints by name; those of one integration, or all."""
        query = tx.select(webhook_endpoint).order_by(webhook_endpoint.c.name)
        if integration_id is not None:
            query = query.where(webhook_endpoint.c.integration_id == integration_id)
        return [self.of_row(row) for row in await tx.all(query)]

    async def update(
        self,
        tx: AccountTx,
        id_or_name: str,
        *,
        changes: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
        expected: datetime | None = None,
    ) -> Endpoint:
        """Change name, fullname, environment, filters, url or raw_format.

        Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        before = await self.get(tx, id_or_name)
        self._refuse_config(before)
        refuse_stale(expected, before.updated_at)
        unknown = sorted(set(changes) - _CHANGEABLE)
        if unknown:
            raise InvalidRequestError(
                f"cannot change {', '.join(unknown)} of a webhook",
                fields={f"/{name}": "cannot be changed" for name in unknown},
            )
        values = self._clean(dict(changes), only_tickets=bool(before.integration_id))
        if values.get("name", before.name) != before.name:
            same = tx.select(webhook_endpoint.c.id).where(webhook_endpoint.c.name == values["name"])
            if await tx.scalar(same) is not None:
                raise ConflictError(
                    f"there is a webhook named {values['name']!r} already", fields={"/name": "taken"}
                )
        await self._set(tx, before, values)
        await self._record(
            tx, "webhook.updated", before.id, {"changed": sorted(changes)}, actor=actor, origin=origin
        )
        return await self.get(tx, before.id)

    async def delete(
        self, tx: AccountTx, id_or_name: str, *, actor: Actor, origin: Origin | None = None
    ) -> None:
        """Remove an endpoint; what was still to be delivered is not. Raises NotFoundError."""
        before = await self.get(tx, id_or_name)
        self._refuse_config(before)
        await self.remove(tx, [before.id])
        await self._record(
            tx, "webhook.deleted", before.id, {"name": before.name}, actor=actor, origin=origin
        )

    async def rotate(
        self,
        tx: AccountTx,
        id_or_name: str,
        *,
        actor: Actor,
        origin: Origin | None = None,
        secret: Secret | None = None,
        overlap: timedelta = OVERLAP,
    ) -> Endpoint:
        """Give an endpoint a new secret; for `overlap` deliveries are signed with the one before it, too.

        Raises NotFoundError, InvalidRequestError.
        """
        before = await self.get(tx, id_or_name)
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise InvalidRequestError(
                f"the overlap may be 0 to {LONGEST_OVERLAP.days * 24} hours",
                fields={"/overlap_hours": "out of range"},
            )
        fresh, now = _secret(secret), self._clock.now()
        if fresh == before.secrets[0]:
            raise InvalidRequestError("that is the secret already", fields={"/secret": "unchanged"})
        values = {
            "secret_sealed": self._seal(tx.account_id, before.id, fresh),
            "previous_sealed": self._seal(tx.account_id, before.id, before.secrets[0]),
            "previous_until": now + overlap,
        }
        await self._set(tx, before, values)
        await self._record(tx, "webhook.rotated", before.id, {}, actor=actor, origin=origin)
        return await self.get(tx, before.id)

    async def disable(
        self, tx: AccountTx, id_or_name: str, *, why: str, actor: Actor, origin: Origin | None = None
    ) -> Endpoint:
        """Switch an endpoint off: what happens meanwhile is held back for it. Raises NotFoundError."""
        before = await self.get(tx, id_or_name)
        if before.enabled:
            now = self._clock.now()
            values = {"state": "disabled", "disabled_why": why, "disabled_at": now}
            await self._set(tx, before, values)
            await hold(tx.system, before.id)
            await self._record(tx, "webhook.disabled", before.id, {"why": why}, actor=actor, origin=origin)
        return await self.get(tx, before.id)

    async def enable(
        self,
        tx: AccountTx,
        id_or_name: str,
        *,
        actor: Actor,
        origin: Origin | None = None,
        send_held: bool = True,
    ) -> Endpoint:
        """Switch an endpoint on; what was held back is sent in its order, or dropped. Raises NotFoundError."""
        before = await self.get(tx, id_or_name)
        now = self._clock.now()
        if not before.enabled:
            values = {
                "state": "enabled",
                "disabled_why": "",
                "disabled_at": None,
                "failures": 0,
                "failing_since": None,
                "open_until": None,
            }
            await self._set(tx, before, values)
            held = update(webhook_delivery).where(
                webhook_delivery.c.endpoint_id == before.id, webhook_delivery.c.state == "held"
            )
            fresh = {"state": "pending", "attempts": 0, "next_at": micros(now)}
            dropped = {"state": "cancelled", "finished_at": micros(now)}
            count = await tx.system.execute(held.values(**(fresh if send_held else dropped)))
            # Also without any: something may have been written for it while it was being switched off.
            await wake(self._queue, tx.system, [before.id])
            await self._record(
                tx,
                "webhook.enabled",
                before.id,
                {"held": count, "sent": send_held},
                actor=actor,
                origin=origin,
            )
        return await self.get(tx, before.id)

    async def follow_config(
        self, tx: AccountTx, integration_id: str, items: Sequence[Mapping[str, Any]], *, actor: Actor
    ) -> None:
        """Make the integration's endpoints those that its webhook settings name; the same address keeps its state."""
        rows = await tx.all(
            tx.select(webhook_endpoint).where(
                webhook_endpoint.c.integration_id == integration_id, webhook_endpoint.c.source == "config"
            )
        )
        there = {row["url"]: self.of_row(row) for row in rows}
        wanted = {item["webhook_url"]: item for item in items}
        await self.remove(tx, [one.id for url, one in there.items() if url not in wanted])
        for url, item in wanted.items():
            filters = [name for name in item.get("event_filter") or () if name in TICKET_EVENTS]
            given = item.get("raw_payload_format")
            raw_format = given if given in RAW_FORMATS else "object"
            key: Secret = item["integrator_key"]
            one = there.get(url)
            if one is None:
                host = urlsplit(url).hostname or "webhook"
                await self.create(
                    tx,
                    url=url,
                    filters=filters,
                    actor=actor,
                    secret=key,
                    fullname=f"{host} of an integration",
                    integration_id=integration_id,
                    raw_format=raw_format,
                    source="config",
                )
                continue
            values: dict[str, Any] = {}
            if tuple(filters) != one.filters or raw_format != one.raw_format:
                values |= {"filters": filters, "raw_format": raw_format}
            if key != one.secrets[0]:
                values |= {
                    "secret_sealed": self._seal(tx.account_id, one.id, key),
                    "previous_sealed": self._seal(tx.account_id, one.id, one.secrets[0]),
                    "previous_until": self._clock.now() + OVERLAP,
                }
            if values:
                await self._set(tx, one, values)

    async def remove(self, tx: AccountTx, ids: Sequence[str]) -> None:
        """Remove endpoints without a word; their deliveries that are not done yet are cancelled."""
        if not ids:
            return
        now = micros(self._clock.now())
        await tx.system.execute(
            update(webhook_delivery)
            .where(
                webhook_delivery.c.endpoint_id.in_(list(ids)),
                webhook_delivery.c.state.in_(("pending", "held")),
            )
            .values(state="cancelled", finished_at=now)
        )
        await tx.execute(tx.delete(webhook_endpoint).where(webhook_endpoint.c.id.in_(list(ids))))
        tx.system.after_commit(self._count)

    async def rewrap(self, tx: Tx) -> int:
        """Seal with the primary key what an older one sealed; return how many endpoints. Safe to repeat."""
        done = 0
        for row in await tx.all(select(webhook_endpoint)):
            context = _context(row["account_id"], row["id"])
            values = {
                name: self._keys.rewrap(row[name], context=context)
                for name in ("secret_sealed", "previous_sealed")
                if row[name] is not None
            }
            if all(values[name] == row[name] for name in values):
                continue
            done += await tx.execute(
                update(webhook_endpoint)
                .where(webhook_endpoint.c.id == row["id"], webhook_endpoint.c.updated_at == row["updated_at"])
                .values(**values)
            )
        return done

    def of_row(self, row: RowMapping | Mapping[str, Any]) -> Endpoint:
        """Return the endpoint of a row, with the secrets that count now."""
        context = _context(row["account_id"], row["id"])
        secrets = [self._keys.open(row["secret_sealed"], context=context)]
        until: datetime | None = row["previous_until"]
        overlapping = until is not None and self._clock.now() < until
        if row["previous_sealed"] is not None and overlapping:
            secrets.append(self._keys.open(row["previous_sealed"], context=context))
        kept = {
            name: row[name]
            for name in Endpoint.__slots__
            if name not in {"secrets", "enabled", "filters", "previous_until"}
        }
        return Endpoint(
            **kept,
            secrets=tuple(secrets),
            previous_until=until if overlapping else None,
            enabled=row["state"] == "enabled",
            filters=tuple(row["filters"]),
        )

    def _url(self, url: str) -> str:
        if len(url) > LONGEST_URL:
            raise InvalidRequestError("the address is too long", fields={"/url": "too long"})
        try:
            self._guard.check_url(url)
        except AddressRefused as error:
            raise InvalidRequestError(
                str(error),
                remediation="Give a public https address, or have the operator allow its network.",
                fields={"/url": error.reason},
            ) from error
        return url

    def _clean(self, values: dict[str, Any], *, only_tickets: bool) -> dict[str, Any]:
        cleaners = {
            "name": clean_name,
            "fullname": clean_fullname,
            "environment": _environment,
            "filters": lambda given: _filters(given, only_tickets=only_tickets),
            "url": self._url,
            "raw_format": _raw_format,
        }
        return {name: cleaners[name](value) for name, value in values.items()}

    @staticmethod
    def _refuse_config(one: Endpoint) -> None:
        if one.source == "config":
            raise ConflictError(
                f"the webhook {one.name} stands in the settings of its integration",
                remediation="Change the integration's `webhook_config` instead.",
            )

    async def _set(self, tx: AccountTx, before: Endpoint, values: Mapping[str, Any]) -> None:
        moved = next_update(self._clock, before.updated_at)
        await tx.execute(
            tx.update(webhook_endpoint)
            .where(webhook_endpoint.c.id == before.id)
            .values(**values, updated_at=moved)
        )
        tx.system.after_commit(self._count)

    def _seal(self, account_id: str, endpoint_id: str, secret: Secret) -> str:
        return self._keys.seal(secret, context=_context(account_id, endpoint_id))

    async def _record(
        self,
        tx: AccountTx,
        action: str,
        endpoint_id: str,
        data: Mapping[str, Any],
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> None:
        tx.system.after_commit(self._count)
        await self._audit.record(
            tx.system,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="webhook",
            subject_id=endpoint_id,
            data=data,
            account_id=None if tx.account_id == ORGANIZATION else tx.account_id,
        )

    def _count(self) -> None:
        self.changed += 1


async def hold(tx: Tx, endpoint_id: str) -> int:
    """Hold back what is still to be delivered to an endpoint that was switched off; return how many."""
    return await tx.execute(
        update(webhook_delivery)
        .where(
            webhook_delivery.c.endpoint_id == endpoint_id,
            webhook_delivery.c.state == "pending",
            webhook_delivery.c.test == 0,
        )
        .values(state="held")
    )


def _context(account_id: str, endpoint_id: str) -> tuple[str, ...]:
    return (account_id, endpoint_id, "webhook/secret")


def _secret(given: Secret | None) -> Secret:
    if given is None:
        return new_secret()
    if not is_long_enough(given):
        raise InvalidRequestError(
            f"a webhook's secret has {SECRET_BYTES[0]} to {SECRET_BYTES[1]} bytes",
            remediation="Leave it out to have one made.",
            fields={"/secret": "too short or too long"},
        )
    return given


def _filters(given: object, *, only_tickets: bool) -> list[str]:
    allowed = (*TICKET_EVENTS, "Ticket*") if only_tickets else FILTERS
    if not isinstance(given, (list, tuple)) or any(name not in allowed for name in given):
        raise InvalidRequestError(
            "the filters hold an event that there is not",
            fields={"/filters": f"may hold {', '.join(allowed)}"},
        )
    return list(dict.fromkeys(given))


def _environment(given: object) -> str:
    if given not in ENVIRONMENTS:
        raise InvalidRequestError(
            "the environment is `prod` or `test`", fields={"/environment": "prod or test"}
        )
    return str(given)


def _raw_format(given: object) -> str:
    if given not in RAW_FORMATS:
        raise InvalidRequestError(
            "raw_payload_format is `object` or `string`", fields={"/raw_payload_format": "object or string"}
        )
    return str(given)

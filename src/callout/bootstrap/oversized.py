"""Webhooks that are too large: refused, counted, and told on their integration, since only polling brings what they told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from callout.incidents.attachments import MIB
from callout.integrations import OVERSIZED
from callout.storage import StorageUnavailableError
from callout.webhooks.inbound import refused_total

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.storage import Tx
    from callout.webhooks import HookBinding

TELL_EVERY: Final = timedelta(minutes=1)
"""Whoever knows an address can send large bodies: they must not become as many writes."""
_log = structlog.get_logger(__name__)


class OversizedHooks:
    """Tells of refused webhooks; for the hook door."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.limit = core.settings.webhook_mib * MIB
        """In bytes."""
        self._told_at: dict[str, datetime] = {}

    async def refused(self, binding: HookBinding) -> None:
        """Count a webhook that was larger than is taken in, and show it on the integration."""
        refused_total.labels(binding.provider, "too large").inc()
        now = self._core.clock.now()
        before = self._told_at.get(binding.integration_id)
        if before is not None and now - before < TELL_EVERY:
            return
        self._told_at[binding.integration_id] = now

        async def unit(tx: Tx) -> None:
            await self._core.problems.tell(
                tx.account(binding.account_id),
                binding.integration_id,
                OVERSIZED,
                code="WEBHOOK_TOO_LARGE",
                message=f"a webhook of more than {self.limit // MIB} MiB was refused, last at {now:%Y-%m-%d %H:%M} UTC;"
                " what was not read cannot tell whether the vendor sent it",
                remediation="Polling brings what it told. Raise CALLOUT_WEBHOOK_MIB where the vendor sends so much.",
            )

        try:
            await self._core.database.transaction(unit)
        except StorageUnavailableError as error:
            del self._told_at[binding.integration_id]
            _log.error("oversized_hook_not_told", error=str(error))

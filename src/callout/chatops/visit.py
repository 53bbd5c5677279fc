"""One visit: brings a chat integration into line with an incident.

Channel, cards, topic, bookmarks, people, then the threads' news. What is done already is skipped by its row, so a visit may be
repeated at any point; visits of one incident on one integration come one after the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.chatops.channels import ChannelKeeper
from callout.chatops.conflicts import ConflictMessages
from callout.chatops.loading import Loaded
from callout.chatops.places import News as VisitNews
from callout.chatops.places import Places
from callout.chatops.posting import NOTHING_DONE, Poster
from callout.chatops.troubles import Troubles
from callout.ports.chat_rules import NotificationType, at_of
from callout.ports.errors import CalloutError

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.jobs import Settle, Work
    from callout.ports.chat import FullChat
    from callout.storage import AccountTx, Tx

VISIT: Final = "chat.visit"


def partition(integration_id: str, incident_id: str) -> str:
    """Return the key that keeps the visits of one incident on one integration in order."""
    return f"chat:{integration_id}:{incident_id}"


async def visit(context: ChatContext, work: Work) -> Settle | None:
    """Handle a `chat.visit` job: `integration_id`, `incident_id`; `update` (`key`, `text`) is news for the threads, `news` and `at` say
    of which kind and when, `look` that something was done to the channel over there.
    """
    payload = work.job.payload
    account_id = work.job.account_id or ""

    async def load(tx: Tx) -> Loaded | None:
        account: AccountTx = tx.account(account_id)
        return await Loaded.read(context, account, payload["integration_id"], payload["incident_id"])

    loaded = await work.read(load)
    if loaded is None:
        return None
    steps = Visit(context, work, loaded, await context.chat(loaded.workspace))
    await steps.run(_news(context, payload), look=bool(payload.get("look")))
    return None


def _news(context: ChatContext, payload: Mapping[str, Any]) -> VisitNews:
    update = payload.get("update") or {}
    return VisitNews(
        NotificationType(payload.get("news") or NotificationType.UPDATED),
        at_of(str(payload.get("at") or ""), context.clock.now()),
        key=str(update.get("key", "")),
        text=str(update.get("text", "")),
    )


class Visit:
    """The steps of one visit."""

    def __init__(self, context: ChatContext, work: Work, loaded: Loaded, provider: FullChat) -> None:
        poster = Poster(context, work, loaded.workspace)
        self._keeper = ChannelKeeper(context, work, loaded, provider)
        self._places = Places(context, work, loaded, provider=provider, keeper=self._keeper, poster=poster)
        self._conflicts = ConflictMessages(
            poster, provider, loaded.incident, loaded.news, link=context.link(loaded.incident.key)
        )
        self._troubles = Troubles(poster, provider, loaded.incident)
        self._failure: Exception | None = None

    async def run(self, news: VisitNews, *, look: bool) -> None:
        """Do every step; one that fails for now does not hold up the others, and is raised at the end."""
        keeper, places = self._keeper, self._places
        await self._try(keeper.look(told=look))
        await self._try(keeper.ensure())
        for place, where in places.wanted(news).items():
            await self._try(places.ensure_card(place, where, news))
        await self._try(keeper.ensure_name())
        await self._try(keeper.ensure_topic())
        await self._try(keeper.ensure_bookmarks())
        await self._try(keeper.ensure_people())
        self._failure = self._failure or await places.tell(news)
        await self._try(self._conflicts.ensure(places.rows, places.conflict_place()))
        await self._try(self._troubles.ensure(places.rows, places.own_place()))
        await self._try(keeper.look(told=False))
        if self._failure is None:
            await self._try(keeper.archive())
        if self._failure is not None:
            raise self._failure

    async def _try(self, step: Awaitable[None]) -> None:
        try:
            await step
        except (*NOTHING_DONE, CalloutError) as error:
            self._failure = self._failure or error

"""Every invocation that changes something is claimed in the commit that carries it out: a repeated request acts once and gets the same
answer. What only tells is not: asked again, it tells what is true by then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from callout.chatops import store, words
from callout.chatops.cards import answer_from_json, answer_json
from callout.ports.chat import Answer
from callout.ports.errors import CalloutError, InvalidRequestError

if TYPE_CHECKING:
    from callout.access import Known
    from callout.chatops.context import ChatContext, Workspace
    from callout.ports.values import Person
    from callout.storage import AccountTx, Question, Tx


class RefusedFormError(InvalidRequestError):
    """A form was filled in wrongly: `answer` holds the errors at its fields. What was begun is rolled back."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("the form was filled in wrongly", fields=dict(answer.errors))
        self.answer = answer


SILENT: Final = Answer("")
"""Nothing to say at once: an acknowledgement."""

Work = Callable[["AccountTx", "Known | None"], Awaitable[Answer]]
After = Callable[["AccountTx", Answer], Awaitable[None]]


async def once(
    context: ChatContext,
    workspace: Workspace,
    invocation: str,
    work: Work,
    after: After | None = None,
    *,
    speaks: tuple[str, Person] | None = None,
    kept: Mapping[str, object] | None = None,
) -> Answer:
    """Run `work` and store its answer in one commit; for a repeated invocation return the stored one.

    `work` is told whom we know as the user of a team that `speaks`, which is looked up by the round trip of the claim. `after` runs in
    the same commit. A refusal rolls the work back and is an answer like any other. `kept` is stored beside the answer.
    Raises StorageUnavailableError.
    """

    async def claimed(tx: Tx, perform: Work) -> Answer:
        account = tx.account(workspace.account_id)
        questions = [
            store.claiming(account, workspace.integration_id, invocation, context.clock.now()),
            *context.incidents.scribe.asking(account),
            *(() if speaks is None else (_who(context, workspace, speaks),)),
        ]
        claim, *told = await tx.driver_together(*questions)
        if not claim:
            stored = await store.answer(account, workspace.integration_id, invocation)
            return SILENT if stored is None else answer_from_json(stored)
        answer = await perform(account, context.identities.told(told[-1]) if speaks else None)
        await store.put_answer(
            account, workspace.integration_id, invocation, {**answer_json(answer), **(kept or {})}
        )
        if after is not None:
            await after(account, answer)
        return answer

    async def unit(tx: Tx) -> Answer:
        return await claimed(tx, work)

    try:
        return await context.database.transaction(unit, turns=context.turns)
    except RefusedFormError as error:
        refusal = error.answer
    except CalloutError as error:
        refusal = Answer(words.refused(error))

    async def refused(tx: Tx) -> Answer:
        async def say(_account: AccountTx, _known: Known | None) -> Answer:
            return refusal

        return await claimed(tx, say)

    return await context.database.transaction(refused, turns=context.turns)


async def tell(
    context: ChatContext, workspace: Workspace, work: Work, *, speaks: tuple[str, Person]
) -> Answer | None:
    """Run `work`, which writes nothing, for whoever `speaks`, and return its answer; None for somebody whom we do not know yet.

    A refusal is an answer. Raises StorageUnavailableError.
    """

    async def unit(tx: Tx) -> Answer | None:
        [found] = await tx.driver_together(_who(context, workspace, speaks))
        known = context.identities.told(found)
        return None if known is None else await work(tx.account(workspace.account_id), known)

    try:
        return await context.database.read(unit, turns=context.turns)
    except CalloutError as error:
        return Answer(words.refused(error))


def _who(context: ChatContext, workspace: Workspace, speaks: tuple[str, Person]) -> Question:
    team, user = speaks
    return context.identities.asking(workspace.provider, team, user.id)

"""An endpoint that is switched off by itself is told of in chat, where those read who can repair it."""

from __future__ import annotations

from pathlib import Path

from callout.kit.ids import new_id
from callout.storage import AccountTx
from callout.webhooks.outbound import Happening
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import eventually
from tests.webhooks.sink import Sink, answering


async def test_an_endpoint_that_was_switched_off_is_told_of_in_chat(
    sqlite_path: Path, tmp_path: Path, sink: Sink
) -> None:
    sink.script["/gone"] = [answering(410)]
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("slack",)) as installation:
        core = installation.core

        async def add(tx: AccountTx) -> None:
            await core.outbound.endpoints.create(
                tx, url=f"{sink.url}/gone", name="hub", filters=["incident.*"], actor=OPERATOR
            )

        await installation.in_account(add)
        happening = Happening(
            id=f"msg_{new_id()}",
            event_type="incident.changed",
            subject="incident:1",
            occurred_at=core.clock.now(),
            body={"n": 1},
        )
        await installation.in_account(lambda tx: core.outbound.router.tell(tx, [happening]))
        text = await told(installation)
        assert "answered 410" in text
        assert "callout webhook enable hub" in text
        await installation.quiet()
        texts = [one for one in await installation.slack.texts("incidents") if "switched off" in one]
        assert len(texts) == 1


async def told(installation: Installation) -> str:
    """Return what the default channel was told of the endpoint."""

    async def there() -> str:
        texts = await installation.slack.texts("incidents")
        return next((one for one in texts if "webhook hub was switched off" in one), "")

    return await eventually(there, what="a message in chat")

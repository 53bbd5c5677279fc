"""`docs/architecture.md` against the running product: each list of steps is a subsequence of what was really called."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import eventually

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
STEP = re.compile(r"^\d+\. `(callout(?:\.\w+)+):([\w.]+)`", re.MULTILINE)
Call = tuple[str, str]
EVERY = slice(None)


def lists_of(flow: int) -> list[list[Call]]:
    """Return the numbered lists below a flow's heading."""
    text = PAGE.read_text()
    section = text.partition(f"## Flow {flow}:")[2].partition("\n## ")[0]
    lists: list[list[Call]] = []
    for match in STEP.finditer(section):
        if match.group(0).startswith("1. "):
            lists.append([])
        lists[-1].append((match.group(1), match.group(2)))
    return lists


class Recorder:
    """What was called in the product's own code, in order, in every thread."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("callout."):
                self.calls.append((module, frame.f_code.co_qualname))

    def missing(self, steps: list[Call]) -> list[Call]:
        """Return the steps from the first one that does not follow those before it; none when they all do."""
        at = 0
        for place, step in enumerate(steps):
            try:
                at = self.calls.index(step, at) + 1
            except ValueError:
                return steps[place:]
        return []


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record every thread that starts from now on, and this one."""
    recorder = Recorder()
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        yield recorder
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def told(installation: Installation, recorder: Recorder, flow: int, which: slice = EVERY) -> None:
    """Wait until the trace holds every list of a flow, or those of them that are meant."""
    lists = lists_of(flow)[which]

    async def complete() -> bool:
        return all(not recorder.missing(steps) for steps in lists)

    try:
        await eventually(complete, what=f"flow {flow}")
    except AssertionError:
        await installation.quiet()
        assert [recorder.missing(steps) for steps in lists] == [[] for _ in lists]
        raise


async def conflict_and_choice(installation: Installation) -> None:
    """Both sides change the severity while writes are paused; a person takes ours."""
    api = installation.api
    ticket = await installation.ticket_of("INC-1")
    await installation.pause("integration", installation.integrations["jira"].id)
    await api.patch("INC-1", severity="SEV-1")
    await installation.jira.edit(ticket, priority="High")

    async def conflict() -> object:
        return await api("GET", "/v1/incidents/INC-1/conflicts")

    await eventually(conflict, what="the conflict")
    await installation.resume("integration", installation.integrations["jira"].id)
    [one] = await api("GET", "/v1/incidents/INC-1/conflicts")
    path = f"/v1/incidents/INC-1/conflicts/{one['link_id']}/severity"

    await installation.quiet()
    await api("POST", path, {"choice": "ours"})


async def read_ticket(installation: Installation, integration_id: str, ticket_id: str) -> None:
    """Read a ticket as a program does, with the token of its integration."""
    token = await installation.transaction(
        lambda tx: installation.core.tokens.create_for_integration(
            tx, account_id=installation.account, integration_id=integration_id, actor=OPERATOR
        )
    )
    secret = token.primary.access.secret
    assert secret is not None
    answer = await installation.http.get(
        f"{installation.url}/v1/ticketing/tickets/{ticket_id}",
        headers={"authorization": f"Bearer {secret.reveal()}"},
    )
    assert answer.status_code == 200, answer.text


def test_the_page_tells_four_flows() -> None:
    assert [len(lists_of(flow)) for flow in (1, 2, 3, 4)] == [1, 3, 1, 3]
    assert all(len(steps) >= 4 for flow in (1, 2, 3, 4) for steps in lists_of(flow))


async def test_each_flow_is_what_really_happens(sqlite_path: Path, tmp_path: Path) -> None:
    with recording() as recorder:
        # No poll: what a webhook tells must come by webhook.
        never = {"poll_seconds": 3600.0}
        async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", settings=never) as installation:
            recorder.calls.clear()
            await installation.slack.said("declare sev2 search is slow")
            await told(installation, recorder, 2)
            ticket = await installation.ticket_of("INC-1")
            await installation.quiet()

            recorder.calls.clear()
            await installation.jira.edit(ticket, priority="Low")
            await told(installation, recorder, 1)
            await installation.quiet()

            recorder.calls.clear()
            await installation.api.patch("INC-1", title="search is very slow")
            await told(installation, recorder, 4, slice(0, 2))
            await installation.quiet()

            recorder.calls.clear()
            await conflict_and_choice(installation)
            await told(installation, recorder, 4, slice(2, 3))
            await installation.quiet()

            recorder.calls.clear()
            installation.wired.connections.forget()
            jira = (await installation.api("GET", "/v1/incidents/INC-1/links"))[0]
            await read_ticket(installation, jira["integration_id"], jira["ticket_id"])
            await told(installation, recorder, 3)

"""`kill -9` in the middle of three pushes at once, and the count afterwards, from the vendors' own ledgers."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from callout.cli.demo.checks import LOOK_SECONDS, expect
from callout.cli.demo.processes import Process
from callout.cli.demo.stage import TAKEOVER_SECONDS
from callout.cli.demo.story import COMMENT, TITLE, Story, is_up

NOTE = "Rolling back release 481."
SECOND_TITLE = "search is slow"
HOLD_SECONDS = 60
UNTIL_IT_GIVES_UP = 10.0
"""Seconds; well within the 20 that a worker waits for a vendor's answer."""
# The vendor does what it is asked to, and then its answer never comes.
_HOLD = {"kind": "timeout_after_write", "hold": HOLD_SECONDS}
JIRA_FAULTS = [
    {"match": {"method": "POST", "path": r"/rest/api/3/issue$", "first": 1}, "effect": _HOLD},
    {"match": {"method": "POST", "path": r"/issue/[^/]+/comment$", "first": 1}, "effect": _HOLD},
]
SLACK_FAULTS = [{"match": {"path": r"/chat\.postMessage$", "first": 1}, "effect": _HOLD}]


@dataclass(frozen=True, slots=True)
class Tally:
    """One kind of outside effect: how many there should be, are there, and are there more than once."""

    wanted: int
    done: int
    doubled: int

    @property
    def ok(self) -> bool:
        """Whether nothing is lost and nothing doubled."""
        return self.wanted == self.done and not self.doubled


def tally(wanted: Iterable[Hashable], seen: Iterable[Hashable], *more_keys: Iterable[Hashable]) -> Tally:
    """Compare the effects that should be there with those in a ledger; `more_keys` must be there at most once, too."""
    keys, counts = set(wanted), Counter(seen)
    doubled = max(
        sum(count > 1 for count in Counter(one).values()) for one in (counts.elements(), *more_keys)
    )
    return Tally(len(keys), len(keys & counts.keys()), doubled)


class Killing:
    """The two steps around the kill; they share what they know with the story."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._stage = story.stage
        self.tallies: dict[str, Tally] = {}
        self.perhaps_sent = 0
        self._second = ""

    def kill(self) -> None:
        """Three writes are done at the vendors and unanswered; then the worker that waits for the answers is killed."""
        stage, story, say = self._stage, self._story, self._story.say
        key, ticket = story.incident.key, story.incident.ticket
        stage.twin("jira", "PUT", "faults", {"rules": JIRA_FAULTS})
        stage.twin("slack", "PUT", "faults", {"rules": SLACK_FAULTS})
        say("demo", "from now the vendors do the next write of each kind, and withhold its answer")
        stage.api("POST", f"/incidents/{key}/notes", {"text": NOTE})
        say("Callout", f"note on {key} through the API: {NOTE}")
        self._held("jira", "comment.create")
        say("Jira", f"{ticket} has the comment; the worker waits for the answer")
        self._held("slack", "chat.postMessage")
        say("Slack", "a thread has the note; the worker waits for the answer")
        say("Slack", f"ann types: /im declare sev2 {SECOND_TITLE}")
        story.slack_command("U0ANN", f"declare sev2 {SECOND_TITLE}")
        self._second = stage.api("GET", "/incidents")[0]["key"]
        made = self._held("jira", "issue.create")
        say("Jira", f"{made['target']} is made for {self._second}; the worker waits for the answer")
        channel = self._channels()[1]
        # Inviting comes last: with it everything else of the second incident is over, and only the three writes are in doubt.
        story.slack_until(
            f"people are invited to #{channel}",
            "conversations.invite",
            lambda entries: entries[-1]["summary"]["name"] == channel,
        )

        first, second = stage.workers[0], stage.start_worker()
        self._bring_up(second)
        stage.processes.kill(first)
        say("demo", f"kill -9 {first.pid}: worker 1 is gone, in the middle of three writes")

    def _bring_up(self, second: Process) -> None:
        """Have the other worker ready before the kill, unless that takes so long that the first gives up its calls by itself."""
        say = self._story.say
        deadline = time.monotonic() + UNTIL_IT_GIVES_UP
        while not is_up(second) and time.monotonic() < deadline:
            self._stage.processes.check()
            time.sleep(LOOK_SECONDS)
        say("Callout", f"worker 2 is {'up' if is_up(second) else 'starting'} (pid {second.pid})")

    def take_over(self) -> None:
        """Another worker finds out what was done, and finishes. Nothing is repeated blindly."""
        stage, story, say = self._stage, self._story, self._story.say
        link = story.link(self._second)
        say("Callout", f"worker 2 took over after {TAKEOVER_SECONDS} s of silence")
        for wanted in self._messages():
            stage.wait(f"#{wanted[0]}: {wanted[1]}", self._told, partial(_holds, wanted))
        story.link(story.incident.key)
        stage.wait("a message shown as perhaps sent", self._perhaps_sent, bool)
        self.count(self.kinds())
        say("Jira", f"{link['ticket_key']} was found by its label: no second issue")
        say("Jira", f"the comment on {story.incident.ticket} was found by its mark: no second comment")
        say("Slack", "cannot be asked for a message: the one in doubt is shown as perhaps sent, not repeated")
        for name, found in self.tallies.items():
            say("demo", f"{name}: {found.done} of {found.wanted} there, {found.doubled} doubled")
        say(
            "demo",
            f"Slack messages perhaps sent, as Callout shows them: {self.perhaps_sent} (it is there, once)",
        )

    def recount(self) -> None:
        """Count once more when everything is over: whatever came late shows here."""
        for name in ("jira", "slack"):
            self._stage.twin(name, "POST", "drain", {})
        self.count(self.kinds(resolved=True))
        self._story.say("demo", "the ledgers once more: nothing lost, nothing doubled")
        dead = json.loads(self._stage.processes.run("jobs", "list", "--json"))
        expect("no job given up", dead, ok=dead == [])

    def count(self, tallies: Mapping[str, Tally]) -> None:
        """Keep what was counted. Raises StepFailedError when something is lost or doubled."""
        self.tallies = dict(tallies)
        self.perhaps_sent = self._perhaps_sent()
        seen = {name: asdict(found) for name, found in self.tallies.items()}
        expect("nothing lost and nothing doubled", seen, ok=all(t.ok for t in self.tallies.values()))
        expect(
            "one message in doubt, whose answer was withheld", self.perhaps_sent, ok=self.perhaps_sent == 1
        )

    def kinds(self, *, resolved: bool = False) -> dict[str, Tally]:
        """Return every kind of outside effect, as the twins' ledgers have it, beside what the story asked for."""
        stage, incident = self._stage, self._story.incident
        us = stage.seeds["jira"]["users"][0]["account_id"]
        jira = [entry for entry in stage.ledger("jira") if entry["actor"] == us]
        slack = stage.ledger("slack")
        labels = [label for e in _of(jira, "issue.create") for label in e["summary"]["labels"]]
        moves = [f"{e['target']} {e['summary']['status']}" for e in _of(jira, "issue.transition")]
        comments = [
            NOTE if NOTE in e["summary"]["body"] else e["target"] for e in _of(jira, "comment.create")
        ]
        channels = [e["summary"]["name"] for e in _of(slack, "conversations.create")]
        messages = _of(slack, "chat.postMessage")
        keys = [e["summary"]["metadata"]["event_payload"]["key"] for e in messages]
        news = self._messages(resolved=resolved)
        return {
            "Jira issues by label": tally(
                (f"callout-{key.lower()}" for key in (incident.key, self._second)),
                (label.rpartition("-")[0] for label in labels),
            ),
            "Jira transitions": tally([f"{incident.ticket} In Progress"], moves),
            "Jira comments": tally([NOTE], comments),
            "Slack channels": tally(self._channels(), channels),
            "Slack messages by key": tally(news, (_as_news(m, news) for m in messages), keys),
        }

    # ------------------------------------------------------------------------------------ what should be there

    def _channels(self) -> list[str]:
        return [self._story.incident.channel, f"{self._second.lower()}-{SECOND_TITLE.replace(' ', '-')}"]

    def _messages(self, *, resolved: bool = False) -> list[tuple[str, str]]:
        """Return channel and a part of the text of every message that people should find in Slack."""
        first, second = self._channels()
        told = ["SEV-1 → SEV-2", COMMENT, "→ acknowledged", NOTE, *(["→ resolved"] if resolved else [])]
        places = (first, "critical-incidents", "incidents")
        cards = [(place, f"{self._story.incident.key} {TITLE}") for place in places]
        return [
            *((place, news) for news in told for place in places),
            *cards,
            *((place, f"{self._second} {SECOND_TITLE}") for place in (second, "incidents")),
        ]

    def _told(self) -> set[tuple[str, str]]:
        messages, wanted = self._stage.ledger("slack", "chat.postMessage"), self._messages()
        return {_as_news(message, wanted) for message in messages}

    def _perhaps_sent(self) -> int:
        entries = self._stage.api("GET", f"/incidents/{self._story.incident.key}/timeline")
        return sum(entry["kind"] == "chat_message_perhaps_sent" for entry in entries)

    def _held(self, twin: str, kind: str) -> dict[str, Any]:
        """Wait until a write was done in a twin and its answer is withheld; return the ledger's entry."""
        found = self._stage.wait(
            f"{kind} done at the {twin} twin, its answer withheld",
            lambda: [entry for entry in self._stage.ledger(twin, kind) if entry["fault"]],
            bool,
        )
        return found[-1]


def _of(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["kind"] == kind]


def _holds(wanted: tuple[str, str], told: set[tuple[str, str]]) -> bool:
    return wanted in told


def _as_news(message: Mapping[str, Any], wanted: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return which of the wanted messages this is; its own text where it is none of them."""
    channel, text = message["summary"]["channel"], message["summary"]["text"]
    return next(
        ((place, news) for place, news in wanted if place == channel and news in text), (channel, text)
    )

"""The story, step by step: people act in the vendors' own pages, and each step checks what the other systems then show."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callout.cli.demo.checks import START_SECONDS, expect
from callout.cli.demo.narration import Narrator
from callout.cli.demo.processes import Process
from callout.cli.demo.stage import JIRA_EVENTS, JIRA_HOOK_SECRET, Stage, prepare, read_audit

TITLE = "checkout is down"
COMMENT = "The payment gateway answers again since 14:05."
SLACK_OK, SLACK_SECONDS = 200, 3.0


@dataclass(slots=True)
class Incident:
    """What the story knows of its incident so far."""

    key: str = ""
    ticket: str = ""
    channel: str = ""


class Story:
    """The steps, in order. Each raises StepFailedError when something is not as it should be."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self.stage = stage
        self.say = narrator.say
        self.quote = narrator.quote
        self.incident = Incident()

    # ------------------------------------------------------------------------------------ the stage is set

    def start(self) -> None:
        """Three kinds of process, started side by side; the database is made meanwhile."""
        stage, processes = self.stage, self.stage.processes
        twins = processes.start("twins", "sandbox", "--port", stage.places.twins.rpartition(":")[2])
        import callout.bootstrap.core  # noqa: F401  # loaded while the twins start

        stage.wait_for_start("the twins", lambda: stage.answers(f"{stage.places.twins}/jira/_twin/state"))
        self.say("demo", f"twins of the vendors at {stage.places.twins} (pid {twins.pid})")
        stage.seeds = {name: stage.twin(name, "GET", "credentials") for name in ("jira", "slack")}
        stage.connected = prepare(stage.places, stage.seeds)
        self.say(
            "Callout", "SQLite database made; a token and two integrations stored, credentials encrypted"
        )
        api, worker = processes.start("api", "serve", "--role", "api"), stage.start_worker()
        stage.wait_for_start("the API", lambda: stage.answers(f"{stage.places.callout}/readyz"))
        self.say("Callout", f"API at {stage.places.callout} (pid {api.pid})")
        stage.wait_for_start("the worker", lambda: is_up(worker))
        self.say("Callout", f"worker 1 (pid {worker.pid})")

    def connect(self) -> None:
        """Both vendors are told where to send their requests, each in its own way."""
        stage = self.stage
        hook = {
            "name": "Callout",
            "url": stage.connected.jira,
            "events": JIRA_EVENTS,
            "secret": JIRA_HOOK_SECRET,
        }
        made = stage.jira("POST", "/rest/webhooks/1.0/webhook", hook)
        expect("a signed webhook", made, ok=made.get("isSigned") is True)
        self.say("Jira", f"webhook registered through its REST API, signed: {made['self']}")
        door = stage.connected.slack
        urls = {
            "command_url": f"{door}/commands",
            "interactivity_url": f"{door}/interactions",
            "events_url": f"{door}/events",
        }
        stage.twin("slack", "PUT", "config", urls)
        self.say("Slack", f"app's request URLs: {door}/…")
        doors = {"Jira": stage.connected.jira, "Slack": f"{door}/commands"}
        refused = {who: stage.status_of_forged(url) for who, url in doors.items()}
        expect("401 for requests with a forged signature", refused, ok=set(refused.values()) == {401})
        self.say("Callout", "a request with a forged signature is refused at both doors: 401")

    # ------------------------------------------------------------------------------------ the incident

    def declare(self) -> None:
        """Somebody types a command; the answer does not wait for any vendor."""
        text = f"declare sev1 {TITLE} --service checkout"
        self.say("Slack", f"ann types: /im {text}")
        answer = self.slack_command("U0ANN", text)
        found = self.stage.api("GET", "/incidents")
        expect("one incident", found, ok=len(found) == 1)
        [made] = found
        facts = (made["title"], made["severity"], made["service"], made["status"])
        expect("the incident as declared", facts, ok=facts == (TITLE, "SEV-1", "checkout", "open"))
        self.incident.key = made["key"]
        self.say("Slack", f"answered in {answer['elapsed_ms']:.0f} ms: {answer['shown']['text']}")
        self.say("Callout", f"{made['key']} {made['severity']} is {made['status']}, stored and numbered")

    def channel(self) -> None:
        """A channel of its own, a card there and one where such incidents are told, the declarer invited."""
        key = self.incident.key
        made = self.slack_until(
            "one channel for the incident",
            "conversations.create",
            lambda entries: len(entries) == 1,
        )
        self.incident.channel = made[0]["summary"]["name"]
        places = {"critical-incidents", self.incident.channel}
        cards = self.slack_until(
            f"a card in {' and '.join(sorted(places))}",
            "chat.postMessage",
            lambda entries: places <= {channel for channel, text in told(entries) if key in text},
        )
        self.slack_until(
            "ann is invited", "conversations.invite", lambda e: e[-1]["summary"]["users"] == ["U0ANN"]
        )
        self.say("Slack", f"#{self.incident.channel} made, ann invited")
        for channel, text in told(cards):
            self.say("Slack", f"#{channel}: {text}")

    def ticket(self) -> None:
        """The issue is made by a job, and carries our key."""
        link = self.link(self.incident.key)
        self.incident.ticket = link["ticket_key"]
        issue = self.issue()
        facts = (issue["summary"], issue["priority"]["name"], issue["status"]["name"])
        expect("the issue as declared", facts, ok=facts == (TITLE, "Highest", "To Do"))
        expect("our key as the only label", issue["labels"], ok=len(issue["labels"]) == 1)
        self.say("Jira", f"{self.incident.ticket} “{facts[0]}”, priority {facts[1]}, {facts[2]}")
        self.say(
            "Jira", f"label {issue['labels'][0]}: by it a retry finds the issue instead of making another"
        )

    def edit(self) -> None:
        """A person works in Jira; the incident and Slack follow."""
        ticket, places = self.incident.ticket, ("critical-incidents", "incidents", self.incident.channel)
        self.jira_act("edit_issue", {"issue": ticket, "fields": {"priority": "High"}})
        self.say("Jira", f"Ann Agent sets the priority of {ticket} to High")
        self.jira_act("comment", {"issue": ticket, "body": COMMENT})
        self.say("Jira", f"Ann Agent comments: {COMMENT}")
        self.incident_until("severity SEV-2", lambda one: one["severity"] == "SEV-2")
        self.say("Callout", "by signed webhook: severity SEV-1 → SEV-2")
        notes = self.stage.wait(
            "the comment as a note",
            lambda: self.stage.api("GET", f"/incidents/{self.incident.key}/notes"),
            bool,
        )
        facts = [(note["text"], note["author"]["name"]) for note in notes]
        expect("one note, by its author", facts, ok=facts == [(COMMENT, "Ann Agent")])
        self.say("Callout", "the comment is a note by Ann Agent")
        for news in ("SEV-1 → SEV-2", COMMENT):
            self.news_until(news, places)
            self.say("Slack", f"told in {len(places)} threads: {news}")

    def acknowledge(self) -> None:
        """Back the other way: chat moves the ticket."""
        self.say("Slack", f"bob types: /im ack {self.incident.key}")
        answer = self.slack_command("U0BOB", f"ack {self.incident.key}")
        self.say("Slack", f"answered in {answer['elapsed_ms']:.0f} ms: {answer['shown']['text']}")
        self.incident_until("acknowledged", lambda one: one["status"] == "acknowledged")
        self.stage.wait("Jira: In Progress", self.issue, lambda i: i["status"]["name"] == "In Progress")
        self.say("Jira", f"{self.incident.ticket} moved to In Progress by its real transition")
        self.news_until("→ acknowledged", ("critical-incidents", "incidents", self.incident.channel))
        self.say("Slack", "told in 3 threads: open → acknowledged")

    def resolve(self) -> None:
        """The ticket is done; so is the incident, and Slack hears of it."""
        self.jira_act("transition", {"issue": self.incident.ticket, "to": "Done"})
        self.say("Jira", f"Ann Agent moves {self.incident.ticket} to Done")
        self.incident_until("resolved", lambda one: one["status"] == "resolved")
        self.say("Callout", f"{self.incident.key} is resolved")
        self.news_until("→ resolved", ("critical-incidents", "incidents", self.incident.channel))
        self.say("Slack", "told in 3 threads: acknowledged → resolved")

    def record(self) -> None:
        """The timeline wrote itself, and the audit record is whole."""
        self.say("Callout", f"timeline of {self.incident.key}")
        entries = self.stage.api("GET", f"/incidents/{self.incident.key}/timeline")
        kinds = Counter(entry["kind"] for entry in entries)
        wanted = {"declared", "chat_channel_created", "ticket_created", "changed", "noted"}
        expect(f"at least {', '.join(sorted(wanted))}", kinds, ok=wanted <= set(kinds))
        for entry in entries:
            who = entry["actor"]["name"] or "Callout"
            self.quote(f"{entry['at'][11:23]}  {who:<12}  {in_words(entry)}")
        verified = json.loads(self.stage.processes.run("audit", "verify", "--json"))
        expect("an audit record that is whole", verified, ok=verified["ok"] and verified["rows"] > 0)
        rows = asyncio.run(read_audit(self.stage.places.load()))
        self.say("Callout", "audit record, sealed row by row into a chain with a signed head")
        for row in rows:
            self.quote(
                f"{row.created_at:%H:%M:%S.%f}"[:-3]
                + f"  {row.actor.name or row.actor.kind.value:<12}  {row.action}"
            )
        self.say("Callout", f"`callout audit verify`: whole, {verified['rows']} rows")

    # ------------------------------------------------------------------------------------ how to look and act

    def slack_command(self, user: str, text: str) -> dict[str, Any]:
        """Type a command as a user of Slack; it comes signed, and the answer must be in time."""
        act = {"user": user, "channel": "C0INCIDENTS", "command": "/im", "text": text}
        answer: dict[str, Any] = self.stage.twin("slack", "POST", "act/slash_command", act)
        in_time = answer["status"] == SLACK_OK and answer["elapsed_ms"] < SLACK_SECONDS * 1000
        expect("200 within Slack's three seconds", answer, ok=in_time and answer.get("shown"))
        return answer

    def jira_act(self, action: str, body: Mapping[str, Any]) -> None:
        """Do something in Jira's pages as Ann Agent; Jira then sends its signed webhooks."""
        self.stage.twin("jira", "POST", f"act/{action}", {**body, "as": "ann@example.com"})

    def issue(self) -> dict[str, Any]:
        """Return the fields of the incident's issue, as Jira's REST API answers."""
        fields: dict[str, Any] = self.stage.jira("GET", f"/rest/api/3/issue/{self.incident.ticket}")["fields"]
        return fields

    def link(self, key: str) -> dict[str, Any]:
        """Wait until an incident's ticket is there and in step, and return the link."""

        def in_step(links: list[dict[str, Any]]) -> bool:
            return [(one["state"], one["problem"], one["pending"]) for one in links] == [("active", None, [])]

        found = self.stage.wait(
            f"one ticket of {key}, in step",
            lambda: self.stage.api("GET", f"/incidents/{key}/links"),
            in_step,
            seconds=START_SECONDS,  # after the kill, the other worker may still be starting
        )
        only: dict[str, Any] = found[0]
        return only

    def incident_until(self, expected: str, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the incident is as `accept` likes it."""
        path = f"/incidents/{self.incident.key}"
        found: dict[str, Any] = self.stage.wait(
            f"{self.incident.key}: {expected}", lambda: self.stage.api("GET", path), accept
        )
        return found

    def slack_until(
        self, expected: str, kind: str, accept: Callable[[list[dict[str, Any]]], bool]
    ) -> list[dict[str, Any]]:
        """Wait until Slack's ledger shows something."""
        return self.stage.wait(
            expected, lambda: self.stage.ledger("slack", kind), lambda entries: entries and accept(entries)
        )

    def news_until(self, news: str, places: tuple[str, ...]) -> None:
        """Wait until the threads of all places were told `news`, each once."""
        wanted = Counter(places)

        def seen() -> Counter[str]:
            entries = self.stage.ledger("slack", "chat.postMessage")
            return Counter(channel for channel, text in told(entries) if news in text)

        self.stage.wait(f"“{news}” once in each of {', '.join(places)}", seen, lambda found: found == wanted)


def is_up(worker: Process) -> bool:
    """Return whether a worker has said that it works."""
    return worker.says("role=worker")


def told(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return channel and text of posted messages."""
    return [(entry["summary"]["channel"], entry["summary"]["text"]) for entry in entries]


def in_words(entry: Mapping[str, Any]) -> str:
    """Return a line of the timeline as a person reads it."""
    data = entry["data"]
    if entry["kind"] == "changed":
        changes = data["changes"].items()
        return ", ".join(f"{field}: {change['before']} → {change['after']}" for field, change in changes)
    kept = ("severity", "title", "text", "name", "ticket", "integration", "place", "purpose")
    shown = ", ".join(str(data[name]) for name in kept if data.get(name))
    return f"{entry['kind'].replace('_', ' ')}: {shown}"

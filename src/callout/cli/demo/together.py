"""The second act: one incident in Jira, ServiceNow and PagerDuty, edited on every side while nobody can be reached, then healed.

Webhooks of those minutes are lost for good, so it is polling that heals. One field was changed on two sides; a person decides.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from callout.cli.demo.checks import START_SECONDS, expect
from callout.cli.demo.story import Story

TITLE = "login fails"
THEIR_TITLE = "Login fails for everyone on iOS"
OUR_TITLE = "Login fails since release 482"
OUR_NOTE = "Rolling back release 482."
WORK_NOTE = "The session store is full."
PAGED_NOTE = "Called the identity team."
NAMES = {"jira": "Jira", "servicenow": "ServiceNow", "pagerduty": "PagerDuty"}
CREATIONS = {"jira": "issue.create", "servicenow": "record.create", "pagerduty": "incident.create"}
OUTAGE = [
    {"match": {"path": "^/(?!_twin)"}, "effect": {"kind": "status", "status": 503}},
    {"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}},
]
HEALING_SECONDS = 90.0
SEVERAL = 4


class Together:
    """The steps of the second act, in order."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._stage = story.stage
        self.key = ""
        self.tickets: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._before: dict[str, int] = {}

    def join(self) -> None:
        """Two more systems are added by an operator's commands, while everything runs."""
        stage, say = self._stage, self._story.say
        for name in ("servicenow", "pagerduty"):
            stage.seeds[name] = stage.twin(name, "GET", "credentials")
        snow, pager = stage.seeds["servicenow"], stage.seeds["pagerduty"]
        configs = {
            "servicenow": {
                "url": f"{stage.places.twins}{snow['base_path']}",
                "credential": {"type": "basic", "username": "callout.integration", "secret": "integration"},
                "default_project": "incident",
            },
            "pagerduty": {
                "url": f"{stage.places.twins}{pager['base_path']}",
                "credential": {"type": "token", "secret": pager["api_key"]},
                "default_project": pager["services"][0]["id"],
                "default_creator": pager["from"],
            },
        }
        with ThreadPoolExecutor(len(configs)) as operators:
            for added in [operators.submit(self._add, name, config) for name, config in configs.items()]:
                added.result()
        for name in configs:
            say("Callout", f"`callout integration add ticketing_{name}`; its `test` is content")
        say(
            "PagerDuty",
            "webhook subscription made through its API, the signing key stored; ServiceNow is polled",
        )

    def _add(self, name: str, config: Mapping[str, Any]) -> None:
        run = self._stage.processes.run
        run("integration", "add", f"ticketing_{name}", "--name", name, "--config", json.dumps(config))
        run("integration", "test", name)
        if name == "pagerduty":
            run("integration", "subscribe", name)

    def declare(self) -> None:
        """One incident, three tickets."""
        stage, say = self._stage, self._story.say
        self._before = self._created()
        made = stage.api("POST", "/incidents", {"title": TITLE, "severity": "SEV-2"})
        self.key = made["key"]
        say("Callout", f"{self.key} SEV-2 “{TITLE}” declared through the API")
        for link in self._in_step():
            self.tickets[link["integration"]] = link["ticket_key"]
            self._ids[link["integration"]] = link["ticket_id"]
        for name, shown in NAMES.items():
            say(shown, f"{self.tickets[name]} “{self._title(name)}”")
        expect("the title in all three", self._titles(), ok=set(self._titles().values()) == {TITLE})

    def outage(self) -> None:
        """Nothing can be reached, and people work on, everywhere."""
        stage, say = self._stage, self._story.say
        for name in NAMES:
            stage.twin(name, "PUT", "faults", {"rules": OUTAGE})
        say("demo", "Jira, ServiceNow and PagerDuty answer 503, and the webhooks they send are lost")
        snow, pager, jira = (self.tickets[name] for name in ("servicenow", "pagerduty", "jira"))
        fields = {"short_description": THEIR_TITLE}
        stage.twin("servicenow", "POST", "act/edit_record", {"record": snow, "fields": fields})
        say("ServiceNow", f"Ann Lee renames {snow}: {THEIR_TITLE}")
        stage.twin("servicenow", "POST", "act/work_note", {"record": snow, "text": WORK_NOTE})
        say("ServiceNow", f"Ann Lee writes a work note: {WORK_NOTE}")
        stage.twin(
            "pagerduty", "POST", "act/note", {"incident": self._ids["pagerduty"], "content": PAGED_NOTE}
        )
        say("PagerDuty", f"Ann Onduty notes on {pager}: {PAGED_NOTE}")
        self._story.jira_act("edit_issue", {"issue": jira, "fields": {"priority": "Highest"}})
        say("Jira", f"Ann Agent sets the priority of {jira} to Highest")
        stage.api("PATCH", f"/incidents/{self.key}", {"title": OUR_TITLE})
        say("Callout", f"{self.key} is renamed: {OUR_TITLE}")
        stage.api("POST", f"/incidents/{self.key}/notes", {"text": OUR_NOTE})
        say("Callout", f"note: {OUR_NOTE}")

        def in_trouble(links: list[dict[str, Any]]) -> bool:
            return all(link["problem"] for link in links)

        links = stage.wait("each link says what is wrong", self._links, in_trouble)
        say("Callout", f"each link says so: {links[0]['problem']['message'].splitlines()[0][:110]}")

    def heal(self) -> None:
        """All is caught up, by polling; only the title that was changed on two sides waits."""
        stage, say = self._stage, self._story.say
        for name in NAMES:
            stage.twin(name, "PUT", "faults", {"rules": []})
        say("demo", "they can be reached again")
        wanted = {OUR_NOTE, WORK_NOTE, PAGED_NOTE}
        stage.wait("all notes", self._notes, lambda notes: notes == Counter(wanted), seconds=HEALING_SECONDS)
        path = f"/incidents/{self.key}"
        stage.wait(
            "SEV-1",
            lambda: stage.api("GET", path),
            lambda one: one["severity"] == "SEV-1",
            seconds=HEALING_SECONDS,
        )
        [conflict] = stage.wait(
            "one conflict",
            lambda: stage.api("GET", f"{path}/conflicts"),
            lambda c: len(c) == 1,
            seconds=HEALING_SECONDS,
        )
        stage.wait(
            "no trouble is left",
            self._links,
            lambda ls: not any(link["problem"] for link in ls),
            seconds=HEALING_SECONDS,
        )
        say(
            "Callout",
            "severity SEV-2 → SEV-1 came from Jira, two notes came over, ours went out to all three",
        )
        facts = (conflict["field"], conflict["integration"], conflict["ours"], conflict["theirs"])
        expect("a conflict of the title", facts, ok=facts == ("title", "servicenow", OUR_TITLE, THEIR_TITLE))
        say(
            "Callout",
            f"the title was changed on two sides: “{OUR_TITLE}” here, “{THEIR_TITLE}” in ServiceNow",
        )

    def decide(self) -> None:
        """A person decides; then every system says the same, and falls silent."""
        stage, say = self._stage, self._story.say
        command = ("incident", "resolve-conflict", self.key, "title", "--take", "theirs")
        stage.processes.run(*command)
        say("Callout", f"`callout {' '.join(command)}`")
        everywhere = dict.fromkeys(NAMES, THEIR_TITLE)
        stage.wait(
            "their title everywhere", self._titles, lambda titles: titles == everywhere, seconds=START_SECONDS
        )
        self._in_step()
        for name, shown in NAMES.items():
            say(shown, f"{self.tickets[name]} “{THEIR_TITLE}”")

    def count(self) -> None:
        """One ticket each, each text once, and no more writes."""
        stage, say = self._stage, self._story.say
        for name in NAMES:
            stage.twin(name, "POST", "drain", {})
        written = {name: len(stage.ledger(name)) for name in NAMES}
        before = self._requests()
        # More rounds of polling, in which an echo would show.
        stage.wait(
            "polling goes on",
            self._requests,
            lambda now: all(now[name] >= before[name] + SEVERAL for name in NAMES),
            seconds=START_SECONDS,
        )
        after = {name: len(stage.ledger(name)) for name in NAMES}
        expect("no further write", after, ok=after == written)
        made = {name: number - self._before[name] for name, number in self._created().items()}
        expect("one ticket in each", made, ok=set(made.values()) == {1})
        notes = self._notes()
        expect("each note once", notes, ok=set(notes.values()) == {1})
        say("demo", f"after more rounds of polling: no further write; {len(notes)} notes, each once")
        say(
            "demo",
            "one ticket in each system, by their ledgers; nothing lost, nothing doubled, nothing echoed",
        )

    # ------------------------------------------------------------------------------------ how to look

    def _links(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._stage.api("GET", f"/incidents/{self.key}/links")
        return found

    def _in_step(self) -> list[dict[str, Any]]:
        def in_step(links: list[dict[str, Any]]) -> bool:
            return len(links) == len(NAMES) and all(
                (one["state"], one["problem"], one["pending"]) == ("active", None, []) for one in links
            )

        return self._stage.wait("three tickets in step", self._links, in_step, seconds=START_SECONDS)

    def _created(self) -> dict[str, int]:
        return {name: len(self._stage.ledger(name, kind)) for name, kind in CREATIONS.items()}

    def _requests(self) -> dict[str, int]:
        return {name: len(self._stage.twin(name, "GET", "ledger?kind=http")["entries"]) for name in NAMES}

    def _notes(self) -> Counter[str]:
        return Counter(note["text"] for note in self._stage.api("GET", f"/incidents/{self.key}/notes"))

    def _titles(self) -> dict[str, str]:
        return {name: self._title(name) for name in NAMES}

    def _title(self, name: str) -> str:
        """Return the title as the vendor's own API tells it."""
        stage, ticket = self._stage, self._ids[name]
        if name == "jira":
            return str(stage.jira("GET", f"/rest/api/3/issue/{ticket}")["fields"]["summary"])
        seed = stage.seeds[name]
        base = f"{stage.places.twins}{seed['base_path']}"
        if name == "pagerduty":
            token = {"Authorization": f"Token token={seed['api_key']}"}
            return str(stage.call("GET", f"{base}/incidents/{ticket}", headers=token)["incident"]["title"])
        login = (seed["username"], seed["password"])
        record = stage.call("GET", f"{base}/api/now/table/incident/{ticket}", auth=login)["result"]
        return str(record["short_description"])

"""The state of one Jira site and the look-ups everything else is built on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from callout.sandbox.jira.errors import NotVisibleError
from callout.sandbox.jira.index import SearchIndex
from callout.sandbox.jira.model import Field, Issue, IssueType, JsonObject, Named, Project, Status, User
from callout.sandbox.jira.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from callout.sandbox.jira.events import SiteEvent


@dataclass(slots=True)
class Site:
    """Everything the site knows.

    Args:
        now: the twin's clock, aware UTC.
        publish: called with every event, in order, right after the state changed.
        record: called with ledger kind, actor, issue and facts at the very change of state.
    """

    now: Callable[[], datetime]
    publish: Callable[[SiteEvent], None]
    record: Callable[[str, User, Issue, JsonObject], None]
    users: dict[str, User] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    issue_types: dict[str, IssueType] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    priorities: dict[str, Named] = field(default_factory=dict)
    resolutions: dict[str, Named] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    issues: dict[str, Issue] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    # The sub-tasks, in order of their making: few, while issues may be many.
    subtask_ids: dict[str, None] = field(default_factory=dict)
    index: SearchIndex = field(default_factory=SearchIndex)
    settings: Settings = field(default_factory=Settings)
    last_id: int = 10_000

    def moment(self) -> datetime:
        """Now, to the millisecond: what Jira stores."""
        now = self.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def next_id(self) -> str:
        """A fresh numeric id; ids are never used twice, whatever they name."""
        self.last_id += 1
        return str(self.last_id)

    def zone(self, user: User | None) -> ZoneInfo:
        """The time zone in which `user` reads and writes dates (the site's own is UTC)."""
        return ZoneInfo(user.time_zone if user else "UTC")

    def may_browse(self, user: User | None, project_id: str) -> bool:
        """Whether the account sees the project; the anonymous visitor sees none."""
        return user is not None and user.account_id not in self.projects[project_id].closed_to

    def visible_projects(self, user: User | None) -> list[Project]:
        """The projects the account may browse, by key."""
        return sorted((p for p in self.projects.values() if self.may_browse(user, p.id)), key=lambda p: p.key)

    def project(self, id_or_key: str, user: User | None) -> Project:
        """A visible project by id or key.

        Raises:
            NotVisibleError: missing or hidden.
        """
        for project in self.projects.values():
            if id_or_key in {project.id, project.key} and self.may_browse(user, project.id):
                return project
        raise NotVisibleError(f"No project could be found with key '{id_or_key}'.")

    def find_issue(self, id_or_key: str) -> Issue | None:
        """An issue by id, by key or by a key it had before it moved."""
        return self.issues.get(id_or_key) or self.issues.get(self.keys.get(id_or_key.upper(), ""))

    def issue(self, id_or_key: str, user: User | None) -> Issue:
        """A visible issue by id or key, fresh from the store, never from the search index.

        Raises:
            NotVisibleError: missing or hidden.
        """
        issue = self.find_issue(id_or_key)
        if issue is None or not self.may_browse(user, issue.project_id):
            raise NotVisibleError
        return issue

    def project_of(self, issue: Issue) -> Project:
        """The project an issue is in now."""
        return self.projects[issue.project_id]

    def status_of(self, issue: Issue) -> Status:
        """The status an issue is in now."""
        return self.statuses[issue.values["status"]]

    def subtasks(self, issue: Issue) -> list[Issue]:
        """The issues that name this one as parent and are sub-tasks."""
        children = (self.issues[ident] for ident in self.subtask_ids)
        return [child for child in children if child.values.get("parent") == issue.id]

    def assignable(self, user: User, project: Project) -> bool:
        """Whether an issue of the project may be given to the account."""
        return user.active and user.account_type == "atlassian" and user.account_id not in project.closed_to

    def reindex(self, issue: Issue) -> None:
        """Let the search index learn of a change."""
        if self.issue_types[issue.values["issuetype"]].subtask:
            self.subtask_ids[issue.id] = None
        else:
            self.subtask_ids.pop(issue.id, None)
        self.index.put(issue, at=self.moment())

    def remove(self, issue: Issue) -> None:
        """Take an issue out of the store and, as far as it goes, out of the index."""
        del self.issues[issue.id]
        self.subtask_ids.pop(issue.id, None)
        for key in (issue.key, *issue.old_keys):
            self.keys.pop(key, None)
        self.index.drop(issue.id, at=self.moment())

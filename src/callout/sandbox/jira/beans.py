"""How the site's things look on the wire (Jira's "beans"), seen by one account in one REST version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from callout.sandbox.jira.wiki import to_wiki

if TYPE_CHECKING:
    from callout.sandbox.jira.model import (
        Attachment,
        Comment,
        History,
        Issue,
        IssueType,
        JsonObject,
        Named,
        Project,
        RestVersion,
        Status,
        StatusCategory,
        User,
    )
    from callout.sandbox.jira.site import Site

AVATAR_SIZES = ("48x48", "24x24", "16x16", "32x32")


@dataclass(frozen=True, slots=True)
class View:
    """Who looks (None for anonymous), in which REST version, under which base URL.

    `webhook` leaves out what webhook bodies leave out (mail addresses, locale).
    """

    site: Site
    base: str
    version: RestVersion
    viewer: User | None
    webhook: bool = False

    @property
    def rest(self) -> str:
        """The base of `self` links."""
        return f"{self.base}/rest/api/{self.version}"

    def moment(self, value: datetime) -> str:
        """A timestamp in the viewer's zone, its offset without a colon as Jira writes it."""
        local = value.astimezone(self.site.zone(self.viewer))
        return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"

    def story(self, document: JsonObject | None) -> JsonObject | str | None:
        """Rich text: ADF in v3, wiki markup in v2."""
        return document if self.version != 2 else to_wiki(document)  # noqa: PLR2004 - the REST version

    def avatars(self, what: str) -> JsonObject:
        """Avatar addresses in the four usual sizes."""
        return {size: f"{self.base}/avatar/{what}?size={size.partition('x')[0]}" for size in AVATAR_SIZES}

    def user(self, account_id: str | None) -> JsonObject | None:
        """An account; the mail address only when its owner lets the viewer see it."""
        user = self.site.users.get(account_id or "")
        if user is None:
            return None
        bean: JsonObject = {
            "self": f"{self.rest}/user?accountId={user.account_id}",
            "accountId": user.account_id,
            "avatarUrls": self.avatars(user.account_id),
            "displayName": user.display_name,
            "active": user.active,
            "timeZone": user.time_zone,
            "accountType": user.account_type,
        }
        if not self.webhook and (user.email_visible or user is self.viewer):
            bean["emailAddress"] = user.email
        return bean

    def category(self, category: StatusCategory) -> JsonObject:
        """A status category."""
        return {
            "self": f"{self.rest}/statuscategory/{category.id}",
            "id": category.id,
            "key": category.key,
            "colorName": category.color,
            "name": category.name,
        }

    def status(self, status: Status) -> JsonObject:
        """A workflow status."""
        return {
            "self": f"{self.rest}/status/{status.id}",
            "description": "",
            "iconUrl": f"{self.base}/images/icons/statuses/generic.png",
            "name": status.name,
            "id": status.id,
            "statusCategory": self.category(status.category),
        }

    def priority(self, priority: Named) -> JsonObject:
        """A priority."""
        return {
            "self": f"{self.rest}/priority/{priority.id}",
            "iconUrl": f"{self.base}/images/icons/priorities/{priority.name.lower()}.svg",
            "name": priority.name,
            "id": priority.id,
        }

    def resolution(self, resolution: Named) -> JsonObject:
        """A resolution."""
        return {
            "self": f"{self.rest}/resolution/{resolution.id}",
            "id": resolution.id,
            "description": resolution.description,
            "name": resolution.name,
        }

    def issue_type(self, issue_type: IssueType) -> JsonObject:
        """An issue type."""
        return {
            "self": f"{self.rest}/issuetype/{issue_type.id}",
            "id": issue_type.id,
            "description": issue_type.description,
            "iconUrl": f"{self.base}/images/icons/issuetypes/{issue_type.name.lower()}.svg",
            "name": issue_type.name,
            "subtask": issue_type.subtask,
            "avatarId": 10318,
            "hierarchyLevel": -1 if issue_type.subtask else 0,
        }

    def project(self, project: Project) -> JsonObject:
        """A project, short."""
        return {
            "self": f"{self.rest}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": project.type,
            "simplified": False,
            "avatarUrls": self.avatars(f"project/{project.id}"),
        }

    def full_project(self, project: Project) -> JsonObject:
        """A project with its issue types, components and lead."""
        return {
            "expand": "description,lead,issueTypes,url,projectKeys,permissions,insight",
            **self.project(project),
            "description": "",
            "lead": self.user(project.lead),
            "components": [
                {"self": f"{self.rest}/component/{item.id}", "id": item.id, "name": item.name}
                for item in project.components
            ],
            "issueTypes": [self.issue_type(self.site.issue_types[ident]) for ident in project.issue_types],
            "assigneeType": "UNASSIGNED",
            "versions": [],
            "roles": {"Administrators": f"{self.rest}/project/{project.id}/role/10002"},
            "style": "classic",
            "isPrivate": False,
            "properties": {},
        }

    def comment(self, comment: Comment, issue: Issue) -> JsonObject:
        """A comment; `jsdPublic` says whether a customer may read it."""
        bean: JsonObject = {
            "self": f"{self.rest}/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": self.user(comment.author),
            "body": self.story(comment.body),
            "updateAuthor": self.user(comment.update_author),
            "created": self.moment(comment.created),
            "updated": self.moment(comment.updated),
            "jsdPublic": not comment.internal,
        }
        if comment.visibility:
            bean["visibility"] = comment.visibility
        return bean

    def attachment(self, attachment: Attachment) -> JsonObject:
        """An attachment's metadata."""
        bean: JsonObject = {
            "self": f"{self.rest}/attachment/{attachment.id}",
            "id": attachment.id,
            "filename": attachment.filename,
            "author": self.user(attachment.author),
            "created": self.moment(attachment.created),
            "size": len(attachment.content),
            "mimeType": attachment.mime_type,
            "content": f"{self.rest}/attachment/content/{attachment.id}",
        }
        if attachment.mime_type.startswith("image/"):
            bean["thumbnail"] = f"{self.rest}/attachment/thumbnail/{attachment.id}"
        return bean

    def history(self, history: History) -> JsonObject:
        """A changelog entry."""
        return {
            "id": history.id,
            "author": self.user(history.author),
            "created": self.moment(history.created),
            "items": change_items(history),
        }


def change_items(history: History) -> list[JsonObject]:
    """The items of a changelog entry, as in REST and in webhooks."""
    return [
        {
            "field": item.field,
            "fieldtype": item.fieldtype,
            "fieldId": item.field_id,
            "from": item.from_id,
            "fromString": item.from_text,
            "to": item.to_id,
            "toString": item.to_text,
        }
        for item in history.items
    ]


def reduced_issue(issue: Issue, view: View) -> JsonObject:
    """An issue as others name it: parents, sub-tasks."""
    site = view.site
    return {
        "id": issue.id,
        "key": issue.key,
        "self": f"{view.rest}/issue/{issue.id}",
        "fields": {
            "summary": issue.values["summary"],
            "status": view.status(site.status_of(issue)),
            "priority": view.priority(site.priorities[issue.values["priority"]]),
            "issuetype": view.issue_type(site.issue_types[issue.values["issuetype"]]),
        },
    }

"""Comments, attachments and watchers of an issue."""

from __future__ import annotations

import mimetypes
from dataclasses import replace
from typing import TYPE_CHECKING

from callout.sandbox.jira.errors import NotVisibleError, SiteError
from callout.sandbox.jira.events import SiteEvent
from callout.sandbox.jira.model import Attachment, ChangeItem, Comment, History, Issue, JsonObject
from callout.sandbox.jira.wiki import to_wiki

if TYPE_CHECKING:
    from callout.sandbox.jira.beans import View
    from callout.sandbox.jira.model import User


def add_comment(issue: Issue, draft: JsonObject, view: View, actor: User) -> Comment:
    """Add a comment read by `edits.read_comment`; it bumps the issue's `updated`."""
    site = view.site
    now = site.moment()
    comment = Comment(
        id=site.next_id(),
        author=actor.account_id,
        update_author=actor.account_id,
        body=draft["body"],
        created=now,
        updated=now,
        visibility=draft.get("visibility"),
        properties=tuple(draft.get("properties", {}).items()),
    )
    issue.comments = (*issue.comments, comment)
    _touched(issue, view)
    site.record("comment.create", actor, issue, _comment_facts(comment))
    site.publish(SiteEvent("comment_created", actor, issue, comment=comment))
    return comment


def find_comment(issue: Issue, comment_id: str) -> Comment:
    """A comment of the issue.

    Raises:
        NotVisibleError: the issue has no such comment.
    """
    for comment in issue.comments:
        if comment.id == comment_id:
            return comment
    raise NotVisibleError(f"Can not find a comment for the id: {comment_id}.")


def edit_comment(issue: Issue, comment: Comment, draft: JsonObject, view: View, actor: User) -> Comment:
    """Replace a comment's body; visibility and properties only when given."""
    changed = replace(
        comment,
        body=draft["body"],
        update_author=actor.account_id,
        updated=view.site.moment(),
        visibility=draft.get("visibility") or comment.visibility,
        properties=tuple({**dict(comment.properties), **draft.get("properties", {})}.items()),
    )
    issue.comments = tuple(changed if other.id == comment.id else other for other in issue.comments)
    _touched(issue, view)
    view.site.record("comment.edit", actor, issue, _comment_facts(changed))
    view.site.publish(SiteEvent("comment_updated", actor, issue, comment=changed))
    return changed


def delete_comment(issue: Issue, comment: Comment, view: View, actor: User) -> None:
    """Remove a comment."""
    issue.comments = tuple(other for other in issue.comments if other.id != comment.id)
    _touched(issue, view)
    view.site.record("comment.delete", actor, issue, _comment_facts(comment))
    view.site.publish(SiteEvent("comment_deleted", actor, issue, comment=comment))


def _comment_facts(comment: Comment) -> JsonObject:
    return {"comment": comment.id, "body": to_wiki(comment.body), "internal": comment.internal}


def _touched(issue: Issue, view: View) -> None:
    # from memory: adding, editing and deleting a comment all bump `updated`.
    issue.updated = view.site.moment()
    view.site.reindex(issue)


def add_attachment(
    issue: Issue, filename: str, content: bytes, view: View, actor: User, *, mime_type: str | None = None
) -> Attachment:
    """Attach a file.

    Raises:
        SiteError: 413 when it is larger than the site allows.
    """
    site = view.site
    if len(content) > site.settings.upload_limit:
        raise SiteError(
            413, (f"The file '{filename}' exceeds the maximum size of {site.settings.upload_limit} bytes.",)
        )
    guessed = mime_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    attachment = Attachment(site.next_id(), filename, guessed, actor.account_id, site.moment(), content)
    issue.attachments = (*issue.attachments, attachment)
    history = _attachment_history(issue, view, actor, added=attachment)
    site.record("attachment.create", actor, issue, {"attachment": attachment.id, "filename": filename})
    site.publish(SiteEvent("attachment_created", actor, issue, attachment=attachment))
    site.publish(SiteEvent("jira:issue_updated", actor, issue, "issue_updated", history))
    return attachment


def delete_attachment(issue: Issue, attachment: Attachment, view: View, actor: User) -> None:
    """Remove a file."""
    issue.attachments = tuple(other for other in issue.attachments if other.id != attachment.id)
    history = _attachment_history(issue, view, actor, removed=attachment)
    facts = {"attachment": attachment.id, "filename": attachment.filename}
    view.site.record("attachment.delete", actor, issue, facts)
    view.site.publish(SiteEvent("attachment_deleted", actor, issue, attachment=attachment))
    view.site.publish(SiteEvent("jira:issue_updated", actor, issue, "issue_updated", history))


def _attachment_history(
    issue: Issue,
    view: View,
    actor: User,
    *,
    added: Attachment | None = None,
    removed: Attachment | None = None,
) -> History:
    item = ChangeItem(
        "Attachment",
        "attachment",
        "jira",
        removed.id if removed else None,
        removed.filename if removed else None,
        added.id if added else None,
        added.filename if added else None,
    )
    _touched(issue, view)
    history = History(view.site.next_id(), actor.account_id, issue.updated, (item,))
    issue.histories = (*issue.histories, history)
    return history


def find_attachment(view: View, attachment_id: str) -> tuple[Issue, Attachment]:
    """A visible attachment and its issue.

    Raises:
        NotVisibleError: missing or hidden.
    """
    for issue in view.site.issues.values():
        for attachment in issue.attachments:
            if attachment.id == attachment_id and view.site.may_browse(view.viewer, issue.project_id):
                return issue, attachment
    raise NotVisibleError(f"The attachment with id '{attachment_id}' does not exist")

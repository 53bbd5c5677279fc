"""What people do in Jira's own pages, on the twin's control path. Each act sends the real webhooks."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from callout.sandbox.core.twin import ActError
from callout.sandbox.jira import comments, issues
from callout.sandbox.jira.beans import View
from callout.sandbox.jira.edits import read_comment
from callout.sandbox.jira.errors import SiteError, ValueRefusedError
from callout.sandbox.jira.issue_view import issue_bean
from callout.sandbox.jira.model import User
from callout.sandbox.jira.seed import ANN, add_project
from callout.sandbox.jira.workflow import transition_towards

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.jira.model import Issue, Json, JsonObject
    from callout.sandbox.jira.site import Site


class Acts:
    """The acts of one site. Texts are wiki markup, as in REST v2; `as` names the person by mail or account id."""

    def __init__(self, site: Site, base: str) -> None:
        self._site = site
        self._base = base

    def perform(self, action: str, body: JsonObject) -> JsonObject:
        """Carry out one act and return the issue as it is afterwards (and what was made).

        Raises:
            ActError: unknown act, a missing field, or a refusal by the site.
        """
        act = self._acts().get(action)
        if act is None:
            raise ActError(f"jira has no act {action!r}; there are: {', '.join(sorted(self._acts()))}")
        actor = self._person(body.get("as", ANN))
        view = View(self._site, self._base, 2, actor)
        try:
            return act(body, view, actor)
        except (SiteError, ValueRefusedError) as error:
            raise ActError(str(error)) from error
        except KeyError as error:
            raise ActError(f"{action} needs {error}") from error

    def _acts(self) -> Mapping[str, Callable[[JsonObject, View, User], JsonObject]]:
        return {
            "create_issue": self.create_issue,
            "edit_issue": self.edit_issue,
            "bulk_edit": self.bulk_edit,
            "assign": self.assign,
            "transition": self.transition,
            "move_issue": self.move_issue,
            "delete_issue": self.delete_issue,
            "comment": self.comment,
            "edit_comment": self.edit_comment,
            "delete_comment": self.delete_comment,
            "attach": self.attach,
            "create_project": self.create_project,
            "create_customer": self.create_customer,
            "licence": self.licence,
        }

    def _person(self, name: Json) -> User:
        for user in self._site.users.values():
            if name in {user.account_id, user.email}:
                return user
        raise ActError(f"nobody is called {name!r}")

    def _issue(self, body: JsonObject) -> Issue:
        issue = self._site.find_issue(str(body["issue"]))
        if issue is None:
            raise ActError(f"no issue {body['issue']!r}")
        return issue

    def _fields(self, body: JsonObject, *, required: bool = True) -> JsonObject:
        """The given fields, with the short forms people write: names for project, type, priority, account."""
        fields = dict(body["fields"] if required else body.get("fields") or {})
        for field_id, key in (
            ("project", "key"),
            ("issuetype", "name"),
            ("priority", "name"),
            ("resolution", "name"),
        ):
            if isinstance(fields.get(field_id), str):
                fields[field_id] = {key: fields[field_id]}
        for field_id in ("assignee", "reporter"):
            if isinstance(fields.get(field_id), str):
                fields[field_id] = {"accountId": self._person(fields[field_id]).account_id}
        return fields

    def _result(self, issue: Issue, view: View, **made: Json) -> JsonObject:
        return {"id": issue.id, "key": issue.key, "issue": issue_bean(issue, view), **made}

    def create_issue(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{fields}`; the issue type is Task unless given."""
        fields = {"issuetype": {"name": "Task"}, **self._fields(body)}
        return self._result(issues.create_issue({"fields": fields}, view, actor), view)

    def edit_issue(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, fields?, update?}`."""
        issue = self._issue(body)
        asked = {
            "fields": self._fields(body, required="update" not in body),
            "update": body.get("update") or {},
        }
        issues.edit_issue(issue, asked, view, actor)
        return self._result(issue, view)

    def bulk_edit(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issues, fields}`: webhooks go out in the secondary flow."""
        changed = [self._issue({"issue": name}) for name in body["issues"]]
        for issue in changed:
            issues.edit_issue(issue, {"fields": self._fields(body)}, view, actor, bulk=True)
        return {"issues": [self._result(issue, view) for issue in changed]}

    def assign(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, to}`: a mail address or account id, null for nobody."""
        issue = self._issue(body)
        to = body["to"]
        account = None if to is None else {"accountId": self._person(to).account_id}
        issues.edit_issue(issue, {"fields": {"assignee": account}}, view, actor)
        return self._result(issue, view)

    def transition(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, to, fields?}`: `to` is a status name or id that one transition leads to."""
        issue = self._issue(body)
        found = transition_towards(self._site, issue, str(body["to"]))
        if found is None:
            raise ActError(f"no transition from {self._site.status_of(issue).name!r} to {body['to']!r}")
        asked = {"transition": {"id": found.id}, "fields": self._fields(body, required=False)}
        issues.transition_issue(issue, asked, view, actor)
        return self._result(issue, view)

    def move_issue(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, project}`."""
        issue = self._issue(body)
        issues.move_issue(issue, self._site.project(str(body["project"]), actor), view, actor)
        return self._result(issue, view)

    def delete_issue(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue}`, sub-tasks included."""
        issue = self._issue(body)
        issues.delete_issue(issue, view, actor, with_subtasks=True)
        return {"id": issue.id, "key": issue.key}

    def _comment_draft(self, body: JsonObject, view: View) -> JsonObject:
        draft = read_comment({"body": body["body"]}, view)
        if "internal" in body:
            draft["properties"] = {"sd.public.comment": {"internal": body["internal"] is True}}
        return draft

    def create_project(self, body: JsonObject, _view: View, actor: User) -> JsonObject:
        """`{key, name, type?}`: what an administrator makes; a software project unless told."""
        kind = body.get("type", "software")
        if kind not in {"software", "service_desk", "business"}:
            raise ActError(f"there is no project type {kind!r}")
        project = add_project(
            self._site, key=str(body["key"]), name=str(body["name"]), kind=kind, lead=actor.account_id
        )
        return {"id": project.id, "key": project.key}

    def create_customer(self, body: JsonObject, _view: View, _actor: User) -> JsonObject:
        """`{email, name}`: somebody who knows the help centre only."""
        email, name = str(body["email"]), str(body["name"])
        if any(user.email == email for user in self._site.users.values()):
            raise ActError(f"there is an account for {email} already")
        ident = f"qm:{self._site.next_id()}:{email.partition('@')[0]}"
        self._site.users[ident] = User(ident, name, email, "", account_type="customer", agent=False)
        return {"accountId": ident}

    def licence(self, body: JsonObject, _view: View, _actor: User) -> JsonObject:
        """`{user, agent}`: gives or takes the right to work on service desks."""
        user = self._person(body["user"])
        user.agent = body["agent"] is True
        return {"accountId": user.account_id, "agent": user.agent}

    def comment(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, body, internal?}`. A customer has no way to say something that customers do not see."""
        issue = self._issue(body)
        if actor.account_type == "customer" and body.get("internal") is True:
            raise ActError("a customer's comment is always public")
        made = comments.add_comment(issue, self._comment_draft(body, view), view, actor)
        return self._result(issue, view, comment=view.comment(made, issue))

    def edit_comment(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, comment, body}`."""
        issue = self._issue(body)
        old = comments.find_comment(issue, str(body["comment"]))
        made = comments.edit_comment(issue, old, self._comment_draft(body, view), view, actor)
        return self._result(issue, view, comment=view.comment(made, issue))

    def delete_comment(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, comment}`."""
        issue = self._issue(body)
        comments.delete_comment(issue, comments.find_comment(issue, str(body["comment"])), view, actor)
        return self._result(issue, view)

    def attach(self, body: JsonObject, view: View, actor: User) -> JsonObject:
        """`{issue, filename, text | base64}`."""
        issue = self._issue(body)
        try:
            content = base64.b64decode(body["base64"]) if "base64" in body else str(body["text"]).encode()
        except binascii.Error as error:
            raise ActError(f"base64: {error}") from error
        made = comments.add_attachment(issue, str(body["filename"]), content, view, actor)
        return self._result(issue, view, attachment=view.attachment(made))

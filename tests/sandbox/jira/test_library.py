"""The `jira` library, which knows nothing of us, leads a whole life against the twin."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from jira import JIRA, JIRAError

if TYPE_CHECKING:
    from tests.sandbox.conftest import TwinControl


def new_issue(library: Any, **fields: Any) -> Any:
    return library.create_issue(project="TST", issuetype={"name": "Task"}, summary="Disk full", **fields)


def test_an_issue_is_created_changed_and_deleted(library: Any) -> None:
    issue = new_issue(library, description="*All* nodes", labels=["disk"], priority={"name": "High"})
    assert issue.key == "TST-1"
    assert issue.fields.description == "*All* nodes"
    assert issue.fields.status.statusCategory.key == "new"
    assert issue.fields.reporter.emailAddress == "admin@example.com"

    issue.update(summary="Disk full on db-1", assignee={"accountId": library.myself()["accountId"]})
    issue.add_field_value("labels", "db")
    again = library.issue("TST-1")
    assert again.fields.summary == "Disk full on db-1"
    assert again.fields.labels == ["db", "disk"]
    assert again.fields.assignee.displayName == "Ada Admin"

    again.delete()
    with pytest.raises(JIRAError) as caught:
        library.issue("TST-1")
    assert caught.value.status_code == 404


def test_the_workflow_is_walked_by_transitions(library: Any) -> None:
    issue = new_issue(library)
    assert [t["name"] for t in library.transitions(issue)] == ["Start progress"]
    library.transition_issue(issue, "Start progress")
    library.transition_issue(issue, library.find_transitionid_by_name(issue, "Done"), comment="done with it")
    done = library.issue(issue.key, expand="changelog")
    assert done.fields.status.name == "Done"
    assert done.fields.resolution.name == "Done"
    assert [c.body for c in library.comments(issue)] == ["done with it"]
    changes = [(item.field, item.toString) for h in done.changelog.histories for item in h.items]
    assert ("status", "In Progress") in changes
    assert ("resolution", "Done") in changes


def test_comments_live_and_die(library: Any) -> None:
    issue = new_issue(library)
    comment = library.add_comment(issue, "looking", is_internal=True)
    assert comment.jsdPublic is False
    comment.update(body="looked")
    assert library.comment(issue, comment.id).body == "looked"
    comment.delete()
    assert library.comments(issue) == []


def test_attachments_come_back_byte_for_byte(library: Any) -> None:
    issue = new_issue(library)
    content = bytes(range(256)) * 20
    attachment = library.add_attachment(issue, io.BytesIO(content), filename="dump.bin")
    assert attachment.size == len(content)
    assert library.attachment(attachment.id).get() == content
    assert [a.filename for a in library.issue(issue.key).fields.attachment] == ["dump.bin"]
    library.attachment(attachment.id).delete()
    assert library.issue(issue.key).fields.attachment == []


def test_enhanced_search_walks_all_pages(library: Any) -> None:
    keys = [new_issue(library, labels=[f"n{number}"]).key for number in range(7)]
    found = library.enhanced_search_issues(
        "project = TST ORDER BY key ASC", maxResults=False, fields="summary"
    )
    assert [issue.key for issue in found] == keys
    first = library.enhanced_search_issues("project = TST ORDER BY key ASC", maxResults=3)
    assert len(first) == 3
    assert first.nextPageToken
    assert library.approximate_issue_count("project = TST") == 7


def test_legacy_search_is_gone_unless_the_site_still_has_it(library: Any, twin: TwinControl) -> None:
    # On a site of the Cloud the library itself turns to the enhanced search; ask for the old one by hand.
    new_issue(library)
    old = {"jql": "project = TST"}
    with pytest.raises(JIRAError) as caught:
        library._get_json("search", params=old)
    assert caught.value.status_code == 410
    twin.configure(legacy_search="legacy")
    assert library._get_json("search", params=old)["total"] == 1


def test_projects_fields_and_lists(library: Any) -> None:
    assert [p.key for p in library.projects()] == ["HELP", "OPS", "TST"]
    assert library.project("OPS").lead.displayName == "Ada Admin"
    assert [c.name for c in library.project_components("OPS")] == ["Checkout", "Search"]
    by_name = {field["name"]: field for field in library.fields()}
    assert by_name["Environment name"]["schema"]["customId"] == 10042
    assert [p.name for p in library.priorities()] == ["Highest", "High", "Medium", "Low", "Lowest"]
    assert {t.name for t in library.issue_types()} == {"Task", "Incident", "Bug", "Sub-task"}
    assert "Duplicate" in {r.name for r in library.resolutions()}
    assert [s.name for s in library.statuses()] == ["To Do", "In Progress", "Done"]


def test_create_metadata_as_the_library_still_asks_for_it(library: Any) -> None:
    meta = library.createmeta(
        projectKeys="TST", issuetypeNames="Incident", expand="projects.issuetypes.fields"
    )
    (kind,) = meta["projects"][0]["issuetypes"]
    assert kind["fields"]["summary"]["required"]
    options = kind["fields"]["customfield_10042"]["allowedValues"]
    assert [option["value"] for option in options] == ["Production", "Staging", "Test"]


def test_people_watch_and_are_found(library: Any) -> None:
    issue = new_issue(library)
    (ann,) = library.search_users(query="ann")
    library.add_watcher(issue, ann.displayName)
    assert library.watchers(issue).watchCount == 2
    library.remove_watcher(issue, ann.displayName)
    assert library.watchers(issue).watchCount == 1
    assignable = library.search_assignable_users_for_issues(project="OPS", query="a")
    assert {u.displayName for u in assignable} == {"Ada Admin", "Ann Agent"}


def test_a_remote_link_is_upserted_by_its_global_id(library: Any) -> None:
    issue = new_issue(library)
    for title in ("INC-7", "INC-7 (closed)"):
        target = {"url": "https://callout.example.com/INC-7", "title": title}
        library.add_remote_link(issue, destination=target, globalId="callout=INC-7")
    (link,) = library.remote_links(issue)
    assert link.object.title == "INC-7 (closed)"


def test_properties_and_subtasks(library: Any) -> None:
    parent = new_issue(library)
    library.add_issue_property(parent, "callout", {"id": "INC-7"})
    assert library.issue_property(parent, "callout").value.id == "INC-7"
    child = library.create_issue(
        project="TST", issuetype={"name": "Sub-task"}, summary="part", parent={"key": parent.key}
    )
    assert [s.key for s in library.issue(parent.key).fields.subtasks] == [child.key]
    with pytest.raises(JIRAError, match="has subtasks"):
        parent.delete()
    parent.delete(deleteSubtasks=True)
    assert library.enhanced_search_issues("project = TST") == []


def test_refusals_name_the_field(library: Any) -> None:
    with pytest.raises(JIRAError, match="It is not on the appropriate screen, or unknown") as caught:
        new_issue(library, customfield_99999="x")
    assert caught.value.status_code == 400
    with pytest.raises(JIRAError, match="does not exist for the field 'project'"):
        library.enhanced_search_issues("project = NOPE")


def test_wrong_credentials_are_refused(twin: TwinControl) -> None:
    stranger: Any = JIRA(
        server=twin.url, basic_auth=("admin@example.com", "wrong"), max_retries=0, get_server_info=False
    )
    with pytest.raises(JIRAError) as caught:
        stranger.myself()
    assert caught.value.status_code == 401
    stranger.close()


def test_bulk_create_reports_each_failure(library: Any) -> None:
    good: dict[str, Any] = {"project": {"key": "TST"}, "issuetype": {"name": "Bug"}, "summary": "one"}
    results = library.create_issues([good, {**good, "summary": ""}])
    assert [result["status"] for result in results] == ["Success", "Error"]

"""The seed of a fresh site: accounts, projects, workflow, fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira.model import (
    Component,
    Field,
    IssueType,
    Named,
    Option,
    Project,
    Status,
    StatusCategory,
    Transition,
    User,
)

if TYPE_CHECKING:
    from callout.sandbox.jira.model import ProjectType
    from callout.sandbox.jira.site import Site

ADMIN = "5b10a2844c20165700ede21g"
ANN = "5b10ac8d82e05b22cc7d4ef5"
CAROL = "5b109f2e9729b51b54dc274d"

CATEGORIES = {
    category.key: category
    for category in (
        StatusCategory(1, "undefined", "No Category", "medium-gray"),
        StatusCategory(2, "new", "To Do", "blue-gray"),
        StatusCategory(4, "indeterminate", "In Progress", "yellow"),
        StatusCategory(3, "done", "Done", "green"),
    )
}
TO_DO, IN_PROGRESS, DONE = "10000", "3", "10001"
TASK, INCIDENT, BUG, SUBTASK = "10101", "10102", "10103", "10104"
ISSUE_TYPES = (TASK, INCIDENT, BUG, SUBTASK)

COMMON_SCREEN = (
    "summary",
    "issuetype",
    "project",
    "description",
    "priority",
    "labels",
    "assignee",
    "reporter",
    "components",
    "parent",
    "duedate",
    "environment",
    "attachment",
    "customfield_10040",
    "customfield_10041",
    "customfield_10042",
    "customfield_10043",
    "customfield_10044",
    "customfield_10045",
    "customfield_10046",
    "customfield_10047",
)
_CUSTOM = "com.atlassian.jira.plugin.system.customfieldtypes:"


def _workflow(*, done_requires_resolution: bool) -> tuple[Transition, ...]:
    """To Do, In Progress, Done and back. Every project has it; some ask for a resolution at the end."""
    screen = ("resolution",) if done_requires_resolution else ()
    return (
        Transition("11", "Reopen", TO_DO, frozenset({IN_PROGRESS, DONE})),
        Transition("21", "Start progress", IN_PROGRESS, frozenset({TO_DO})),
        Transition("31", "Done", DONE, frozenset({IN_PROGRESS}), screen=screen, required=frozenset(screen)),
        Transition("41", "Back to progress", IN_PROGRESS, frozenset({DONE})),
    )


def plant(site: Site, *, admin_time_zone: str = "Europe/Berlin") -> None:
    """Fill an empty site."""
    _plant_users(site, admin_time_zone)
    for status in (
        Status(TO_DO, "To Do", CATEGORIES["new"]),
        Status(IN_PROGRESS, "In Progress", CATEGORIES["indeterminate"]),
        Status(DONE, "Done", CATEGORIES["done"]),
    ):
        site.statuses[status.id] = status
    for issue_type in (
        IssueType(TASK, "Task", "A small piece of work."),
        IssueType(INCIDENT, "Incident", "A disruption of a service."),
        IssueType(BUG, "Bug", "A problem in the software."),
        IssueType(SUBTASK, "Sub-task", "A part of another issue.", subtask=True),
    ):
        site.issue_types[issue_type.id] = issue_type
    # from memory: the default ids 1 to 5.
    colors = ("#d04437", "#f15C75", "#f79232", "#707070", "#999999")
    names = ("Highest", "High", "Medium", "Low", "Lowest")
    for number, (name, color) in enumerate(zip(names, colors, strict=True), start=1):
        site.priorities[str(number)] = Named(str(number), name, f"{name} priority", color)
    for ident, name, text in (
        ("10000", "Done", "Work has been completed on this issue."),
        ("10001", "Won't Do", "This issue won't be actioned."),
        ("10002", "Duplicate", "The problem is a duplicate of an existing issue."),
        ("10003", "Cannot Reproduce", "All attempts at reproducing this issue failed."),
    ):
        site.resolutions[ident] = Named(ident, name, text)
    for field in _fields():
        site.fields[field.id] = field
    _plant_projects(site)


def _plant_users(site: Site, admin_time_zone: str) -> None:
    for user in (
        User(ADMIN, "Ada Admin", "admin@example.com", "token", admin_time_zone, site_admin=True),
        User(ANN, "Ann Agent", "ann@example.com", "token2", "America/New_York"),
        User(CAROL, "Carol Quiet", "carol@example.com", "token3", "Asia/Kolkata", email_visible=False),
    ):
        site.users[user.account_id] = user


def add_project(site: Site, *, key: str, name: str, kind: ProjectType, lead: str) -> Project:
    """Make a project as its template would: the usual types, screen and workflow."""
    plain = _workflow(done_requires_resolution=False)
    project = Project(site.next_id(), key, name, kind, lead, ISSUE_TYPES, plain, COMMON_SCREEN)
    site.projects[project.id] = project
    return project


def _plant_projects(site: Site) -> None:
    types = ISSUE_TYPES
    plain, strict = _workflow(done_requires_resolution=False), _workflow(done_requires_resolution=True)
    for project in (
        Project("10000", "TST", "Test project", "software", ADMIN, types, plain, COMMON_SCREEN),
        Project(
            "10001",
            "OPS",
            "Operations",
            "software",
            ADMIN,
            types,
            strict,
            COMMON_SCREEN,
            components=(Component("10001", "Checkout"), Component("10002", "Search")),
            # The third account sees less than the others: what it asks about OPS is "not found".
            closed_to=frozenset({CAROL}),
        ),
        Project("10002", "HELP", "Help desk", "service_desk", ANN, types, plain, COMMON_SCREEN),
    ):
        site.projects[project.id] = project


def _fields() -> list[Field]:
    clause = {"issuekey": ("id", "issue", "issuekey", "key"), "issuetype": ("issuetype", "type")}
    system = (
        ("issuekey", "Key", "line", False),
        ("summary", "Summary", "line", True),
        ("issuetype", "Issue Type", "issuetype", True),
        ("project", "Project", "project", True),
        ("description", "Description", "story", True),
        ("environment", "Environment", "story", True),
        ("priority", "Priority", "priority", True),
        ("labels", "Labels", "labels", True),
        ("assignee", "Assignee", "user", True),
        ("reporter", "Reporter", "user", True),
        ("creator", "Creator", "person", False),
        ("components", "Components", "components", True),
        ("parent", "Parent", "parent", True),
        ("duedate", "Due date", "date", True),
        ("status", "Status", "status", False),
        ("statusCategory", "Status Category", "category", False),
        ("statuscategorychangedate", "Status Category Changed", "instant", False),
        ("resolution", "Resolution", "resolution", True),
        ("resolutiondate", "Resolved", "instant", False),
        ("created", "Created", "instant", False),
        ("updated", "Updated", "instant", False),
        ("attachment", "Attachment", "attachment", True),
        ("comment", "Comment", "comment", True),
        ("watches", "Watchers", "watches", False),
        ("subtasks", "Sub-tasks", "links", False),
        ("issuelinks", "Linked Issues", "links", False),
    )
    fields = [
        Field(ident, name, kind, settable=settable, clauses=clause.get(ident, (ident,)))
        for ident, name, kind, settable in system
    ]
    environments = (Option("10011", "Production"), Option("10012", "Staging"), Option("10013", "Test"))
    regions = (Option("10021", "Europe"), Option("10022", "Americas"), Option("10023", "Asia"))
    custom: tuple[tuple[int, str, str, str, tuple[Option, ...]], ...] = (
        (10040, "External reference", "line", "textfield", ()),
        (10041, "Customer impact", "story", "textarea", ()),
        (10042, "Environment name", "select", "select", environments),
        (10043, "Affected users", "number", "float", ()),
        (10044, "Regions", "multiselect", "multiselect", regions),
        (10045, "Detected at", "datetime", "datetime", ()),
        (10046, "Incident commander", "user", "userpicker", ()),
        (10047, "Tags", "labels", "labels", ()),
    )
    fields += [
        Field(
            f"customfield_{number}",
            name,
            kind,
            _CUSTOM + custom_type,
            options,
            clauses=(f"cf[{number}]", name),
        )
        for number, name, kind, custom_type, options in custom
    ]
    return fields

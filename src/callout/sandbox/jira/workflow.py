"""Which transitions an issue has, and what each asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callout.sandbox.jira.model import Issue, Transition
    from callout.sandbox.jira.site import Site


def transitions_of(site: Site, issue: Issue) -> list[Transition]:
    """The transitions that leave the issue's present status."""
    status = issue.values["status"]
    return [
        transition
        for transition in site.project_of(issue).transitions
        if not transition.sources or status in transition.sources
    ]


def transition_by_id(site: Site, issue: Issue, ident: str) -> Transition | None:
    """The available transition with this id, None when it does not leave the present status."""
    return next((t for t in transitions_of(site, issue) if t.id == ident), None)


def transition_towards(site: Site, issue: Issue, status_name: str) -> Transition | None:
    """The available transition into the status of this name (or id), as a person would pick it on the board."""
    wanted = status_name.casefold()
    return next(
        (
            transition
            for transition in transitions_of(site, issue)
            if wanted in {transition.to_status, site.statuses[transition.to_status].name.casefold()}
        ),
        None,
    )

"""The service desk API's JSON in its own words. Only what we read; `Any` stops here."""

from __future__ import annotations

from typing import Any, Generic, TypedDict, TypeVar

from callout.connectors.jira.wire import FieldSchema

T = TypeVar("T")


class Paged(TypedDict, Generic[T], total=False):
    """A page: there is another one while `isLastPage` is false."""

    size: int
    start: int
    limit: int
    isLastPage: bool
    values: list[T]


class Moment(TypedDict, total=False):
    """An instant in four spellings."""

    iso8601: str
    jira: str
    epochMillis: int


class Span(TypedDict, total=False):
    """A duration; negative once a goal is missed."""

    millis: int
    friendly: str


class ServiceDeskBean(TypedDict, total=False):
    """A service desk and the project it is the front of."""

    id: str
    projectId: str
    projectKey: str
    projectName: str


class RequestTypeBean(TypedDict, total=False):
    """What customers can ask for, and the issue type that it becomes."""

    id: str
    name: str
    description: str
    issueTypeId: str
    serviceDeskId: str


class FormOption(TypedDict, total=False):
    """An allowed value of a form's field."""

    value: str
    label: str
    children: list[Any]


class FormField(TypedDict, total=False):
    """A field of a request type's form."""

    fieldId: str
    name: str
    required: bool
    visible: bool
    defaultValues: list[Any]
    presetValues: list[Any]
    validValues: list[FormOption]
    jiraSchema: FieldSchema


class FormBean(TypedDict, total=False):
    """A request type's form."""

    requestTypeFields: list[FormField]
    canRaiseOnBehalfOf: bool


class Cycle(TypedDict, total=False):
    """One run of a clock: `stopTime` of a completed one, `paused` of the running one."""

    startTime: Moment
    stopTime: Moment
    breachTime: Moment
    breached: bool
    paused: bool
    goalDuration: Span
    elapsedTime: Span
    remainingTime: Span


class ClockBean(TypedDict, total=False):
    """A service level agreement on one request."""

    id: str
    name: str
    completedCycles: list[Cycle]
    ongoingCycle: Cycle


class RequestBean(TypedDict, total=False):
    """A customer request; the last two only when expanded."""

    issueId: str
    issueKey: str
    requestTypeId: str
    serviceDeskId: str
    requestType: RequestTypeBean
    sla: Paged[ClockBean]


class RequestComment(TypedDict, total=False):
    """A comment as the service desk's API tells it."""

    id: str
    body: str
    public: bool

"""The forms, as frozen values. Pure: what they carry, and who may open them, is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from callout.chatops.cards import headline
from callout.chatops.words import literal
from callout.incidents import Incident
from callout.ports.chat_forms import FieldKind, Form, FormField, Option
from callout.ports.values import Audience, Severity
from callout.sync.conflicts import words_of

if TYPE_CHECKING:
    from callout.sync.conflicts import OpenConflict
    from callout.sync.needs import FieldNeed, LinkNeeds

PREFIX: Final = "form."
"""Of the actions that open forms, and of the forms themselves."""
DECLARE: Final = f"{PREFIX}declare"
RESOLVE: Final = f"{PREFIX}resolve"
NOTE: Final = f"{PREFIX}note"
TASK: Final = f"{PREFIX}task"
CONFLICT: Final = f"{PREFIX}conflict"
TIMELINE: Final = f"{PREFIX}timeline"

BARE: Final = {
    "declare": DECLARE,
    "new": DECLARE,
    "create": DECLARE,
    "note": NOTE,
    "task": TASK,
}
"""Commands that open a form when nothing follows them."""

TITLE_LIMIT: Final = 255
MOST_NEEDED: Final = 50
MOST_OPTIONS: Final = 100
"""What platforms show of a menu."""
WORD_LIMIT: Final = 100
LABEL_LIMIT: Final = 75
SEVERITIES: Final = tuple(Option(str(Severity(rank)), f"SEV-{rank}") for rank in range(1, 5))
AUDIENCES: Final = (
    Option(Audience.RESPONDERS.value, "Everybody who responds"),
    Option(Audience.INTERNAL.value, "Us alone"),
    Option(Audience.CUSTOMER.value, "Customers, too"),
)


def declare_form(token: str, *, title: str = "", services: Sequence[str] = ()) -> Form:
    """Return the form that declares an incident; `services` are the known ones, empty for a free line."""
    service = FormField("service", "Service", required=False, limit=WORD_LIMIT)
    if services:
        options = tuple(Option(name[:LABEL_LIMIT], name) for name in services if len(name) <= LABEL_LIMIT)
        service = FormField("service", "Service", FieldKind.CHOICE, options=options, required=False)
    return Form(
        DECLARE,
        "Declare an incident",
        (
            FormField("title", "What is broken?", value=title, limit=TITLE_LIMIT),
            FormField(
                "severity",
                "Severity",
                FieldKind.CHOICE,
                options=SEVERITIES,
                required=False,
                hint="SEV-1 is the worst. Left out, the service's own is taken.",
            ),
            service,
            FormField("description", "What is known?", FieldKind.TEXT, required=False),
        ),
        submit="Declare",
        token=token,
    )


def resolve_form(incident: Incident, token: str, *, asked: Sequence[FormField] = ()) -> Form:
    """Return the form that resolves an incident; `asked` are fields that its tickets need for it."""
    note = FormField(
        "note", "What fixed it?", FieldKind.TEXT, required=False, hint="It becomes a note for the responders."
    )
    return Form(
        RESOLVE,
        "Resolve",
        (note, *asked),
        submit="Resolve",
        text=literal(headline(incident)),
        token=token,
    )


def needed_fields(offered: Sequence[LinkNeeds]) -> tuple[FormField, ...]:
    """Return the fields that tickets need, each named by its ticket; what the settings give stands there already."""
    return tuple(
        _needed(need, one.link.ticket_key or one.integration) for one in offered for need in one.fields
    )[:MOST_NEEDED]


def _needed(need: FieldNeed, ticket: str) -> FormField:
    field, label = need.field, f"{need.field.label} ({ticket})"
    options = tuple(Option(ident or name, name) for ident, name in field.choices)
    if field.kind == "datetime":
        return FormField(need.name, label, FieldKind.DATE, need.value[:10], required=need.missing)
    if not options or len(options) > MOST_OPTIONS:
        hint = "Write the name of a choice there." if options else ""
        return FormField(need.name, label, value=need.value, required=need.missing, hint=hint)
    several = field.kind == "array"
    names = need.value.split(", ") if several else [need.value]
    chosen = "\n".join(one.value for one in options if one.label in names)
    kind = FieldKind.CHOICES if several else FieldKind.CHOICE
    return FormField(need.name, label, kind, chosen, options, required=need.missing)


def note_form(incident: Incident, token: str) -> Form:
    """Return the form of a note."""
    return Form(
        NOTE,
        "Write a note",
        (
            FormField("text", "Note", FieldKind.TEXT),
            FormField("audience", "Who may read it", FieldKind.CHOICE, Audience.RESPONDERS.value, AUDIENCES),
        ),
        text=literal(headline(incident)),
        token=token,
    )


def task_form(incident: Incident, token: str) -> Form:
    """Return the form of a task."""
    return Form(
        TASK,
        "Add a task",
        (
            FormField("text", "What is to be done?", limit=TITLE_LIMIT),
            FormField("person", "Who does it", FieldKind.PERSON, required=False),
            FormField("due", "By when", FieldKind.DATE, required=False),
        ),
        submit="Add",
        text=literal(headline(incident)),
        token=token,
    )


def conflict_form(conflict: OpenConflict, token: str) -> Form:
    """Return the form that settles a conflict by a value of its own."""
    ticket = f"{conflict.integration} {conflict.link.ticket_key}".strip()
    text = (
        f"{literal(headline(conflict.incident))}\n\n**{conflict.field}** is {literal(words_of(conflict.ours))} here, and "
        f"{literal(words_of(conflict.theirs))} in {literal(ticket)}."
    )
    field = FormField("value", "What it is to be on both sides", FieldKind.TEXT, words_of(conflict.ours))
    if conflict.field == "severity":
        field = FormField(
            "value", "What it is to be on both sides", FieldKind.CHOICE, str(conflict.ours), SEVERITIES
        )
    return Form(CONFLICT, "Settle it", (field,), text=text, token=token)


def timeline_form(active: Sequence[Incident], token: str) -> Form:
    """Return the form that asks on which incident's timeline a message goes."""
    options = tuple(Option(one.id, headline(one)) for one in active)
    return Form(
        TIMELINE,
        "Add to timeline",
        (FormField("incident", "Incident", FieldKind.CHOICE, options=options),),
        submit="Add",
        token=token,
    )

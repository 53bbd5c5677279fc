"""Tasks of an incident, from chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import words
from callout.chatops.commands import AddTask, ChangeTask, FinishTask, ListTasks
from callout.chatops.naming_tasks import meant, nearest
from callout.chatops.periods import due_at
from callout.ports.chat import Answer, Button, Card

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked
    from callout.incidents import Incident, Task

SHOWN = 40
OFFERED: Final = 5
"""So many tasks have a button where several may be meant."""
TASK_DONE: Final = "task.done"
TASK_REOPEN: Final = "task.reopen"
"""Buttons carry `<incident's id>/<the task's number>` as their value."""
LABEL_LIMIT: Final = 60


async def add(asked: Asked, command: AddTask) -> Answer:
    """Add a task."""
    incident = await asked.incident(command.incident)
    now = asked.context.clock.now()
    task = await asked.incidents.tasks.add(
        asked.tx,
        incident.id,
        command.text,
        asked.origin,
        assignee=await asked.person(command.person),
        due=due_at(command.due, now) if command.due else None,
    )
    done = f"`{asked.command} task {incident.key} done {task.number}` when it is done."
    return Answer(f"**{incident.key}** task {_line(task)}. {done}")


async def change(asked: Asked, command: ChangeTask) -> Answer:
    """Change what a task says, who does it or by when."""
    incident = await asked.incident(command.incident)
    values: dict[str, Any] = {}
    if command.text:
        values["title"] = command.text
    if command.person:
        values["assignee"] = await asked.person(command.person)
    if command.due:
        values["due"] = due_at(command.due, asked.context.clock.now())
    task = await asked.incidents.tasks.change(asked.tx, incident.id, command.number, values, asked.origin)
    return Answer(f"**{incident.key}** task {_line(task)}.")


async def finish(asked: Asked, command: FinishTask) -> Answer:
    """Tick a task off, or open it again: the one of that number, or the only one that the words name. Else ask, and do nothing."""
    incident = await asked.incident(command.incident)
    if not command.number:
        tasks = await asked.incidents.tasks.of(asked.tx, incident.id)
        found = meant([one for one in tasks if one.done is not command.done], command.text)
        if len(found) != 1:
            return _which(asked, incident, tasks, found, command)
        command = FinishTask(found[0].number, incident.id, command.done)
    task = await asked.incidents.tasks.finish(
        asked.tx, incident.id, command.number, asked.origin, done=command.done
    )
    left = sum(not one.done for one in await asked.incidents.tasks.of(asked.tx, incident.id))
    return Answer(f"**{incident.key}** task {_line(task)}. {left or 'No'} open.")


def _which(
    asked: Asked, incident: Incident, tasks: Sequence[Task], found: Sequence[Task], command: FinishTask
) -> Answer:
    """Ask which task is meant: by a button for each that may be, and by their numbers."""
    said = words.literal(words.cut(command.text, words.VALUE_LIMIT))
    state, verb = ("open", "done") if command.done else ("done", "reopen")
    line = f"`{asked.command} task {incident.key} {verb}"
    already = [] if found else meant([one for one in tasks if one.done is command.done], command.text)
    offered = found
    if found:
        text = f"{len(found)} tasks of **{incident.key}** may be meant by “{said}”, so nothing was done. Which one?"
    elif len(already) == 1:
        is_so = "done already" if command.done else "open"
        return Answer(f"**{incident.key}** task {_line(already[0])}: it is {is_so}.")
    else:
        offered = nearest([one for one in tasks if one.done is not command.done], command.text)
        text = f"No task of **{incident.key}** that is {state} is called “{said}”, so nothing was done."
        if not offered:
            return Answer(f"{text} None is {state}.")
        text += f" Nearest of those that are {state}:"
    shown = offered[:SHOWN]
    lines = [text, "", *(f"- {_line(one)}" for one in shown)]
    if len(shown) < len(offered):
        lines.append(f"- and {len(offered) - len(shown)} more")
    lines += ["", f"By number: {line} {shown[0].number}`"]
    if not found and command.done:
        lines[-1] += f". To add it instead: `{asked.command} task {incident.key} add …`"
    buttons = tuple(
        Button(
            TASK_DONE if command.done else TASK_REOPEN,
            words.cut(f"{one.number} {one.title}", LABEL_LIMIT),
            f"{incident.id}/{one.number}",
        )
        for one in shown[:OFFERED]
    )
    return Answer("", card=Card(title="", text="\n".join(lines), buttons=buttons))


def pressed_task(action: str, value: str) -> FinishTask | None:
    """Return what a pressed button asks for, None when it is no task's."""
    incident_id, _, number = value.partition("/")
    if action not in {TASK_DONE, TASK_REOPEN} or not (number.isascii() and number.isdecimal()):
        return None
    return FinishTask(int(number), incident_id, action == TASK_DONE)


async def show(asked: Asked, command: ListTasks) -> Answer:
    """Show the tasks in their order."""
    incident = await asked.incident(command.incident)
    tasks = await asked.incidents.tasks.of(asked.tx, incident.id)
    open_ones = [one for one in tasks if not one.done]
    # What is left to do comes first where there are too many to show.
    shown = tasks if len(tasks) <= SHOWN else open_ones[:SHOWN]
    lines = [f"- {_line(one)}" for one in shown]
    if len(shown) < len(tasks):
        lines.append(f"- and {len(tasks) - len(shown)} more")
    return Answer(
        "",
        card=Card(
            title=f"Tasks of {incident.key}: {len(open_ones)} open, {len(tasks) - len(open_ones)} done",
            text="\n".join(lines)
            or f"None. Add one: `{asked.command} task {incident.key} what is to be done`",
            link=asked.context.link(incident.key),
        ),
    )


def _line(task: Task) -> str:
    parts = [f"{task.number} {words.literal(task.title)}"]
    if task.assignee is not None:
        parts.append(f"for {words.literal(words.called(task.assignee))}")
    if task.due is not None and not task.done:
        parts.append(f"by {task.due:%b %d %H:%M} UTC")
    mark = "\N{WHITE HEAVY CHECK MARK}" if task.done else "\N{WHITE MEDIUM SQUARE}"
    return f"{mark} {', '.join(parts)}"

"""User groups, and acts on people: joining the team, changing, being deactivated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack.acting import Act, Acts, person
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.records import User, UserGroup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.sandbox.slack.context import Context

_CHANGEABLE = ("name", "real_name", "email", "tz", "title")
ANOTHER_TEAM = "T09ELSEWHERE"
_GUESTS = {"multi", "single", None}


def group_list(ctx: Context) -> dict[str, Any]:
    """`usergroups.list`."""
    _check_plan(ctx)
    disabled = ctx.args.flag("include_disabled")
    shown = [group for group in ctx.space.groups.values() if disabled or not group.deleted]
    with_users, with_count = ctx.args.flag("include_users"), ctx.args.flag("include_count")
    return {"usergroups": [g.as_json(with_users=with_users, with_count=with_count) for g in shown]}


def group_users(ctx: Context) -> dict[str, Any]:
    """`usergroups.users.list`."""
    _check_plan(ctx)
    group = ctx.space.groups.get(ctx.args.required("usergroup"))
    if group is None or (group.deleted and not ctx.args.flag("include_disabled")):
        raise SlackError("no_such_subteam")
    return {"users": group.users}


def _check_plan(ctx: Context) -> None:
    """Refuse where the team's plan has no user groups."""
    if not ctx.space.user_groups:
        raise SlackError("plan_upgrade_required")


class Directory(Acts):
    """Acts of an administrator on people and user groups."""

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {
            "add_user": self.add_user,
            "change_user": self.change_user,
            "deactivate_user": self.deactivate_user,
            "reactivate_user": self.reactivate_user,
            "set_usergroup": self.set_usergroup,
        }

    async def add_user(self, act: Act) -> dict[str, Any]:
        """Let someone join the team: `name`, `email`, `real_name?`, `tz?`, `guest?` (`multi` or `single`).

        With `stranger` they are of another organization, as who is seen in a shared channel.
        """
        name, email = str(act.get("name") or ""), str(act.get("email") or "")
        if not name or any(
            name == u.name or (email and email == u.email) for u in self._space.users.values()
        ):
            raise ActError(f"cannot add {name!r}")
        user = User(
            self._space.new_id("U"),
            name,
            str(act.get("real_name") or name.title()),
            email,
            team=ANOTHER_TEAM if act.get("stranger") else self._space.team.id,
            stranger=bool(act.get("stranger")),
        )
        self._space.users[user.id] = user
        self._apply(user, act)
        if user.guest is None:
            general = next((c for c in self._space.channels.values() if c.is_general), None)
            if general is not None:
                self._space.join(general, user.id)
        self._tell("team_join", user)
        return {"user": user.as_json(with_email=True)}

    async def change_user(self, act: Act) -> dict[str, Any]:
        """Change `set` (`name`, `real_name`, `email`, `tz`, `title`, `guest`, `is_admin`) of `user`."""
        user = person(self._space, act)
        self._apply(user, dict(act.get("set") or {}))
        self._tell("user_change", user)
        return {"user": user.as_json(with_email=True)}

    async def deactivate_user(self, act: Act) -> dict[str, Any]:
        """Deactivate `user`: out of every channel, a person's tokens dead."""
        user = person(self._space, act)
        user.deleted = True
        for channel in self._space.channels.values():
            if channel.is_named and user.id in channel.members:
                channel.members.remove(user.id)
        for group in self._space.groups.values():
            group.users = [member for member in group.users if member != user.id]
        self._tell("user_change", user)
        return {"user": user.as_json(with_email=True)}

    async def reactivate_user(self, act: Act) -> dict[str, Any]:
        """Bring a deactivated `user` back, in no channel."""
        user = person(self._space, act)
        user.deleted = False
        self._tell("user_change", user)
        return {"user": user.as_json(with_email=True)}

    async def set_usergroup(self, act: Act) -> dict[str, Any]:
        """Make or change the user group `handle`: `name?`, `users?` (IDs, names or e-mails), `disabled?`."""
        handle = str(act.get("handle") or "")
        group = next((g for g in self._space.groups.values() if g.handle == handle), None)
        kind = "subteam_updated" if group else "subteam_created"
        if group is None:
            if not handle:
                raise ActError("which handle?")
            now = int(self._space.clock.now())
            group = UserGroup(self._space.new_id("S"), self._space.team.id, handle, handle, [], now)
            self._space.groups[group.id] = group
        group.name = str(act.get("name") or group.name)
        if "users" in act:
            group.users = [person(self._space, {"user": user}).id for user in act["users"]]
        group.deleted = bool(act.get("disabled", group.deleted))
        shown = group.as_json(with_users=True, with_count=True)
        self._space.report({"type": kind, "subteam": shown, "event_ts": self._space.new_ts()})
        self._ledger.record("user.set_usergroup", target=group.id)
        return {"usergroup": shown}

    def _apply(self, user: User, changes: Act) -> None:
        if changes.get("guest") not in _GUESTS:
            raise ActError("guest is multi or single")
        for key in _CHANGEABLE:
            if key in changes:
                setattr(user, key, str(changes[key]))
        user.guest = changes.get("guest", user.guest)
        user.is_admin = bool(changes.get("is_admin", user.is_admin))

    def _tell(self, kind: str, user: User) -> None:
        user.updated = int(self._space.clock.now())
        event: dict[str, Any] = {"type": kind, "user": user.as_json(with_email=True)}
        self._space.report(event | {"cache_ts": user.updated, "event_ts": self._space.new_ts()})
        self._ledger.record(f"user.{kind}", actor=user.id, target=user.id)

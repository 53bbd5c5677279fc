"""Slack's error codes as ours, as tables.

Every answer of the Web API is HTTP 200 with `ok: false` and a code; only a rate limit (429) and an outage (5xx) have a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from callout.connectors.slack.limits import SlackLimits
from callout.kit.allowance import Answer, refusal_words
from callout.kit.http import HttpError, HttpStatusError, TransportError, TransportKind
from callout.ports.errors import (
    AuthFailedError,
    ConnectorError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)

DEFAULT_WAIT = timedelta(seconds=30)
"""How long to stay away when Slack limits us and does not say for how long."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a code means to us: the kind of error, what to tell the operator, what they do about it."""

    kind: type[ConnectorError]
    message: str
    remediation: str | None = None


_TOKEN = "Install the Slack app again and give this integration the new bot token."  # noqa: S105  # an instruction
_INVITE = "Check the channel's name or id; a private channel is visible only after `/invite` of the app."
_SCOPE = "Add the scope under OAuth & Permissions of the Slack app, then install it again."
_REPORT = "This is a defect of ours: please report it with the code."

REFUSALS: Mapping[str, Refusal] = {
    "invalid_auth": Refusal(AuthFailedError, "Slack does not accept the bot token", _TOKEN),
    "not_authed": Refusal(AuthFailedError, "the request carried no bot token", _TOKEN),
    "account_inactive": Refusal(AuthFailedError, "the bot's account was deactivated", _TOKEN),
    "token_revoked": Refusal(AuthFailedError, "the bot token was revoked", _TOKEN),
    "token_expired": Refusal(AuthFailedError, "the bot token has expired", _TOKEN),
    "no_permission": Refusal(PermissionDeniedError, "the app may not do this in the workspace", _SCOPE),
    "missing_scope": Refusal(PermissionDeniedError, "the app lacks a scope", _SCOPE),
    "not_allowed_token_type": Refusal(AuthFailedError, "this is not a bot token", _TOKEN),
    "socket_mode_not_enabled": Refusal(
        AuthFailedError, "Socket Mode is off for this app", "Switch Socket Mode on in the app's settings."
    ),
    "org_login_required": Refusal(
        AuthFailedError, "the workspace is being moved to an organization", "Wait for the move to end."
    ),
    "ekm_access_denied": Refusal(
        PermissionDeniedError, "the workspace's key management suspended access", "Ask the workspace's owner."
    ),
    "team_access_not_granted": Refusal(
        PermissionDeniedError, "the app is not approved for this workspace", "Ask the workspace's owner."
    ),
    "restricted_action": Refusal(
        PermissionDeniedError, "a rule of the workspace forbids this", "Ask the workspace's owner."
    ),
    "not_in_channel": Refusal(
        PermissionDeniedError,
        "the app is not in the channel",
        "Invite the app to the channel, or add chat:write.public.",
    ),
    "cant_invite": Refusal(PermissionDeniedError, "this person cannot be invited there"),
    "ura_max_channels": Refusal(PermissionDeniedError, "this guest may be in no further channel"),
    "user_disabled": Refusal(RejectedError, "this person is deactivated"),
    "no_such_subteam": Refusal(RecordNotFoundError, "Slack knows no such user group"),
    "plan_upgrade_required": Refusal(
        PermissionDeniedError, "the workspace's plan does not have this", "Raise its plan, or do without."
    ),
    "not_authorized": Refusal(
        PermissionDeniedError, "the app did not make this channel: it may not rename it"
    ),
    "channel_not_found": Refusal(RecordNotFoundError, "Slack knows no such channel", _INVITE),
    "user_not_found": Refusal(RecordNotFoundError, "Slack knows no such person"),
    "users_not_found": Refusal(RecordNotFoundError, "Slack knows nobody with that e-mail"),
    "user_not_visible": Refusal(RecordNotFoundError, "that person is hidden from the app"),
    "message_not_found": Refusal(RecordNotFoundError, "the message is gone"),
    "cant_update_message": Refusal(PermissionDeniedError, "the message is not ours to change"),
    "edit_window_closed": Refusal(PermissionDeniedError, "the workspace forbids changing messages this old"),
    "is_archived": Refusal(
        RejectedError, "the channel is archived", "Unarchive the channel or route elsewhere."
    ),
    "name_taken": Refusal(RejectedError, "a channel of that name exists, perhaps archived"),
    "invalid_name": Refusal(RejectedError, "Slack does not accept the channel's name"),
    "invalid_name_maxlength": Refusal(RejectedError, "the channel's name is longer than 80 characters"),
    "invalid_name_punctuation": Refusal(RejectedError, "the channel's name has only punctuation"),
    "invalid_name_required": Refusal(RejectedError, "the channel's name is empty"),
    "invalid_name_specials": Refusal(RejectedError, "the channel's name has forbidden characters"),
    "invalid_blocks": Refusal(RejectedError, "Slack does not accept the message's blocks", _REPORT),
    "invalid_blocks_format": Refusal(RejectedError, "Slack does not accept the message's blocks", _REPORT),
    "invalid_attachments": Refusal(RejectedError, "Slack does not accept the message's attachment", _REPORT),
    "invalid_arguments": Refusal(RejectedError, "Slack does not accept the arguments", _REPORT),
    "msg_too_long": Refusal(RejectedError, "the message is too long for Slack", _REPORT),
    "msg_blocks_too_long": Refusal(RejectedError, "the message is too long for Slack", _REPORT),
    "no_text": Refusal(RejectedError, "the message is empty", _REPORT),
    "trigger_expired": Refusal(RejectedError, "the form came too late to be opened", "Try again."),
    "expired_trigger_id": Refusal(RejectedError, "the form came too late to be opened", "Try again."),
    "exchanged_trigger_id": Refusal(RejectedError, "a form was opened already", "Try again."),
    "invalid_trigger_id": Refusal(RejectedError, "Slack does not know what the form belongs to", _REPORT),
    "too_long": Refusal(RejectedError, "the topic is too long for Slack", _REPORT),
    "file_not_found": Refusal(RecordNotFoundError, "Slack knows no such file, or the app may not see it"),
    "file_deleted": Refusal(RecordNotFoundError, "the file was deleted"),
    "not_visible": Refusal(PermissionDeniedError, "the file is hidden from the app"),
    "file_uploads_disabled": Refusal(
        PermissionDeniedError, "the workspace allows no uploads of files", "Ask the workspace's owner."
    ),
    "file_uploads_except_images_disabled": Refusal(
        PermissionDeniedError, "the workspace allows uploads of images only", "Ask the workspace's owner."
    ),
    "file_type_not_allowed": Refusal(RejectedError, "the workspace takes no files of this type"),
    "blocked_file_type": Refusal(RejectedError, "the workspace takes no files of this type"),
    "file_upload_size_restricted": Refusal(RejectedError, "the file is larger than the workspace takes"),
    "storage_limit_reached": Refusal(
        RejectedError,
        "the workspace's storage for files is full",
        "Delete files in Slack, or raise its plan.",
    ),
    "slack_connect_file_upload_sharing_blocked": Refusal(
        PermissionDeniedError, "the other organization of the shared channel allows no files"
    ),
    "posting_to_channel_denied": Refusal(PermissionDeniedError, "the app may not post to the channel"),
    "message_limit_exceeded": Refusal(
        UnavailableError, "the workspace's daily message limit is used up", "Wait until tomorrow."
    ),
    "ratelimited": Refusal(RateLimitedError, "Slack asks us to slow down"),
    "rate_limited": Refusal(RateLimitedError, "Slack asks us to slow down"),
    "internal_error": Refusal(UnavailableError, "Slack failed inside"),
    "fatal_error": Refusal(UnavailableError, "Slack failed inside"),
    "service_unavailable": Refusal(UnavailableError, "Slack is not available"),
    "request_timeout": Refusal(UnavailableError, "the request reached Slack incomplete"),
    "team_added_to_org": Refusal(UnavailableError, "the workspace is being moved to an organization"),
}

SUCCESS_CODES: Mapping[str, frozenset[str]] = {
    "conversations.invite": frozenset({"already_in_channel", "cant_invite_self"}),
    "conversations.archive": frozenset({"already_archived"}),
    "conversations.unarchive": frozenset({"not_archived"}),
    "chat.delete": frozenset({"message_not_found"}),
    "bookmarks.remove": frozenset({"not_found"}),
}
"""By method: refusals that say the wanted state is there already."""

PERHAPS_DONE_CODES = frozenset({"internal_error", "fatal_error"})
"""Slack says of these that part of the work may have been done."""


def refusal(method: str, answer: Mapping[str, Any], *, repeatable: bool) -> ConnectorError:
    """Return the error for an `ok: false` answer of `method`.

    `repeatable` is False for a call whose repeat would do it twice: a failure inside Slack then leaves the outcome open.
    """
    code = str(answer.get("error") or "unknown")
    known = REFUSALS.get(code)
    if known is None and code.startswith("restricted_action"):
        known = REFUSALS["restricted_action"]
    if known is None:
        known = Refusal(RejectedError, "Slack refused the call")
    kind: type[ConnectorError] = known.kind
    if code in PERHAPS_DONE_CODES and not repeatable:
        kind = OutcomeUnknownError
    message = f"{known.message} ({method}: {code})"
    needed = answer.get("needed")
    if code == "missing_scope" and isinstance(needed, str) and needed:
        message = f"the app lacks the scope {needed} ({method}: {code})"
    return kind(
        message,
        remediation=known.remediation,
        detail=explanation(answer),
        status=200,
        vendor_code=code,
        retry_after=DEFAULT_WAIT if kind is RateLimitedError else None,
    )


def http_failure(
    method: str, error: HttpError, *, repeatable: bool, now: datetime | None = None
) -> ConnectorError:
    """Return the error for a call that brought no answer of the Web API.

    `repeatable` as in :func:`refusal`: whatever may have reached Slack is open then, except a rate limit and a closed door (503).
    """
    if isinstance(error, HttpStatusError):
        return _status_failure(method, error, repeatable=repeatable, now=now)
    if isinstance(error, TransportError):
        if error.kind is TransportKind.REFUSED:
            return RejectedError(
                f"connecting to Slack's address is not allowed ({method})",
                remediation="Check the integration's url; a private address needs CALLOUT_ALLOW_NETWORKS.",
                detail=str(error),
            )
        if error.maybe_sent and not repeatable:
            return OutcomeUnknownError(f"Slack's answer was lost ({method})", detail=str(error))
        return UnavailableError(f"Slack cannot be reached ({method})", detail=str(error))
    if not repeatable:
        return OutcomeUnknownError(f"Slack's answer could not be read ({method})", detail=str(error))
    return UnavailableError(f"Slack's answer could not be read ({method})", detail=str(error))


def _status_failure(
    method: str, error: HttpStatusError, *, repeatable: bool, now: datetime | None
) -> ConnectorError:
    status = error.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        limit = SlackLimits().read(Answer(status, error.headers, now, "POST", method)) if now else None
        return RateLimitedError(
            f"{refusal_words(limit, now)} ({method})"
            if limit and now
            else f"Slack asks us to slow down ({method})",
            status=status,
            retry_after=(limit.asked_wait if limit else None) or DEFAULT_WAIT,
        )
    if isinstance(error.json, Mapping) and error.json.get("error"):
        return refusal(method, error.json, repeatable=repeatable)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if repeatable or status == HTTPStatus.SERVICE_UNAVAILABLE:
            return UnavailableError(f"Slack answered HTTP {status} ({method})", status=status)
        return OutcomeUnknownError(f"Slack answered HTTP {status} ({method})", status=status)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE} and method == "response_url":
        return RecordNotFoundError(
            "the command's answer address is used up or too old", status=status, detail=error.body_text[:200]
        )
    return RejectedError(
        f"Slack answered HTTP {status} ({method})", status=status, detail=error.body_text[:200]
    )


def explanation(answer: Mapping[str, Any]) -> str:
    """Return Slack's own words about what it did not like, where it sent some."""
    metadata = answer.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, Mapping) else None
    return "; ".join(str(line) for line in messages) if isinstance(messages, list) else ""

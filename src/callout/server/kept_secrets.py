"""The rule for changing an integration's settings: a stored secret is not sent where it was not meant for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from callout.integrations.addresses import kept_references, new_addresses, other_references
from callout.ports.errors import InvalidRequestError

if TYPE_CHECKING:
    from callout.access import Caller


def guard_secrets(
    caller: Caller, account_id: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Refuse to send a stored secret where it was not meant for: whoever connects systems is not shown it by a detour.

    Args:
        caller: who changes the settings.
        account_id: whose they are.
        before: the stored provider config; empty for a new integration.
        after: what it is to become.

    Raises ForbiddenError, InvalidRequestError.
    """
    if other_references(before, after):
        caller.require("credential.write", account_id)
    moved = new_addresses(before, after)
    if moved and kept_references(before, after):
        place = f"/provider_config/{moved[0]}"
        raise InvalidRequestError(
            "the stored credential was given for another address",
            remediation="Send the credential again together with the new address.",
            fields={place: "another address than the stored credential's"},
        )


__all__ = ["guard_secrets"]

"""Why a sign-in by an OpenID provider failed, in words for the person who tried."""

from __future__ import annotations

from callout.ports.errors import CalloutError


class OidcError(CalloutError):
    """It failed; `why` is one word for the audit."""

    code = "SIGN_IN_FAILED"

    def __init__(self, why: str, message: str, remediation: str, *, detail: str = "") -> None:
        super().__init__(message, remediation=remediation, detail=detail)
        self.why = why


class OidcUnavailableError(OidcError):
    """The provider did not answer as it should; `detail` is for the operator, not for whoever tries to sign in.

    Where it was not asked again so soon after that, `again` is true, and there is nothing new to write down.
    """

    permanent = False

    def __init__(self, what: str, detail: str, *, again: bool = False) -> None:
        super().__init__(
            "unavailable",
            f"the sign-in service did not work as it should: {what}",
            "Try again in a moment. If it stays so, an operator finds more in the audit log.",
            detail=detail,
        )
        self.what = what
        self.again = again


class NotSilentlyError(OidcError):
    """The provider wants to ask the person something, who was not to be asked: they sign in as usual, and go on to `onwards`."""

    def __init__(self, onwards: str) -> None:
        super().__init__("silent", "the sign-in service wants to ask you something", "Sign in again.")
        self.onwards = onwards

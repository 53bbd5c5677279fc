"""Forms in chat: what they look like, who may open them, and what submitting them does."""

from __future__ import annotations

from callout.chatops.forms.opening import open_form, timeline_form
from callout.chatops.forms.shapes import BARE, PREFIX
from callout.chatops.forms.submitting import errors_of, submit
from callout.chatops.forms.tokens import FormTokens

__all__ = ["BARE", "PREFIX", "FormTokens", "errors_of", "open_form", "submit", "timeline_form"]

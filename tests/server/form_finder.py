"""The forms of a page with each of their fields, as a browser would see them, and what is said beside each."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

TYPED = frozenset({"text", "textarea", "search", "email", "number", "url", "date", "password"})


@dataclass
class Field:
    """One field. `kind` is the type of an input, or textarea, select; `described` are ids of what is said beside it."""

    name: str
    kind: str
    value: str = ""
    options: list[str] = field(default_factory=list)
    id: str = ""
    described: tuple[str, ...] = ()
    invalid: bool = False
    required: bool = False

    @property
    def typed(self) -> bool:
        """Whether somebody types into it."""
        return self.kind in TYPED


@dataclass
class FoundForm:
    """One form."""

    action: str
    method: str
    multipart: bool
    fields: list[Field] = field(default_factory=list)

    def values(self) -> dict[str, str]:
        """Return what would be sent if nobody touched it."""
        return {one.name: one.value for one in self.fields if one.kind != "unticked"}

    @property
    def shape(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """What makes it the same form, whatever stands in it."""
        hidden = {(one.name, one.value) for one in self.fields if one.kind in {"hidden", "button"}}
        return self.action, frozenset(
            {(one.name, "") for one in self.fields} | {pair for pair in hidden if pair[0] in _TELLING}
        )

    def named(self, name: str) -> Field | None:
        """Return the visible field of a name."""
        found = [one for one in self.fields if one.name == name and one.kind != "hidden"]
        return found[-1] if found else None


class Forms(HTMLParser):
    """Finds the forms of a page, and the texts of everything that has an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[FoundForm] = []
        self.texts: dict[str, str] = {}
        self._form: FoundForm | None = None
        self._area: Field | None = None
        self._select: Field | None = None
        self._inside: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters."""
        found = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._inside.append((tag, found.get("id", "")))
        if "id" in found:
            self.texts.setdefault(found["id"], "")
        if tag == "form":
            multipart = found.get("enctype") == "multipart/form-data"
            self._form = FoundForm(found.get("action", ""), found.get("method", "get").lower(), multipart)
            self.forms.append(self._form)
        if self._form is None:
            return
        if tag in {"input", "textarea", "select"} and "name" in found:
            self._form.fields.append(self._field(tag, found))
        elif tag == "button" and found.get("name"):
            self._form.fields.append(Field(found["name"], "button", found.get("value", "")))
        elif tag == "option" and self._select is not None:
            self._select.options.append(found.get("value", ""))
            if "selected" in found or len(self._select.options) == 1:
                self._select.value = found.get("value", "")

    def _field(self, tag: str, found: dict[str, str]) -> Field:
        kind = found.get("type", "text") if tag == "input" else tag
        if kind in {"checkbox", "radio"} and "checked" not in found:
            kind = "unticked"
        one = Field(
            found["name"],
            kind,
            found.get("value", ""),
            id=found.get("id", ""),
            described=tuple(found.get("aria-describedby", "").split()),
            invalid=found.get("aria-invalid") == "true",
            required="required" in found,
        )
        if tag == "textarea":
            self._area = one
        elif tag == "select":
            self._select = one
        return one

    def handle_data(self, data: str) -> None:
        """Note texts."""
        if self._area is not None:
            self._area.value += data if self._area.value else data.removeprefix("\n")
        for _, name in self._inside:
            if name:
                self.texts[name] += data

    def handle_endtag(self, tag: str) -> None:
        """Note where things end."""
        while self._inside:
            closed, _ = self._inside.pop()
            if closed == tag:
                break
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = None


_TELLING = frozenset({"action", "choice", "entry", "make"})
"""Hidden fields by which forms of one address differ."""
_VOID = frozenset({"input", "br", "hr", "img", "link", "meta"})

"""Nothing that we say in chat holds a credential or, by setting, personal data: a marker says what was hidden."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from callout.kit.personal_data import KINDS, personal_spans
from callout.kit.redaction import has_odd_letters, secret_spans
from callout.ports.chat import Answer, Bookmark, Button, Card, Fact, FullChat, MessageRef, Section
from callout.ports.chat_files import FilePlace, ShownFile
from callout.ports.chat_forms import Form, FormField, Menu, Option
from callout.ports.errors import OperationNotSupportedError

if TYPE_CHECKING:
    from callout.ports.chat import ChatProvider
    from callout.ports.chat_settings import ChatSettings

L = TypeVar("L", "Button", "Option")
SECRET: Final = "secret"  # noqa: S105  # what it is called
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
# What people type in a chat and no program would write, beside what is never logged.
_TYPED: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)(?:\b|_)(?:password|passwd|passphrase|passcode|pwd|secret|pass)[\"'*`]*\s*[:=]\s*[\"'*`]*(?P<hide>[^\s\"'`*,;]{4,})",
        r"(?i)\b(?:password|passwd|passphrase|passcode|pwd)\s+is\s+[\"'*`]*(?P<hide>(?=\S*[\d!$%&=_-])[^\s\"'`*,;]{4,})",
        r"\b(?P<hide>(?:AKIA|ASIA)[0-9A-Z]{16})\b",
        r"\b(?P<hide>AIza[0-9A-Za-z_-]{35})",
        r"\b(?P<hide>(?:ghp|gho|ghs|ghu|ghr)_[A-Za-z0-9]{20,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{20,})",
        r"(?i)\b(?P<hide>xox[a-z]-[a-z0-9-]{3,})",
    )
)
_HINTS: Final = (
    *("pass", "pwd", "secret", "akia", "asia", "aiza", "xox", "sk-"),
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "sk_", "rk_", "pk_"),
)
"""In lower case, one of them is in what any of the patterns finds. Most texts hold none, and looking for these is quick."""
_WORDS: Final[Mapping[str, str]] = {SECRET: "secret", **KINDS}
_MARKER = re.compile(rf"\[(?:{'|'.join(_WORDS.values())}) hidden\]")


class Redactor:
    """Hides by the rules of one chat integration."""

    def __init__(self, settings: ChatSettings) -> None:
        self._secrets = settings.redact_secrets
        self._personal = settings.redact_personal

    def text(self, text: str) -> str:
        """Return `text`, plain or Markdown, with `[secret hidden]` and the like in place of what must not be said."""
        if not text or not (self._secrets or self._personal):
            return text
        plain = _ESCAPED.sub(r"\1", text) if "\\" in text else text
        spans = [(start, end, SECRET) for start, end in _secret_spans(plain)] if self._secrets else []
        spans += personal_spans(plain, self._personal)
        if not spans:  # nearly always
            return text
        places = _places(text)
        for start, end, kind in reversed(_apart(_beside_markers(plain, spans))):
            text = (
                f"{text[: _before(text, places[start])]}[{_WORDS[kind]} hidden]{text[places[end - 1] + 1 :]}"
            )
        return text

    def card(self, card: Card) -> Card:
        """Return a card with nothing in it that must not be said."""
        return replace(
            card,
            title=self.text(card.title),
            text=self.text(card.text),
            facts=tuple(Fact(self.text(one.label), self.text(one.value)) for one in card.facts),
            footer=self.text(card.footer),
            buttons=self._buttons(card.buttons),
            menus=self._menus(card.menus),
            sections=tuple(
                Section(self.text(one.text), self._buttons(one.buttons), self._menus(one.menus))
                for one in card.sections
            ),
        )

    def form(self, form: Form) -> Form:
        """Return a form with nothing in it that must not be said.

        A field that would be filled in with such is left empty: a marker in it would come back as its value.
        """
        return replace(
            form,
            title=self.text(form.title),
            text=self.text(form.text),
            fields=tuple(self._field(one) for one in form.fields),
        )

    def answer(self, answer: Answer) -> Answer:
        """Return an answer with nothing in it that must not be said."""
        return replace(
            answer,
            text=self.text(answer.text),
            card=None if answer.card is None else self.card(answer.card),
            form=None if answer.form is None else self.form(answer.form),
            errors={name: self.text(text) for name, text in answer.errors.items()},
        )

    def bookmark(self, bookmark: Bookmark) -> Bookmark:
        """Return a bookmark with nothing in its title that must not be said."""
        return replace(bookmark, title=self.text(bookmark.title))

    def _buttons(self, buttons: Iterable[Button]) -> tuple[Button, ...]:
        return tuple(self._labelled(one) for one in buttons)

    def _menus(self, menus: Iterable[Menu]) -> tuple[Menu, ...]:
        return tuple(replace(one, options=self._options(one.options)) for one in menus)

    def _options(self, options: Iterable[Option]) -> tuple[Option, ...]:
        return tuple(self._labelled(one) for one in options)

    def _labelled(self, one: L) -> L:
        said = self.text(one.label)
        return one if said == one.label else replace(one, label=said)

    def _field(self, field: FormField) -> FormField:
        value = field.value if self.text(field.value) == field.value else ""
        return replace(
            field,
            label=self.text(field.label),
            hint=self.text(field.hint),
            value=value,
            options=self._options(field.options),
        )


class Speaking:
    """A platform that is told nothing before it went through the redactor. What it has no method for is answered with
    OperationNotSupportedError.
    """

    def __init__(self, provider: ChatProvider, redactor: Redactor) -> None:
        self._provider = provider
        self._redactor = redactor

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any method of the platform's
        try:
            return getattr(self._provider, name)
        except AttributeError:
            if name.startswith("_"):
                raise
            return _lacking(name)

    async def post_message(self, channel: str, card: Card, *, key: str, thread: str = "") -> MessageRef:
        return await self._provider.post_message(channel, self._redactor.card(card), key=key, thread=thread)

    async def update_message(self, message: MessageRef, card: Card) -> MessageRef:
        return await self._provider.update_message(message, self._redactor.card(card))

    async def respond(self, response: str, answer: Answer, *, replace: bool = False) -> None:
        await self._provider.respond(response, self._redactor.answer(answer), replace=replace)

    async def open_form(self, trigger: str, form: Form) -> None:
        await self._provider.open_form(trigger, self._redactor.form(form))

    async def publish_home(self, user: str, home: Card) -> None:
        await self._provider.publish_home(user, self._redactor.card(home))

    async def set_topic(self, channel: str, topic: str) -> None:
        await self._provider.set_topic(channel, self._redactor.text(topic))

    async def keep_bookmarks(
        self, channel: str, wanted: Sequence[Bookmark], known: Mapping[str, str]
    ) -> Mapping[str, str]:
        keep: Callable[..., Awaitable[Mapping[str, str]]] = self.__getattr__("keep_bookmarks")
        return await keep(channel, [self._redactor.bookmark(one) for one in wanted], known)

    async def put_file(self, file: ShownFile, place: FilePlace) -> str:
        put: Callable[..., Awaitable[str]] = self.__getattr__("put_file")
        return await put(self._file(file), place)

    async def share_file(self, file: ShownFile, place: FilePlace, *, upload: str, key: str) -> str:
        share: Callable[..., Awaitable[str]] = self.__getattr__("share_file")
        return await share(self._file(file), place, upload=upload, key=key)

    def _file(self, file: ShownFile) -> ShownFile:
        """Return a file with nothing in its name and comment that must not be said; into its bytes nobody looks."""
        return replace(file, name=self._redactor.text(file.name), comment=self._redactor.text(file.comment))


def speaking(provider: ChatProvider, settings: ChatSettings) -> FullChat:
    """Return `provider` as it is to be spoken through."""
    return cast("FullChat", Speaking(provider, Redactor(settings)))


def _lacking(name: str) -> Callable[..., Awaitable[Any]]:
    async def refuse(*_args: object, **_options: object) -> Any:  # noqa: ANN401  # it never returns
        raise OperationNotSupportedError(f"this platform has no {name.replace('_', ' ')}")

    return refuse


def _secret_spans(text: str) -> list[tuple[int, int]]:
    found = secret_spans(text)
    if not has_odd_letters(text):
        lower = text.lower()
        if not any(hint in lower for hint in _HINTS):
            return found
    return found + [match.span("hide") for pattern in _TYPED for match in pattern.finditer(text)]


def _places(text: str) -> Sequence[int]:
    """Return where each character of Markdown, without its backslashes, stands in `text`."""
    if "\\" not in text:
        return range(len(text))
    places: list[int] = []
    at = 0
    for match in _ESCAPED.finditer(text):
        places += range(at, match.start())
        places.append(match.start() + 1)
        at = match.end()
    places += range(at, len(text))
    return places


def _beside_markers(text: str, spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the spans without what is a marker already: what is said twice is hidden once."""
    markers = [match.span() for match in _MARKER.finditer(text)]
    found = []
    for start, end, kind in spans:
        inside = next((last for first, last in markers if first <= start < last), start)
        if inside < end:
            found.append((inside, end, kind))
    return found


def _before(text: str, place: int) -> int:
    """Return where a character at `place` begins: with the backslash before it, where one escapes it."""
    backslashes = 0
    while place - backslashes > 0 and text[place - backslashes - 1] == "\\":
        backslashes += 1
    return place - backslashes % 2


def _apart(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the spans in order, those that overlap as one; a secret's name goes before others'."""
    found: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans):
        if start >= end:
            continue
        if found and start < found[-1][1]:
            first, last, before = found[-1]
            found[-1] = (first, max(last, end), SECRET if SECRET in {before, kind} else before)
        else:
            found.append((start, end, kind))
    return found


__all__ = ["Redactor", "Speaking", "speaking"]

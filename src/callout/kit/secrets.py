"""Secret values that cannot be printed, and their encryption at rest."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final, NoReturn, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MASK: Final = "***"
KEY_BYTES: Final = 32

_NONCE_BYTES: Final = 12
_FORMAT: Final = "sealed1"
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,32}")
_READABLE_BY_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class SealError(Exception):
    """A sealed value cannot be opened: tampered with, moved to another place, or its key is missing."""


class KeyFileError(Exception):
    """The keys cannot be used as they are given; the message says what to do."""


class Secret:
    """A text that shows itself only to `reveal()`.

    Printing, formatting and copying keep it hidden; pickling and JSON are refused. Equality takes the
    same time whatever the values are.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            msg = f"a secret holds text, not {type(value).__name__}"  # type: ignore[unreachable]
            raise TypeError(msg)
        self.__value = value

    def reveal(self) -> str:
        """Return the value itself; every call of this is a place worth reviewing."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_utf8(self.__value), _utf8(other.reveal()))

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a secret cannot be pickled; seal it with a KeyRing to store it"
        raise TypeError(msg)


class KeyRing:
    """Versioned AES-256-GCM keys: the primary one seals, all of them open.

    Args:
        keys: 32-byte keys by version name.
        primary: the version that seals.

    Raises:
        KeyFileError: no key, a bad version name or key length, or an unknown primary.
    """

    def __init__(self, keys: dict[str, bytes], *, primary: str) -> None:
        if primary not in keys:
            msg = f"no key for the primary version {primary!r}"
            raise KeyFileError(msg)
        for version, key in keys.items():
            if not _VERSION.fullmatch(version):
                msg = "a key version is 1 to 32 letters, digits, '_' or '-'"
                raise KeyFileError(msg)
            if len(key) != KEY_BYTES:
                msg = f"key {version!r} has {len(key)} bytes; it must have {KEY_BYTES}"
                raise KeyFileError(msg)
        self._keys = dict(keys)
        self._primary = primary
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self._file: Path | None = None

    def __repr__(self) -> str:
        return f"KeyRing(versions={list(self._keys)}, primary={self._primary!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a key ring cannot be pickled"
        raise TypeError(msg)

    @property
    def primary(self) -> str:
        """The version that seals."""
        return self._primary

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions, in the order they were given."""
        return tuple(self._keys)

    @classmethod
    def generate(cls) -> Self:
        """Return a ring with one new random key, version `v1`."""
        return cls({"v1": os.urandom(KEY_BYTES)}, primary="v1")

    @classmethod
    def parse(cls, text: str | Secret) -> Self:
        """Read `v1:<base64>,v2:<base64>`; the last key is the primary one unless another is marked `*v1:`.

        Raises:
            KeyFileError: the text is not of that form. The message never repeats key material.
        """
        raw = text.reveal() if isinstance(text, Secret) else text
        keys: dict[str, bytes] = {}
        marked: list[str] = []
        for number, part in enumerate(filter(None, (p.strip() for p in raw.split(","))), start=1):
            name, colon, encoded = part.partition(":")
            version = name.strip().removeprefix("*")
            if not colon or not _VERSION.fullmatch(version):
                msg = f"key number {number} is not of the form version:base64"
                raise KeyFileError(msg)
            if version in keys:
                msg = f"key version {version!r} is given twice"
                raise KeyFileError(msg)
            if name.strip().startswith("*"):
                marked.append(version)
            keys[version] = _decode_key(version, encoded)
        if not keys:
            msg = "no key given; expected version:base64, for example from `callout keys generate`"
            raise KeyFileError(msg)
        if len(marked) > 1:
            msg = "more than one key is marked as primary with '*'"
            raise KeyFileError(msg)
        return cls(keys, primary=marked[0] if marked else list(keys)[-1])

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the key file, or make one with a new key, readable by its owner only.

        Several processes may call this at the same moment: one creates, the others read its file.

        Raises:
            KeyFileError: others may read the file, or its content is not a key list.
        """
        with contextlib.suppress(FileNotFoundError):
            return cls._watched(path)
        with contextlib.suppress(FileExistsError):
            cls.generate().save(path, replace=False)
        return cls._watched(path)

    @classmethod
    def _watched(cls, path: Path) -> Self:
        ring = cls._load(path)
        ring._file = path  # noqa: SLF001
        return ring

    def _cipher(self, version: str) -> AESGCM | None:
        """Return the key of `version`; one that is not known is looked for in the key file, where a rotation put it."""
        if version not in self._ciphers and self._file is not None:
            with contextlib.suppress(FileNotFoundError):
                fresh = self._load(self._file)
                self._keys, self._ciphers, self._primary = fresh._keys, fresh._ciphers, fresh._primary  # noqa: SLF001
        return self._ciphers.get(version)

    @classmethod
    def _load(cls, path: Path) -> Self:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _READABLE_BY_OTHERS:
                msg = f"key file {path} has mode {mode:04o}: others may read it. Run: chmod 600 {path}"
                raise KeyFileError(msg)
            try:
                text = file.read()
            except UnicodeDecodeError:
                msg = f"key file {path} is not text"
                raise KeyFileError(msg) from None
        try:
            return cls.parse(",".join(text.splitlines()))
        except KeyFileError as error:
            msg = f"key file {path}: {error}"
            raise KeyFileError(msg) from None

    def save(self, path: Path, *, replace: bool) -> None:
        """Write the ring to `path` with mode 0600; a reader sees the old file or the whole new one.

        Raises:
            FileExistsError: the file exists and `replace` is false.
        """
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(self.to_text().reveal() + "\n")
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)  # unlike a rename, this fails when another process was first
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)

    def to_text(self) -> Secret:
        """Return the ring in the form `parse` reads, as a secret."""
        parts = [
            f"{'*' if version == self._primary else ''}{version}:{base64.b64encode(key).decode('ascii')}"
            for version, key in self._keys.items()
        ]
        return Secret(",".join(parts))

    def with_new_primary(self) -> Self:
        """Return a ring with one more random key that is the primary one; the old keys still open."""
        number = len(self._keys) + 1
        while f"v{number}" in self._keys:
            number += 1
        version = f"v{number}"
        return type(self)({**self._keys, version: os.urandom(KEY_BYTES)}, primary=version)

    def seal(self, plaintext: str | Secret, *, context: tuple[str, ...]) -> str:
        """Encrypt with the primary key, bound to the place it is for.

        Args:
            plaintext: what to hide.
            context: account, owner and field; the same tuple is needed to open.

        Raises:
            ValueError: the context is empty.
        """
        value = plaintext.reveal() if isinstance(plaintext, Secret) else plaintext
        nonce = os.urandom(_NONCE_BYTES)
        aad = _aad(self._primary, context)
        ciphertext = self._ciphers[self._primary].encrypt(nonce, _utf8(value), aad)
        return f"{_FORMAT}:{self._primary}:{base64.urlsafe_b64encode(nonce + ciphertext).decode('ascii')}"

    def open(self, sealed: str, *, context: tuple[str, ...]) -> Secret:
        """Decrypt what `seal` made.

        Raises:
            SealError: not a sealed value, changed, sealed for another place, or its key is not in this ring.
        """
        version, encoded = _split(sealed)
        cipher = self._cipher(version)
        if cipher is None:
            msg = f"the value was sealed with key {version!r}, which is not among the configured keys"
            raise SealError(msg)
        try:
            raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            msg = "the sealed value is damaged: not base64"
            raise SealError(msg) from None
        try:
            plain = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _aad(version, context))
        except (InvalidTag, ValueError):
            msg = f"the sealed value was changed, or was sealed for another place than {'/'.join(context)}"
            raise SealError(msg) from None
        return Secret(plain.decode("utf-8", "surrogatepass"))

    def needs_rewrap(self, sealed: str) -> bool:
        """Say whether another key than the primary one sealed this value.

        Raises:
            SealError: not a sealed value.
        """
        return _split(sealed)[0] != self._primary

    def rewrap(self, sealed: str, *, context: tuple[str, ...]) -> str:
        """Return the value sealed with the primary key; unchanged when it already is.

        Raises:
            SealError: as for `open`.
        """
        if not self.needs_rewrap(sealed):
            return sealed
        return self.seal(self.open(sealed, context=context), context=context)


def hash_token(secret: str | Secret) -> str:
    """Return the SHA-256 hex digest under which a random token is stored.

    Only for high-entropy tokens of our own making; a password needs a slow hash.
    """
    return hashlib.sha256(_utf8(secret.reveal() if isinstance(secret, Secret) else secret)).hexdigest()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode_key(version: str, encoded: str) -> bytes:
    text = encoded.strip().replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        msg = f"key {version!r} is not valid base64"
        raise KeyFileError(msg) from None


def _aad(version: str, context: tuple[str, ...]) -> bytes:
    if not context:
        msg = "a sealed value needs a context: account, owner and field"
        raise ValueError(msg)
    parts = [_utf8(part) for part in (_FORMAT, version, *context)]
    # Length-prefixed, so that ("ab", "c") and ("a", "bc") are different places.
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _split(sealed: str) -> tuple[str, str]:
    marker, _, rest = sealed.partition(":")
    version, colon, encoded = rest.partition(":")
    if marker != _FORMAT or not colon or not _VERSION.fullmatch(version):
        msg = "not a sealed value"
        raise SealError(msg)
    return version, encoded


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

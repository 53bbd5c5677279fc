"""Checks of what an installation stands on: settings, data directory, key file, public address. Nothing is made or changed."""

from __future__ import annotations

import ipaddress
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from callout.bootstrap.doctor_model import Finding, Findings
from callout.kit.probe import ask
from callout.kit.secrets import KeyFileError, KeyRing

if TYPE_CHECKING:
    from callout.bootstrap.settings import Settings

MIB: Final = 1 << 20
WIDEST_PREFIX: Final = 8
"""A network of fewer fixed bits than this is more than anybody's private one."""
ANSWER_SECONDS: Final = 5.0
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs", "lustre"}
)
"""On these the shared memory of SQLite's log does not work between processes, and locks are not to be trusted."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def check_settings(settings: Settings) -> list[Finding]:
    """Return settings that are allowed, and look like a mistake."""
    found = Findings("settings")
    if settings.embedded and settings.processes > 1:
        found.wrong(
            f"{settings.processes} processes with the embedded database: `callout serve` will not start",
            "Leave CALLOUT_PROCESSES out, or use PostgreSQL.",
        )
    if not settings.require_https:
        found.warn(
            "integrations may be reached without https: their credentials can be read on the way",
            "Set CALLOUT_REQUIRE_HTTPS to true unless this is a trial with twins.",
        )
    for text in settings.allow_networks:
        network = ipaddress.ip_network(text)
        if network.prefixlen < WIDEST_PREFIX:
            found.warn(
                f"CALLOUT_ALLOW_NETWORKS opens {text}: an integration's address may lead nearly anywhere inside",
                "Name the networks in which your systems really are.",
            )
    if settings.log_level == "debug":
        found.warn("the log is at `debug`: it is slow and long", "Set CALLOUT_LOG_LEVEL to info.")
    if settings.keys.get_secret_value() and (settings.data_dir / "keys").exists():
        found.warn(
            f"CALLOUT_KEYS is set, so the key file {settings.data_dir / 'keys'} is not read",
            "Unset CALLOUT_KEYS, or move the file away once no credential needs its keys.",
        )
    if settings.embedded and not settings.disk_free_mib:
        found.warn(
            "webhooks are taken in until the disk is full (CALLOUT_DISK_FREE_MIB is 0)",
            "Leave some room: a full disk stops everything else, too.",
        )
    if not found.all:
        source = sorted(set(settings.sources.values()))
        found.ok(f"read from {', '.join(source)}" if source else "all at their defaults")
    return found.all


def check_data_directory(settings: Settings) -> list[Finding]:
    """Return how the data directory is kept, and its room."""
    found = Findings("data directory")
    place = settings.data_dir.absolute()
    if not place.is_dir():
        if settings.embedded or not settings.keys.get_secret_value():
            found.unknown(
                f"{place} does not exist",
                "`callout serve` makes it; or name the right one with --data or CALLOUT_DATA_DIR.",
            )
        else:
            found.ok("not needed: PostgreSQL, and keys from CALLOUT_KEYS")
        return found.all
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found.wrong(f"{place} has mode {mode:04o}: anybody may replace what is in it", f"chmod 700 {place}")
    elif settings.embedded and mode & (stat.S_IROTH | stat.S_IXOTH) == stat.S_IROTH | stat.S_IXOTH:
        file = Path(settings.database.removeprefix("sqlite:///"))
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & stat.S_IROTH:
            found.warn(f"{place} and the database in it can be read by other users", f"chmod 700 {place}")
        else:
            found.ok(f"{place}, mode {mode:04o}")
    else:
        found.ok(f"{place}, mode {mode:04o}")
    free = shutil.disk_usage(place).free // MIB
    least = max(settings.disk_free_mib, 1)
    if free < least:
        found.wrong(
            f"{free} MiB are free, less than the {least} MiB below which no webhook is taken in",
            "Make room on this disk.",
        )
    elif free < 4 * least:
        found.warn(
            f"{free} MiB are free; below {least} MiB no webhook is taken in", "Make room on this disk."
        )
    else:
        found.ok(f"{free:,} MiB are free")
    return found.all


def check_keys(settings: Settings) -> tuple[KeyRing | None, list[Finding]]:
    """Return the keys, if there are any that can be used, and how they are kept. None are made."""
    found = Findings("keys")
    given = settings.keys.get_secret_value()
    path = settings.data_dir / "keys"
    try:
        if given:
            ring, source = KeyRing.parse(given), "CALLOUT_KEYS"
        elif path.exists():
            ring, source = KeyRing.load_or_create(path), str(path)
        else:
            found.unknown(
                f"there is no key file {path}",
                "The first `callout serve` makes one; with a database that has credentials, put theirs back.",
            )
            return None, found.all
    except KeyFileError as error:
        found.wrong(str(error), "Without its keys no stored credential can be read: put the right ones back.")
        return None, found.all
    found.ok(f"{', '.join(ring.versions)} from {source}; {ring.primary} encrypts")
    if not given and stat.S_IMODE(path.parent.stat().st_mode) & stat.S_IWOTH:
        found.warn(f"others may replace the key file in {path.parent}", f"chmod 700 {path.parent}")
    return ring, found.all


async def check_public_address(settings: Settings) -> list[Finding]:
    """Return whether the address that people and vendors are given is a good one, and leads here."""
    found = Findings("public address")
    parts = urlsplit(settings.address)
    if not settings.public_url:
        found.warn(
            f"CALLOUT_PUBLIC_URL is not set: links and webhook addresses lead to {settings.address}",
            "Set it to the address under which people and vendors reach this server.",
        )
    elif parts.scheme != "https":
        found.warn(
            f"{settings.address} is not https: what people type can be read on the way, and vendors refuse to call it",
            "Put a proxy that speaks TLS in front, and set CALLOUT_PUBLIC_URL to its address.",
        )
    else:
        found.ok(f"{settings.address}")
    answer = await ask(f"{settings.address}/healthz", seconds=ANSWER_SECONDS)
    if answer is None:
        found.unknown(
            f"{settings.address}/healthz does not answer from here",
            "If `callout serve` runs, look at its proxy and at name resolution; from outside it may answer all the same.",
        )
    elif (answer.status, answer.body) == (200, {"status": "ok"}):
        found.ok("/healthz answers there")
    else:
        found.wrong(
            f"{settings.address}/healthz answers {answer.status}, and it is not Callout that does",
            "The address, or the proxy behind it, leads to another program.",
        )
    return found.all


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that `path` is on, by the text of `/proc/mounts`; empty where it does not tell."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:  # noqa: PLR2004  # device, place, type
            continue
        place = fields[1].replace("\\040", " ")
        inside = place == "/" or str(path) == place or str(path).startswith(f"{place}/")
        if inside and len(place) >= len(best):
            best, kind = place, fields[2]
    return kind


__all__ = [
    "NETWORK_FILE_SYSTEMS",
    "check_data_directory",
    "check_keys",
    "check_public_address",
    "check_settings",
    "file_system_of",
]

"""`oidc-provider` (Node.js, certified, not of our making), run on this machine, and a person's browser at its pages."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

import httpx
import pytest

SOURCE = Path(__file__).parent / "openid"
INSTALL_SECONDS = 240.0
SCOPES = ("openid", "email", "profile", "groups")


def installed() -> Path:
    """Return the folder with the provider and what it needs; installed once per environment. Skips where that cannot be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js with npm is not here, and the OpenID provider needs it")
    lock_file = (SOURCE / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / "openid-provider" / hashlib.sha256(lock_file).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", "provider.mjs"):
            shutil.copy(SOURCE / name, folder / name)
        if not (folder / "complete").exists():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
            if done.returncode:
                pytest.skip(f"the OpenID provider cannot be installed: {done.stderr[-500:]}")
            (folder / "complete").touch()
    return folder


class OpenIdProvider:
    """The provider on a port of its own, with new keys each time it starts; it sends people to callout.test and to `redirects`.

    `told` is where it says which sessions ended.
    """

    def __init__(self, *redirects: str, told: str = "") -> None:
        self._folder = installed()
        self._redirects = redirects
        self._told = told
        self._process: subprocess.Popen[str] | None = None
        self.issuer = ""
        self.start()

    def start(self) -> None:
        """Start it, on the port that it had before."""
        port = self.issuer.rpartition(":")[2]
        self._process = subprocess.Popen(
            ["node", "provider.mjs", port or "0", *self._redirects],
            cwd=self._folder,
            env={**os.environ, "LOGOUT_URI": self._told},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.issuer = json.loads(self._process.stdout.readline())["issuer"]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None


class Person:
    """Somebody with a browser, at the provider's own pages."""

    def __init__(self, login: str) -> None:
        self.login = login
        self.http = httpx.AsyncClient(timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def goes_to(self, address: str, *, agrees: bool = True) -> str:
        """Follow `address` through the provider's pages; return where it sends the browser in the end."""
        for _ in range(20):
            if address.startswith("http://callout.test"):
                return address
            answer = await self.http.get(address)
            if not answer.is_redirect:
                answer = await self._fill_in(answer, agrees=agrees)
            assert answer.is_redirect, answer.text[:500]
            address = urljoin(str(answer.url), answer.headers["location"])
        raise AssertionError("the provider's pages lead in a circle")

    async def signs_out(self, issuer: str) -> None:
        """End the session at the provider."""
        page = await self.http.get(f"{issuer}/session/end")
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        assert xsrf is not None, page.text[:500]
        done = await self.http.post(f"{issuer}/session/end/confirm", data={"xsrf": xsrf[1], "logout": "yes"})
        assert done.is_redirect, done.text[:500]

    async def _fill_in(self, page: httpx.Response, *, agrees: bool) -> httpx.Response:
        assert page.status_code == 200, f"{page.status_code}: {re.sub('<[^>]+>', ' ', page.text)[-600:]}"
        form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
        prompt = re.search(r'name="prompt" value="([^"]+)"', page.text)
        assert form is not None
        assert prompt is not None
        place = urljoin(str(page.url), form[1])
        if not agrees:
            return await self.http.get(f"{place}/abort")
        return await self.http.post(place, data={"prompt": prompt[1], "login": self.login, "password": "any"})

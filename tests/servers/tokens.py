"""A token server for a registry with ``auth: token``, as Docker Hub has one (distribution, "Token Authentication")."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from servers.registry import Registry, free_port, running

SERVICE, ISSUER = "the registry", "the realm"
LOGIN = ("user", "secret")
IDENTITY = "an-identity-token"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_certificate(folder: Path, *more: str) -> tuple[Path, Path]:
    """A certificate and its key."""
    certificate, key = folder / "realm.crt", folder / "realm.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=realm", *more]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@dataclass
class Realm:
    """Anybody may read ``open/...``; who is logged in may do everything. ``asked``: how tokens were asked for."""

    certificate: Path
    key: Path
    asked: list[dict[str, str]] = field(default_factory=list)
    #: how long a token is good for
    seconds: int = 300

    async def serve(self, request: web.Request) -> web.Response:
        form = dict(await request.post()) if request.method == "POST" else {}
        query = {**request.query, **{name: str(value) for name, value in form.items()}}
        scopes = [part for scope in request.query.getall("scope", [query.get("scope", "")]) for part in scope.split()]
        self.asked.append({"method": request.method, **query, "scopes": " ".join(scopes)})
        header = request.headers.get("Authorization", "")
        known = header == "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode() or query.get("refresh_token") == IDENTITY
        if (header or "refresh_token" in query) and not known:
            return web.json_response({"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]}, status=401)
        access: list[dict[str, object]] = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            granted = actions.split(",") if known else ["pull"] if name.startswith("open/") else []
            access.append({"type": kind, "name": name, "actions": granted})
        answer = {"access_token" if request.method == "POST" else "token": await asyncio.to_thread(self._sign, access)}
        if query.get("offline_token") == "true" and known:
            answer["refresh_token"] = IDENTITY
        return web.json_response(answer)

    def _sign(self, access: list[dict[str, object]]) -> str:
        chain = self.certificate.read_text().replace("\n", "").split("-----")[2]
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "", "aud": SERVICE, "nbf": now - 10, "iat": now, "jti": str(now), "access": access}
        head = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
        body = ".".join(_text(json.dumps(part).encode()) for part in (head, claims | {"exp": now + self.seconds}))
        sign = ["openssl", "dgst", "-sha256", "-sign", str(self.key)]
        return f"{body}.{_text(subprocess.run(sign, input=body.encode(), check=True, capture_output=True).stdout)}"


@asynccontextmanager
async def token_registry(folder: Path) -> AsyncIterator[tuple[Registry, Realm]]:
    """A real registry and the realm that it sends everybody to."""
    folder.mkdir()
    realm = Realm(*make_certificate(folder))
    application = web.Application()
    application.router.add_route("*", "/token", realm.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    auth = (
        f"auth: {{token: {{realm: 'http://127.0.0.1:{port}/token', service: {SERVICE}, issuer: {ISSUER},"
        f" rootcertbundle: {realm.certificate}}}}}"
    )
    try:
        with running(folder / "registry", auth=auth) as registry:
            yield registry, realm
    finally:
        await runner.cleanup()

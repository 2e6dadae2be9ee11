"""Registries that lie, hang, stumble, or want to know who we are: a small server that does as each test says."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import images_data
from images.image_store import Store
from images_data import sha256
from moby_tui.engine.resources.images.registry import connection, download, hosts
from moby_tui.engine.resources.images.registry import registry as client
from moby_tui.errors import InvalidArgument, MobyError, NotFound, StorageFull, Unauthorized, Unavailable
from moby_tui.schema.image import RegistryAuth
from servers.registry import CONFIG, HTPASSWD, INDEX, LAYER_GZIP, MANIFEST, Registry, running
from servers.tokens import make_certificate

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
IMAGE = images_data.ImageData([images_data.Tar().add("f", data=b"x" * 3000).bytes()])
LAYER = gzip.compress(IMAGE.layers[0], mtime=0)
DOCUMENT: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": MANIFEST,
    "config": {"mediaType": CONFIG, "digest": IMAGE.id, "size": len(IMAGE.config)},
    "layers": [{"mediaType": LAYER_GZIP, "digest": sha256(LAYER), "size": len(LAYER)}],
}


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """Runs the handler for every request; yields ``127.0.0.1:port``."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answer(request: web.Request, document: dict[str, Any] | bytes = DOCUMENT, media_type: str = MANIFEST) -> web.Response:
    """What an honest registry would say."""
    what = request.path.rpartition("/")[2]
    if "/manifests/" in request.path:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return web.Response(body=body, content_type=media_type)
    return web.Response(body={IMAGE.id: IMAGE.config, sha256(LAYER): LAYER}[what])


async def pull(store: Store, reference: str, auth: RegistryAuth | None = None) -> None:
    async for _ in store.images.pull(reference, auth=auth):
        pass


async def refused(store: Store, handler: Handler, kind: type[MobyError], text: str, auth: RegistryAuth | None = None) -> None:
    async with server(handler) as address:
        with pytest.raises(kind, match=text):
            await pull(store, f"{address}/a:1", auth)
    assert store.staged() == [] and await store.images.list() == []


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.01)


def error(status: int, code: str, message: str = "") -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)


@pytest.mark.parametrize("where", ["manifests", "blobs", "half"])
async def test_a_registry_that_hangs(store: Store, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if where == "half" and sha256(LAYER) in request.path:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(LAYER[:10])
            await asyncio.sleep(3600)
        if where in request.path:
            await asyncio.sleep(3600)
        return answer(request)

    monkeypatch.setattr(
        client.Registry.__init__, "__kwdefaults__", (client.Registry.__init__.__kwdefaults__ or {}) | {"patience": 0.3}
    )
    await refused(store, handler, Unavailable, "does not answer")


async def test_nobody_there(store: Store) -> None:
    with pytest.raises(Unavailable, match=r'Get "http://.*/v2/": dial tcp .*: connect: connection refused'):
        await pull(store, "127.0.0.1:1/a")


async def test_tries_again_and_resumes(store: Store) -> None:
    """Overload, then a connection that breaks in the middle of a blob, then its rest."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Range", ""))
        if len(asked) == 1:
            return error(429, "TOOMANYREQUESTS", "slow down")
        if sha256(LAYER) not in request.path:
            return answer(request)
        begin = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Length": str(len(LAYER) - begin)}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(LAYER) - 1}/{len(LAYER)}"
        response = web.StreamResponse(status=206 if begin else 200, headers=headers)
        await response.prepare(request)
        await response.write(LAYER[begin : begin + len(LAYER) // 2])
        if begin == 0:
            assert request.transport
            request.transport.close()
            return response
        await response.write(LAYER[begin + len(LAYER) // 2 :])
        return response

    async with server(handler) as address:
        await pull(store, f"{address}/a:1")
        assert store.images.resolve(f"{address}/a:1").id == IMAGE.id


async def test_gives_up(store: Store) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="<html>no")

    await refused(store, handler, Unavailable, "answers 503 .*; try again later")


@pytest.mark.parametrize(
    ("document", "media_type", "text"),
    [
        ({"schemaVersion": 1, "fsLayers": []}, "application/vnd.docker.distribution.manifest.v1+json", "schema 1"),
        ({**DOCUMENT, "manifests": []}, MANIFEST, "ambiguous"),
        ({**DOCUMENT, "manifests": []}, INDEX, "ambiguous"),
        ({**DOCUMENT}, INDEX, "ambiguous"),
        ({**DOCUMENT, "mediaType": INDEX}, MANIFEST, "ambiguous"),
        ({**DOCUMENT, "mediaType": "application/x"}, "application/y", "unknown type"),
        ({**DOCUMENT, "config": {**DOCUMENT["config"], "mediaType": "application/vnd.helm"}}, MANIFEST, "not a container image"),
        ({**DOCUMENT, "layers": DOCUMENT["layers"] * 2}, MANIFEST, "invalid rootfs"),
        ({**DOCUMENT, "layers": [{**DOCUMENT["layers"][0], "digest": "sha256:../../../../etc/passwd"}]}, MANIFEST, "invalid descriptor"),
        ({**DOCUMENT, "config": {**DOCUMENT["config"], "size": -1}}, MANIFEST, "invalid descriptor"),
        ({**DOCUMENT, "layers": [{**DOCUMENT["layers"][0], "mediaType": f"{LAYER_GZIP}+encrypted"}]}, MANIFEST, "encrypted"),
        (b"[" * 100_000, MANIFEST, "not JSON"),
        (b"[]", MANIFEST, "not a JSON object"),
        (b"{}", MANIFEST, "is invalid"),
    ],
)  # fmt: skip
async def test_strange_manifests(store: Store, document: Any, media_type: str, text: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return answer(request, document, media_type)

    await refused(store, handler, InvalidArgument, text)


async def test_lies_about_size_and_digest(store: Store) -> None:
    layer = DOCUMENT["layers"][0]
    for size, text in ((len(LAYER) - 1, "larger than"), (len(LAYER) + 1, "bytes where its manifest says")):

        async def handler(request: web.Request, size: int = size) -> web.StreamResponse:
            return answer(request, {**DOCUMENT, "layers": [{**layer, "size": size}]})

        await refused(store, handler, MobyError, text)

    async def other(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(len(LAYER))) if sha256(LAYER) in request.path else answer(request)

    await refused(store, other, MobyError, "verification failed|tar")
    async with server(honest) as address:
        with pytest.raises(MobyError, match="manifest verification failed"):
            await pull(store, f"{address}/a@sha256:{'0' * 64}")


async def honest(request: web.Request) -> web.StreamResponse:
    return answer(request)


async def test_endless_answers_are_cut(store: Store) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(1 << 16))

    await refused(store, handler, MobyError, "manifest of more than 4194304 bytes")


async def test_docker_says_it_so(store: Store) -> None:
    async def denied(request: web.Request) -> web.StreamResponse:
        return error(404, "NAME_UNKNOWN", "repository name not known to registry")

    text = "^repository .*/a not found: name unknown: repository name not known"
    await refused(store, denied, NotFound, text)

    async def nasty(request: web.Request) -> web.StreamResponse:
        return error(404, "MANIFEST_UNKNOWN", "a\nb\x1b[31m" + "c" * 10_000)

    await refused(store, nasty, NotFound, r"^[ -~]{1,500}$")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_bearer_token_is_fetched_with_the_stored_login(store: Store, roots: tuple[Path, Path]) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            assert request.query["scope"] == "repository:team/a:pull" and request.query["service"] == "s, t"
            seen.append(request.headers.get("Authorization", ""))
            return web.json_response({"token": "abc"})
        if request.headers.get("Authorization") != "Bearer abc":
            challenge = f'Bearer realm="http://{request.host}/token",service="s, t",scope="repository:team/a:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return answer(request)

    async with server(handler) as address:
        folder = roots[0].parent / "docker"
        folder.mkdir(parents=True)
        login = base64.b64encode(b"me:secret").decode()
        (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": login}}}))
        await pull(store, f"{address}/team/a:1")
    assert seen == [basic("me", "secret")], "one token for all requests"


async def test_basic_authorization(store: Store) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != basic("me", "right"):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return answer(request)

    await refused(store, handler, Unauthorized, r'Get "http://.*/v2/a/manifests/1": no basic auth credentials')
    await refused(store, handler, Unauthorized, "refuses the login", RegistryAuth(username="me", password="wrong"))
    async with server(handler) as address:
        await pull(store, f"{address}/a:1", RegistryAuth(username="me", password="right"))


async def test_credentials_stay_with_their_registry(store: Store) -> None:
    """Blobs are often elsewhere: there, nothing is told about who asks."""
    elsewhere: list[str | None] = []

    async def storage(request: web.Request) -> web.StreamResponse:
        elsewhere.append(request.headers.get("Authorization"))
        return answer(request)

    async with server(storage) as other:

        async def handler(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != basic("me", "right"):
                return web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
            if "/blobs/" in request.path:
                raise web.HTTPTemporaryRedirect(f"http://{other}{request.path}?signature=a%2Fb")
            return answer(request)

        async with server(handler) as address:
            await pull(store, f"{address}/a:1", RegistryAuth(username="me", password="right"))
    assert elsewhere == [None, None]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "", "http://[bad", "/v2/again"])
async def test_redirects_that_are_not_followed(store: Store, location: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location})

    await refused(store, handler, MobyError, "redirects")


async def test_token_realm_off_the_machine_needs_tls(store: Store) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="http://192.0.2.1/token"'})

    await refused(store, handler, MobyError, "not over TLS", RegistryAuth(username="me", password="right"))


async def test_no_layer_is_begun_that_cannot_fit(store: Store) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert sha256(LAYER) not in request.path
        return answer(request, {**DOCUMENT, "layers": [{**DOCUMENT["layers"][0], "size": 1 << 60}]})

    await refused(store, handler, StorageFull, "no space left for .*its layers have 1152921504606846976 bytes")


@pytest.mark.parametrize("how", ["other bytes", "nothing", "another total"])
async def test_parts_that_were_not_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A part that begins elsewhere would become damage; it is refused before it is written."""
    monkeypatch.setattr(download, "_LARGE", 100)
    monkeypatch.setattr(download, "_RANGE", 50)

    async def handler(request: web.Request) -> web.StreamResponse:
        if sha256(LAYER) not in request.path:
            return answer(request)
        said = {"other bytes": f"bytes 1-50/{len(LAYER)}", "nothing": "", "another total": "bytes 0-49/1000000"}[how]
        return web.Response(status=206, body=LAYER[:50], headers={"Content-Range": said} if said else {})

    await refused(store, handler, InvalidArgument, "refused")


async def test_indexes_within_indexes(store: Store) -> None:
    """OCI allows them; how deep and how many is bounded."""
    manifest = json.dumps(DOCUMENT).encode()
    here = {"os": "linux", "architecture": images_data.ARCHITECTURE}
    bodies = {sha256(manifest): manifest}

    def index(*entries: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        bodies[sha256(body)] = body
        return {"mediaType": INDEX, "digest": sha256(body), "size": len(body)}

    async def handler(request: web.Request) -> web.StreamResponse:
        what = request.path.rpartition("/")[2]
        return (
            answer(request, bodies[what], MANIFEST if bodies[what] == manifest else INDEX) if what in bodies else answer(request)
        )

    leaf = {"mediaType": MANIFEST, "digest": sha256(manifest), "size": len(manifest), "platform": here}
    other = {**leaf, "platform": {"os": "linux", "architecture": "s390x"}}
    nested = index(index(other), index(other, index(leaf)))
    async with server(handler) as address:
        await pull(store, f"{address}/a@{nested['digest']}")
        assert (await store.images.list())[0].id == IMAGE.id
        await store.images.remove(IMAGE.id, force=True)
    for bad, kind, text in (
        (index(index(other), other), NotFound, "no matching manifest"),
        (index(index(index(index(leaf)))), InvalidArgument, "index within an index within"),
        (index(*[index(other)] * 60), InvalidArgument, "more than 50"),
        (index({**nested, "mediaType": MANIFEST, "platform": here}), InvalidArgument, "ambiguous|which it is not"),
        (index({**leaf, "size": 5}), MobyError, "where the index says 5"),
    ):
        async with server(handler) as address:
            with pytest.raises(kind, match=text):
                await pull(store, f"{address}/a@{bad['digest']}")
        assert await store.images.list() == [] and store.staged() == []


async def test_foreign_layers_come_from_their_owner(store: Store) -> None:
    """Nobody's login goes there; they are not pushed."""
    seen: list[str] = []

    async def owner(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        if request.path == "/none":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return web.Response(body=LAYER)

    async with server(owner) as elsewhere:
        kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        urls = ["ftp://x/", f"http://{elsewhere}/none", f"http://{elsewhere}/layer"]
        document = {**DOCUMENT, "layers": [{**DOCUMENT["layers"][0], "mediaType": kind, "urls": urls}]}
        pushed: list[str] = []

        async def handler(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != basic("me", "right"):
                return web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
            if request.method in ("POST", "PUT"):
                pushed.append(request.path)
                await request.read()
                return web.Response(status=202 if request.method == "POST" else 201, headers={"Location": "/v2/b/up"})
            if sha256(LAYER) in request.path or request.method == "HEAD":
                return error(404, "BLOB_UNKNOWN")
            return answer(request, document)

        async with server(handler) as address:
            login = RegistryAuth(username="me", password="right")
            await pull(store, f"{address}/a:1", login)
            assert seen == ["", ""]
            await store.images.tag(f"{address}/a:1", f"{address}/b:1")
            said = [line.status async for line in store.images.push(f"{address}/b:1", auth=login)]
            assert "Skipped foreign layer" in said and "/v2/b/manifests/1" in pushed
        document["layers"][0]["urls"] = urls[:2]
        await store.images.remove(IMAGE.id, force=True)
        async with server(handler) as address:
            with pytest.raises(Unavailable, match="cannot be had from"):
                await pull(store, f"{address}/a:1", login)


async def test_proxies_that_the_environment_names(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def proxy(request: web.Request) -> web.StreamResponse:
        asked.append(request.host)
        return answer(request)

    monkeypatch.setattr(hosts, "FOLDERS", (tmp_path,))
    (tmp_path / "reg.test").mkdir()
    (tmp_path / "reg.test" / "hosts.toml").write_text('server = "http://reg.test"')
    async with server(proxy) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
        monkeypatch.setenv("http_proxy", f"http://{address}")
        await pull(store, "reg.test/a:1")
        assert set(asked) == {"reg.test"}
        monkeypatch.setenv("NO_PROXY", "reg.test")
        monkeypatch.setenv("no_proxy", "reg.test")
        with pytest.raises(Unavailable):
            await pull(store, "reg.test/b:1")


async def test_a_proxy_is_only_a_way_to_a_registry_over_tls(
    store: Store, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy sees a name and TLS, no request and no password."""
    seen: list[bytes] = []
    certificate, key = make_certificate(tmp_path)
    with running(tmp_path / "registry", htpasswd=HTPASSWD, certificate=(certificate, key)) as guarded:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            far, near = await asyncio.open_connection(*guarded.address.split(":"))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

            async def through(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(1 << 16):
                    seen.append(data)
                    target.write(data)
                target.close()

            await asyncio.gather(through(reader, near), through(far, writer), return_exceptions=True)

        monkeypatch.setattr(hosts, "FOLDERS", (tmp_path,))
        (tmp_path / "reg.test").mkdir()
        (tmp_path / "reg.test" / "hosts.toml").write_text('server = "https://reg.test"\nskip_verify = true')
        proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = "{}:{}".format(*proxy.sockets[0].getsockname())
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        monkeypatch.setenv("https_proxy", f"http://{address}")
        registry.push("proxied", "1", IMAGE)
        await pull(store, f"{registry.address}/proxied:1")
        await store.images.tag(f"{registry.address}/proxied:1", "reg.test/a:1")
        login = RegistryAuth(username="user", password="secret")
        async for _ in store.images.push("reg.test/a:1", auth=login):
            pass
        proxy.close()
    said = b"".join(seen)
    assert seen[0].startswith(b"CONNECT reg.test:443 ") and basic("user", "secret").encode() not in said and b"/v2/" not in said

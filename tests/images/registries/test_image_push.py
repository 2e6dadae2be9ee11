"""Push to a real registry, with passwords and TLS; what it skips, borrows and tells; mirrors; and registries that lie."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

import images_data
from images.image_store import Store
from images.registries.test_image_registry import quick, server  # noqa: F401
from moby_tui import logins
from moby_tui.engine.resources.images.registry import hosts
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, NotFound, Unauthorized, Unavailable
from moby_tui.schema.image import Progress, RegistryAuth
from servers.registry import HTPASSWD, Registry, running

LOGIN = RegistryAuth(username="user", password="secret")


def image(*layers: str) -> images_data.ImageData:
    return images_data.ImageData([images_data.Tar().add(name, data=name.encode() * 9000).bytes() for name in layers])


async def pull(store: Store, reference: str, auth: RegistryAuth | None = None) -> None:
    async for _ in store.images.pull(reference, auth=auth):
        pass


async def push(store: Store, reference: str, *, all_tags: bool = False, auth: RegistryAuth | None = None) -> list[Progress]:
    return [line async for line in store.images.push(reference, all_tags=all_tags, auth=auth)]


def statuses(lines: list[Progress]) -> list[str]:
    return [line.status for line in lines if line.status and line.id and not line.progress_detail]


async def test_what_was_pulled_is_pushed_with_its_digest(store: Store, registry: Registry) -> None:
    digest = registry.push("from", "1", image("a", "b"))
    await pull(store, f"{registry.address}/from:1")
    target = f"{registry.address}/elsewhere/to:2"
    await store.images.tag(f"{registry.address}/from:1", target)
    lines = await push(store, target)
    assert lines[0].status == f"The push refers to repository [{registry.address}/elsewhere/to]"
    assert statuses(lines).count("Mounted from from") == 2
    assert lines[-1].aux is not None and (lines[-1].aux["Digest"], lines[-1].aux["Tag"]) == (digest, "2")
    assert lines[-2].status == f"2: digest: {digest} size: {lines[-1].aux['Size']}"
    assert statuses(await push(store, target)).count("Layer already exists") == 2
    inspected = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{target}"], check=True, capture_output=True, text=True
    )
    assert json.loads(inspected.stdout)["Digest"] == digest
    assert f"{registry.address}/elsewhere/to@{digest}" in (await store.images.inspect(target)).repo_digests
    assert store.actions()[-1] == "push"


async def test_all_tags_or_one(store: Store, registry: Registry) -> None:
    registry.push("several", "0", image("c"))
    await pull(store, f"{registry.address}/several:0")
    for tag in ("1", "2"):
        await store.images.tag(f"{registry.address}/several:0", f"{registry.address}/tags:{tag}")
    await push(store, f"{registry.address}/tags", all_tags=True)
    tags = json.loads(registry.request("GET", "/v2/tags/tags/list").content)["tags"]  # type: ignore[attr-defined]
    assert sorted(tags) == ["1", "2"]
    with pytest.raises(NotFound, match=r"tag does not exist: .*/tags:latest"):
        await push(store, f"{registry.address}/tags")
    with pytest.raises(NotFound, match="does not exist locally with the tag"):
        await push(store, f"{registry.address}/none", all_tags=True)
    with pytest.raises(InvalidArgument, match="cannot push a digest reference"):
        await push(store, f"{registry.address}/tags@sha256:{'0' * 64}")
    with pytest.raises(InvalidArgument, match="--all-tags"):
        await push(store, f"{registry.address}/tags:1", all_tags=True)


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry with a password and a certificate that only a folder of ``certs.d`` knows."""
    key, certificate = tmp_path / "key", tmp_path / "crt"
    subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run([*make, *subject], check=True, capture_output=True)
    monkeypatch.setattr(hosts, "FOLDERS", (tmp_path / "certs.d",))
    with running(tmp_path / "registry", htpasswd=HTPASSWD, certificate=(certificate, key)) as started:
        folder = tmp_path / "certs.d" / started.address
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(certificate.read_bytes())
        yield started


async def _tagged(store: Store, registry: Registry, target: str) -> str:
    registry.push("plain", "1", image("d"))
    await pull(store, f"{registry.address}/plain:1")
    await store.images.tag(f"{registry.address}/plain:1", target)
    return target


async def test_password_and_private_authority(store: Store, registry: Registry, guarded: Registry, tmp_path: Path) -> None:
    target = await _tagged(store, registry, f"{guarded.address}/kept:1")
    with pytest.raises(Unauthorized, match=r"^no basic auth credentials$"):
        await push(store, target)
    with pytest.raises(Unauthorized):
        await push(store, target, auth=RegistryAuth(username="user", password="wrong"))
    logins.store(guarded.address, LOGIN)
    await push(store, target)
    await store.images.remove(target)
    await pull(store, target)
    (tmp_path / "certs.d" / guarded.address / "ca.crt").unlink()
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await push(store, target)


async def test_a_host_file_says_where_and_how(store: Store, registry: Registry, guarded: Registry, tmp_path: Path) -> None:
    """The name stands for another address, which is not verified; a mirror that has nothing is passed over."""
    logins.store(guarded.address, LOGIN)
    target = await _tagged(store, registry, "name.test:1234/kept:1")
    folder = tmp_path / "certs.d" / "name.test_1234_"
    folder.mkdir()
    (folder / "hosts.toml").write_text(f"""
server = "https://{guarded.address}"
skip_verify = true
[host."http://{registry.address}"]
capabilities = ["pull", "resolve"]
""")
    await push(store, target)
    assert guarded.request is not None and (guarded.data / "docker/registry/v2/repositories/kept").is_dir()
    await store.images.remove(target)
    await pull(store, target)
    registry.push("only/mirrored", "1", image("e"))
    await pull(store, "name.test:1234/only/mirrored:1")
    with pytest.raises(NotFound):
        await pull(store, "name.test:1234/no/where:1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server = 3", "is no address"),
        ("server = 'ftp://x'", "is no address"),
        ("host = 1", "not a table"),
        ("[host.'http://x']\ncapabilities = ['fly']", "not fly"),
        ("[host.'http://x']\nskip = true", "skip is not known"),
        ("unknown = true", "unknown is not known"),
        ("not toml", "Expected"),
        ("client = []", "^$|client"),
    ],
)
def test_a_bad_host_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setattr(hosts, "FOLDERS", (tmp_path,))
    (tmp_path / "x.test").mkdir()
    (tmp_path / "x.test" / "hosts.toml").write_text(text)
    if text == "client = []":
        assert hosts.hosts_of("x.test", EngineOptions())[0].clients == ()
        return
    with pytest.raises(InvalidArgument, match=said):
        hosts.hosts_of("x.test", EngineOptions())


def test_where_names_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "FOLDERS", (tmp_path,))
    assert [host.base for host in hosts.hosts_of("docker.io", EngineOptions())] == ["https://registry-1.docker.io/v2"]
    assert hosts.hosts_of("127.0.0.1:5000", EngineOptions())[0].base == "http://127.0.0.1:5000/v2"
    assert hosts.hosts_of("reg.test", EngineOptions())[0].base == "https://reg.test/v2"
    (tmp_path / "_default").mkdir()
    (tmp_path / "_default" / "hosts.toml").write_text("""
[host."https://mirror.test/prefix/v2"]
override_path = true
header = {X-One = ["a", "b"]}
client = [["one.pem", "two.pem"], "three.pem"]
ca = "/etc/ca.pem"
""")
    mirror, server_ = hosts.hosts_of("reg.test", EngineOptions())
    assert (mirror.base, server_.base) == ("https://mirror.test/prefix/v2", "https://reg.test/v2")
    assert mirror.headers == {"X-One": "a, b"} and mirror.authorities == (Path("/etc/ca.pem"),)
    assert [key and key.name for _, key in mirror.clients] == ["two.pem", None]
    with pytest.raises(InvalidArgument, match=r"certificate .*ca.pem cannot be used"):
        mirror.tls()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("location", MobyError, "not safe to follow|no address"),
        ("status", MobyError, "answers 405"),
        ("digest", MobyError, "answers 400 DIGEST"),
        ("drop", Unavailable, 'Get "http://.*/v2/": '),
        ("busy", Unavailable, "answers 503"),
    ],
)
async def test_registries_that_do_not_take_it(
    store: Store, registry: Registry, how: str, kind: type[MobyError], said: str
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(status=404)
        if request.method == "POST":
            return web.Response(status=202, headers={"Location": "ftp://elsewhere/" if how == "location" else "/v2/up?state=1"})
        await request.read()
        if how == "drop":
            assert request.transport is not None
            request.transport.close()
        return web.json_response(
            {"errors": [{"code": "X", "message": "DIGEST wrong"}]}, status={"digest": 400, "busy": 503}.get(how, 405)
        )

    async with server(handler) as address:
        target = await _tagged(store, registry, f"{address}/x:1")
        with pytest.raises(kind, match=said):
            await push(store, target)


async def test_a_login_never_goes_to_another_origin(store: Store, registry: Registry) -> None:
    seen: list[str] = []

    async def other(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        await request.read()
        return web.Response(status=201)

    async with server(other) as elsewhere:

        async def handler(request: web.Request) -> web.StreamResponse:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            if request.method == "POST":
                return web.Response(status=202, headers={"Location": f"http://{elsewhere}/up"})
            return web.Response(status=404 if request.method == "HEAD" else 201)

        async with server(handler) as address:
            target = await _tagged(store, registry, f"{address}/x:1")
            await push(store, target, auth=LOGIN)
    assert seen and set(seen) == {""}

"""The engine's own mirrors and insecure registries, and how much it transfers at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

import images_data
from images.image_store import Store
from moby_tui.engine.resources.images.registry import hosts
from moby_tui.engine.resources.images.slots import Slots
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import MobyError
from moby_tui.schema.base import to_builtins
from servers.registry import Registry, running
from servers.tokens import make_certificate


async def pull(store: Store, reference: str) -> list[str]:
    return [line.status or "" async for line in store.images.pull(reference)]


async def test_docker_hub_is_asked_of_the_mirrors_first(store: Store, registry: Registry) -> None:
    digest = registry.push("library/mirrored", "1", images_data.busybox())
    options = EngineOptions(registry_mirrors=("http://127.0.0.1:9", f"http://{registry.address}/"))
    store.images.options = lambda: options
    assert f"Digest: {digest}" in await pull(store, "mirrored:1")
    assert [host.base for host in hosts.hosts_of("reg.test", options)] == ["https://reg.test/v2"]


@pytest.mark.parametrize("named", ["by name", "by address"])
@pytest.mark.parametrize("speaks", ["plain", "tls"])
async def test_an_insecure_registry_needs_no_certificate_and_no_tls(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, speaks: str
) -> None:
    """One on loopback is spoken to in plain text anyhow: here it counts as one elsewhere."""
    monkeypatch.setattr(hosts, "is_loopback", lambda domain: False)
    certificate = make_certificate(tmp_path) if speaks == "tls" else None
    with running(tmp_path / "registry", certificate=certificate) as there:
        options = EngineOptions(insecure_registries=(there.address if named == "by name" else "127.0.0.0/8",))
        reference = f"{there.address}/kept:1"
        with pytest.raises(MobyError):
            await pull(store, reference)
        store.images.options = lambda: options
        with pytest.raises(MobyError, match=r"manifest for .* not found|unknown"):
            await pull(store, reference)


def test_the_limit_counts_for_all_transfers_and_can_change() -> None:
    options = [EngineOptions(max_concurrent_downloads=1)]
    slots = Slots(lambda: options[-1])
    first = slots.downloads
    assert slots.downloads is first and first._value == 1
    options.append(EngineOptions(max_concurrent_downloads=0))
    assert slots.downloads is not first and slots.downloads._value > 1000
    assert slots.uploads._value == 5


def test_what_info_tells_of_registries() -> None:
    options = EngineOptions(registry_mirrors=("https://m.test",), insecure_registries=("10.0.0.0/8", "http://r.test:5000"))
    assert to_builtins(hosts.described(options)) == {
        "InsecureRegistryCIDRs": ["10.0.0.0/8", "127.0.0.0/8", "::1/128"],
        "IndexConfigs": {
            "r.test:5000": {"Name": "r.test:5000", "Mirrors": [], "Secure": False, "Official": False},
            "docker.io": {"Name": "docker.io", "Mirrors": ["https://m.test/"], "Secure": True, "Official": True},
        },
        "Mirrors": ["https://m.test/"],
    }

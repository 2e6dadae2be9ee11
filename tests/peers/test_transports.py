"""What skopeo makes of an image of ours on its way, pulled again; and a registry that asks for tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from peers.peers_world import World
from peers.sources import differences

_OCI = "application/vnd.oci.image.layer.v1.tar"
_SCHEMA_2 = "application/vnd.docker.image.rootfs.diff.tar"
_FORMS = {
    "schema-2": (("--format", "v2s2"), _SCHEMA_2 + ".gzip"),
    "oci-zstd": (("--format", "oci", "--dest-compress-format", "zstd"), _OCI + "+zstd"),
    "oci-gzip": (("--format", "oci", "--dest-compress-format", "gzip"), _OCI + "+gzip"),
}


@pytest.mark.parametrize("form", _FORMS)
def test_an_image_in_another_form(world: World, every: str, tmp_path: Path, form: str) -> None:
    """Decoded in a folder first, so that each layer is compressed anew."""
    options, kind = _FORMS[form]
    # a registry of its own: skopeo sends no layer that it knows to be there in any form
    address = world.serve("plain")
    expected, reference = world.moby.tree(every), f"{address}/{form}:1"
    world.umoci.copy(f"docker://{every}", f"dir:{tmp_path}/plain", "--dest-decompress")
    world.umoci.copy(f"dir:{tmp_path}/plain", f"docker://{reference}", *options, "--dest-tls-verify=false")
    raw = world.umoci.raw(f"docker://{reference}", "--tls-verify=false")
    manifest = json.loads(raw)
    assert {layer["mediaType"] for layer in manifest["layers"]} == {kind}
    world.moby.forget(every)
    try:
        world.moby.pull(reference)
        assert world.moby.id(reference) == manifest["config"]["digest"]
        assert differences(world.moby.tree(reference), expected) == {}
        again = world.new("again")
        world.moby.tag(reference, again)
        world.moby.push(again)
        assert world.umoci.raw(f"docker://{again}") == raw
    finally:
        world.moby.pull(every)


def test_a_folder_of_skopeo_has_our_bytes(world: World, every: str, tmp_path: Path) -> None:
    world.umoci.copy(f"docker://{every}", f"dir:{tmp_path}/dir")
    manifest = json.loads((tmp_path / "dir/manifest.json").read_text())
    names = [part["digest"].removeprefix("sha256:") for part in (manifest["config"], *manifest["layers"])]
    blobs = world.moby.folder / "d/blobs/sha256"
    assert [(tmp_path / "dir" / name).read_bytes() == (blobs / name).read_bytes() for name in names] == [True] * len(names)


def test_a_registry_that_asks_for_tokens(world: World, every: str) -> None:
    address = world.serve("token")
    reference = f"{address}/team/every:1"
    world.moby.tag(every, reference)
    world.moby.ask("login", "-u", "user", "-p", "secret", address)
    world.moby.push(reference)
    assert world.umoci.raw(f"docker://{every}") == world.umoci.raw(f"docker://{reference}", "--tls-verify=false")
    for engine in world.engines:
        engine.forget(reference)
        engine.ask("pull", "-q", *(["--tls-verify=false"] if engine.name == "podman" else []), reference)
        assert engine.run(reference, "cat", "/every/own/plain") == "plain", engine.name

"""Images, networks, volumes, the build cache and execs as they are kept on disk: by an earlier commit, and today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import fields, replace

from moby_tui.engine.containers import wire as containers_wire
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.builder import wire as builder_wire
from moby_tui.engine.resources.builder.graph.cache import BuildCache
from moby_tui.engine.resources.builder.image import BuiltImage
from moby_tui.engine.resources.images import wire as images_wire
from moby_tui.engine.resources.images.snapshots.layers import LayerStore
from moby_tui.engine.resources.images.store.content import ContentStore, digest_of
from moby_tui.engine.resources.networks import wire as networks_wire
from moby_tui.engine.resources.volumes import wire as volumes_wire
from moby_tui.engine.store.records import build_steps
from moby_tui.engine.store.records.containers import ExecConfig, ExecRecord
from moby_tui.engine.store.records.images import ExecutionConfig, HistoryEntry, ImageConfig, ImageRecord, RootFs
from moby_tui.engine.store.records.networks import Ipam, IpamPool, NetworkRecord
from moby_tui.engine.store.records.volumes import VolumeRecord
from moby_tui.errors import InvalidArgument
from moby_tui.schema import network as network_api
from moby_tui.schema import oci
from moby_tui.schema.base import encode
from moby_tui.schema.exec import ExecCreate
from moby_tui.schema.volume import Volume, VolumeCreate

from .test_wire import values

#: Rows, a step and an exec as commit 3acf6a9 wrote them, the last whose rows were the API's structs; what its API showed of them.
WRITTEN: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "rows_3acf6a9.json").read_text())


def names(kind: type[msgspec.Struct], *without: str) -> list[str]:
    return [field.name for field in fields(kind) if field.name not in without]


@pytest.mark.parametrize(
    ("shown", "not_kept", "stored", "not_shown"),
    [
        # of a cluster, and asked of the running containers each time
        (network_api.Network, ("ingress", "containers"), NetworkRecord, ()),
        (network_api.Ipam, (), Ipam, ()),
        (network_api.IpamPool, (), IpamPool, ("chosen_gateway", "is_chosen")),
        # asked each time
        (Volume, ("status", "usage_data"), VolumeRecord, ()),
        (oci.ImageConfig, (), ImageConfig, ()),
        (oci.ExecutionConfig, (), ExecutionConfig, ()),
        (oci.HistoryEntry, (), HistoryEntry, ()),
        (oci.RootFs, (), RootFs, ()),
        (oci.Descriptor, (), build_steps.Blob, ()),
        (oci.Platform, (), build_steps.Platform, ()),
        # BuildKit's lines of history come from the Dockerfile that is built, also of a step that is in the cache
        (BuiltImage, ("told",), build_steps.StepRecord, ("version", "classic")),
        # the processes that clients of BuildKit run in a container have none of its variables
        (ExecCreate, (), ExecConfig, ("inherits_environment",)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_field_is_lost(
    shown: type[msgspec.Struct], not_kept: tuple[str, ...], stored: type[msgspec.Struct], not_shown: tuple[str, ...]
) -> None:
    """A field that the API or the specification gains is either kept, or named above with the reason."""
    assert sorted(names(shown, *not_kept)) == sorted(names(stored, *not_shown))


def test_networks_of_an_earlier_commit_are_shown_as_it_showed_them() -> None:
    for ident, row in WRITTEN["rows"]["networks"].items():
        record = msgspec.json.decode(row, type=NetworkRecord)
        shown = WRITTEN["shown"]["networks"][ident]
        # as dockerd 28.5 shows host and none, which that commit did not
        shown["IPAM"]["Config"] = shown["IPAM"]["Config"] or None
        assert msgspec.to_builtins(networks_wire.network_to_show(record)) == shown
        again = msgspec.json.decode(encode(record), type=NetworkRecord)
        assert again == record
    by_name = {json.loads(row)["Name"]: json.loads(row) for row in WRITTEN["rows"]["networks"].values()}
    found = msgspec.convert(by_name["found"], NetworkRecord)
    assert found.options["moby.bridge_found"] == "true" and "moby.bridge_given" in found.options
    plain = msgspec.convert(by_name["plain"], NetworkRecord)
    assert (plain.ipam.config or [])[0].any_gateway == "10.99.0.64"


def test_volumes_of_an_earlier_commit_are_shown_as_it_showed_them() -> None:
    for name, row in WRITTEN["rows"]["volumes"].items():
        record = msgspec.json.decode(row, type=VolumeRecord)
        assert msgspec.to_builtins(volumes_wire.volume_to_show(record)) == WRITTEN["shown"]["volumes"][name]
        assert msgspec.json.decode(encode(record), type=VolumeRecord) == record


def test_images_and_steps_of_an_earlier_commit_keep_their_configuration() -> None:
    [(ident, row)] = WRITTEN["rows"]["images"].items()
    record = msgspec.json.decode(row, type=ImageRecord)
    config = images_wire.config_to_show(record.config)
    # the digest of the configuration is the image's id: not a byte of it is other
    assert digest_of(encode(config)) == ident
    assert images_wire.config_to_keep(config) == record.config
    [(_, file)] = WRITTEN["steps"].items()
    step = builder_wire.step_to_use(build_steps.read(file.encode()))
    assert step == msgspec.json.decode(file, type=BuiltImage) and step.id == ident
    assert builder_wire.step_to_use(build_steps.read(encode(builder_wire.step_to_keep(step)))) == step


def test_an_exec_of_an_earlier_commit() -> None:
    record = msgspec.json.decode(WRITTEN["exec"], type=ExecRecord)
    asked = ExecCreate(cmd=["a", "b"], user="5:6", detach_keys="ctrl-a", console_size=[3, 4])
    assert record == ExecRecord(container="c" * 64, config=containers_wire.exec_to_keep(asked), run="2026-11-29T16:52:40Z")


#: What each kind has on disk, whatever the API calls these fields; a change here is a new format.
ON_DISK = {
    NetworkRecord: b'{"Name":"n","Id":"i","EnableIPv6":true,"IPAM":{"Config":[{"IPRange":"10.0.0.0/30","ChosenGateway":"10.0.0.1"}]},'
    b'"ConfigFrom":{}}',
    VolumeRecord: b'{"Name":"n","Mountpoint":"/v/n/_data","CreatedAt":"t","Options":{"o":"size=1m"}}',
    ImageRecord: (
        b'{"id":"i","manifest":"m","config":{"architecture":"a","os":"o","config":{"OnBuild":["COPY . /"],"Healthcheck":{"Retries":1}},'
        b'"rootfs":{"type":"layers","diff_ids":["d"]},"history":[{"created_by":"c","empty_layer":true}]},"size":1,"layer_sizes":[1],"blobs":[]}'
    ),
    ExecRecord: b'{"version":1,"container":"c","config":{"AttachStdout":false,"Cmd":["a"]},"run":"t"}',
}


@pytest.mark.parametrize("kind", ON_DISK, ids=lambda kind: kind.__name__)
def test_the_names_on_disk_stay(kind: Any) -> None:
    assert json.loads(encode(msgspec.json.decode(ON_DISK[kind], type=kind))) == json.loads(ON_DISK[kind])


@given(config=values(oci.ImageConfig))
def test_a_configuration_comes_back_as_it_was(config: Any) -> None:
    kept = msgspec.json.decode(encode(images_wire.config_to_keep(config)), type=ImageConfig)
    assert images_wire.config_to_show(kept) == config


def test_a_step_of_a_later_version_is_executed_again(roots: tuple[Path, Path]) -> None:
    folder, blobs = roots[0] / "build", ContentStore(roots[0] / "blobs")
    cache = BuildCache(folder, LayerStore(roots[0] / "layers", roots[0] / "staging"), blobs)
    image = BuiltImage("", oci.ImageConfig(architecture="amd64", os="linux"), [], "chain")
    cache.put("key", image, "")
    assert cache._own("key") == image
    later = replace(build_steps.read((folder / "key").read_bytes()), version=2)
    (folder / "key").write_bytes(encode(later))
    assert cache._own("key") is None and not (folder / "key").exists()


async def test_a_value_of_another_type_is_refused_and_nothing_is_kept(engine: Engine) -> None:
    """The SDK does not check what it is given; a row that no engine can read would be a damaged database."""
    with pytest.raises(InvalidArgument, match="invalid network configuration: Expected `str`") as refused:
        await engine.networks.create(network_api.NetworkCreate(name="bad", labels={"a": 1}))  # type: ignore[dict-item]
    assert "\n" not in refused.value.message
    with pytest.raises(InvalidArgument, match="invalid volume: Expected `str`"):
        await engine.volumes.create(VolumeCreate(name="bad", labels={"a": 1}))  # type: ignore[dict-item]
    assert [network.name for network in await engine.networks.list()] == ["bridge", "host", "none"]
    assert await engine.volumes.list() == []

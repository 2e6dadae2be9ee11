"""The image of the benchmarks: 10,000 files and 420 MB in 8 layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.registry import FILES_PER_LAYER, LAYERS, REPOSITORY, fill
from images_data import sha256
from peers.peers_world import World
from peers.sources import differences, of_the_image


@pytest.mark.slow
def test_ten_thousand_files(world: World, tmp_path: Path) -> None:
    fill(tmp_path / "data")
    address = world.serve("plain", folder=tmp_path)
    reference, again = f"{address}/{REPOSITORY}:1", f"{address}/again:1"
    world.moby.pull(reference)
    raw = world.umoci.raw(f"docker://{reference}", "--tls-verify=false")
    assert world.moby.digests(reference) == [sha256(raw)]
    world.moby.tag(reference, again)
    world.moby.push(again)
    place = world.umoci.layout(f"docker://{again}", "--src-tls-verify=false")
    assert json.loads(world.umoci.raw(f"oci:{place}"))["layers"][0]["digest"] == json.loads(raw)["layers"][0]["digest"]
    ours, theirs = of_the_image(world.moby.exported(again)), of_the_image(world.umoci.unpacked(place))
    assert sum(entry.size > 0 for entry in ours.values()) == LAYERS * FILES_PER_LAYER
    described = {path for path, entry in theirs.items() if not entry.mode.startswith("0o4")}
    assert differences({path: theirs[path] for path in described}, {path: ours[path] for path in described}) == {}

"""Names of steps and digests of files as BuildKit has them, where no daemon is needed to see it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from moby_tui.engine.resources.builder.llb import operations, records
from moby_tui.engine.resources.builder.llb.checksums import Tree
from moby_tui.engine.resources.builder.llb.vertices import Link, Unknown, Vertex, content
from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci
from moby_tui.schema.base import encode

_A, _B = Vertex("sha256:" + "a" * 64), Vertex("sha256:" + "b" * 64)
_ON_BOTH = Vertex("sha256:" + "c" * 64, ((Link(_A, "s"),), (Link(_B), Link(_A))))
_LAYER = oci.Descriptor(
    media_type=oci.MEDIA_LAYER_GZIP, digest="sha256:" + "d" * 64, size=1, annotations={records.DIFF_ID: "sha256:" + "e" * 64}
)


def _list(*those: records.CacheRecord, layers: list[records.CacheLayer] | None = None) -> records.Records:
    config = records.CacheConfig(layers=layers or [], records=list(those))
    return records.read(encode(config), [_LAYER])


def test_a_record_is_a_step_if_it_has_one_link_for_each_input() -> None:
    one, other = records.CacheRecord(digest=_A.digest), records.CacheRecord(digest=_B.digest)

    def step(*inputs: list[records.CacheInput]) -> records.CacheRecord:
        return records.CacheRecord(digest=_ON_BOTH.digest, inputs=list(inputs), results=[records.CacheResult(layer=0)])

    selected, plain = records.CacheInput(selector="s", link=0), records.CacheInput(link=1)
    for inputs, expected in (
        (([selected], [plain]), {2}),
        (([plain, selected], [records.CacheInput(link=7), records.CacheInput(link=0)]), {2}),
        (([plain], [plain]), set()),
        (([selected], []), set()),
        (([selected],), set()),
        (([records.CacheInput(selector="s", link=-3)], [plain]), set()),
        (([records.CacheInput(selector="s", link=2)], [records.CacheInput(link=2)]), set()),
    ):
        assert _list(one, other, step(*inputs)).find(_ON_BOTH) == expected, inputs


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([records.CacheLayer(blob=_LAYER.digest, parent=-1)], 1),
        ([records.CacheLayer(blob=_LAYER.digest, parent=1), records.CacheLayer(blob=_LAYER.digest, parent=-1)], 2),
        # circles, numbers of no layer, blobs that nothing describes
        ([records.CacheLayer(blob=_LAYER.digest, parent=0)], None),
        ([records.CacheLayer(blob=_LAYER.digest, parent=9)], None),
        ([records.CacheLayer(blob=_LAYER.digest, parent=-2)], None),
        ([records.CacheLayer(blob="sha256:none", parent=-1)], None),
        ([], None),
    ],
)
def test_the_layers_of_a_hostile_list(layers: list[records.CacheLayer], expected: int | None) -> None:
    found = _list(records.CacheRecord(digest=_A.digest, results=[records.CacheResult(layer=0)]), layers=layers).images((_A,))
    assert [len(each) for each in found] == ([expected] if expected else [])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"records": [{"inputs": 1}]}', b'{"layers": [' + b"[" * 100_000, b'{"records": [{}]}']
)
def test_a_list_that_is_none(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        records.read(body, [])


def test_steps_without_a_name() -> None:
    platform, below = oci.Platform(os="linux", architecture="amd64"), (_A,)

    def run(command: str = "x", network: str = "", names: tuple[Vertex, ...] = below) -> None:
        operations.execution(names, [command], [], oci.ExecutionConfig(), platform, network=network, insecure=False)

    run()
    for wrong in ({"command": "\udc80"}, {"network": "mine"}, {"names": ()}):
        with pytest.raises(Unknown):
            run(**wrong)
    with pytest.raises(Unknown):
        operations.copy(below, [operations.Source(["/a"], content("x"), below)], "/b", "", None, unpacks=False)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    for name in ("a", "d/e", "d/f/g"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    root = os.open(tmp_path, os.O_RDONLY)
    yield Tree(root, is_sent=False)
    os.close(root)


def test_what_counts_in_the_digest_of_files(tree: Tree, tmp_path: Path) -> None:
    def digests() -> list[str]:
        return [tree.digest([path]) for path in ("/", "/d", "/d/*", "/a", "/a*")]

    before = digests()
    assert len(set(before)) == 5
    os.utime(tmp_path / "d/f/g", (1, 1))
    assert digests() == before
    for change in (
        lambda: (tmp_path / "d/f/g").write_text("other"),
        lambda: (tmp_path / "d/f/g").chmod(0o4755),
        lambda: os.chown(tmp_path / "d/f", 1, 2),
        lambda: (tmp_path / "d/f/g").rename(tmp_path / "d/f/h"),
        lambda: (tmp_path / "d/f/l").symlink_to("../e"),
    ):
        change()
        now = digests()
        assert [old == new for old, new in zip(before, now, strict=True)] == [False, False, False, True, True]
        before = now
    sent = Tree(tree.root, is_sent=True)
    owned = sent.digest(["/d"])
    os.chown(tmp_path / "d/f", 3, 4)
    assert sent.digest(["/d"]) == owned


def test_files_that_have_no_digest(tree: Tree, tmp_path: Path) -> None:
    os.setxattr(tmp_path / "d/e", "user.x", b"1")
    with pytest.raises(Unknown, match=r"user\.x"):
        tree.digest(["/d"])
    tree.digest(["/a"])
    with pytest.raises(OSError, match="No such file"):
        tree.digest(["/none"])

"""The engine inside other programs: the examples of docs/embedding.md as they stand, and the synchronous face."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from moby_tui import Engine, sync
from moby_tui.api.client import blocking, protocol
from moby_tui.errors import NotFound
from moby_tui.schema.container import AttachOptions, ContainerCreate, HostConfig
from moby_tui.schema.volume import VolumeCreate

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "embedding.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
PRINTED = [
    ["hello", "exit code 1", "ls: /missing: No such file or directory"],
    ["/sleeper running"],
    ["exit code 1", "container create", "container start", "container die"],
]


def test_each_example_is_tried() -> None:
    assert len(EXAMPLES) == len(PRINTED) == 3


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_an_example_of_the_page(busybox: str, roots: tuple[Path, Path], number: int) -> None:
    program = EXAMPLES[number].replace("Engine.open()", f"Engine.open({str(roots[0])!r}, {str(roots[1])!r})")
    program = program.replace('"busybox"', repr(busybox))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line in PRINTED[number]] == PRINTED[number]


def command(image: str, *words: str) -> ContainerCreate:
    return ContainerCreate(image=image, cmd=list(words), attach_stdout=True, host_config=HostConfig(network_mode="none"))


def test_a_stream_and_a_wait_block_too(busybox: str, roots: tuple[Path, Path]) -> None:
    with sync.Engine.open(*roots) as engine:
        ident = engine.containers.create(command(busybox, "sh", "-c", "echo out; exit 3")).id
        stream = engine.containers.attach(ident, AttachOptions())
        wait = engine.containers.wait(ident, condition="next-exit")
        engine.containers.start(ident)
        assert b"".join(data for _, data in stream.output()) == b"out\n"
        assert wait.result().status_code == 3
        engine.containers.remove(ident)
        with pytest.raises(NotFound):
            engine.containers.inspect(ident)


async def test_it_works_where_a_loop_runs(roots: tuple[Path, Path]) -> None:
    """As in a notebook."""
    with sync.Engine.open(*roots) as engine:
        assert engine.containers.list(all=True) == []


def test_two_roots_in_one_process_know_nothing_of_each_other(roots: tuple[Path, Path]) -> None:
    with (
        sync.Engine.open(roots[0] / "a", roots[1] / "a") as first,
        sync.Engine.open(roots[0] / "b", roots[1] / "b") as second,
    ):
        first.volumes.create(VolumeCreate(name="kept"))
        assert [volume.name for volume in first.volumes.list()] == ["kept"]
        assert second.volumes.list() == []


def test_engines_in_threads(busybox: str, roots: tuple[Path, Path]) -> None:
    statuses: list[int] = []

    def work(status: int) -> None:
        with sync.Engine.open(*roots) as engine:
            ident = engine.containers.create(command(busybox, "sh", "-c", f"exit {status}")).id
            wait = engine.containers.wait(ident, condition="next-exit")
            engine.containers.start(ident)
            statuses.append(wait.result().status_code)
            engine.containers.remove(ident)

    threads = [threading.Thread(target=work, args=(status,)) for status in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [1, 2, 3]


def test_a_thread_ends_with_its_engine(roots: tuple[Path, Path]) -> None:
    before = threading.active_count()
    with sync.Engine.open(*roots):
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_a_run_blocks_too(busybox: str, roots: tuple[Path, Path]) -> None:
    with sync.Engine.open(*roots) as engine:
        assert engine.containers.run(command(busybox, "echo", "out")) == b"out\n"
        [container] = engine.containers.list(all=True)
        engine.containers.remove(container.id)


def test_the_types_of_the_blocking_face_are_those_of_the_table(tmp_path: Path) -> None:
    """``make blocking`` writes them."""
    subprocess.run([sys.executable, PROJECT / "packaging" / "make-blocking", tmp_path / "written"], check=True)
    assert (tmp_path / "written").read_text() == Path(blocking.__file__).read_text()


def test_both_faces_have_the_same_methods() -> None:
    for part in set(protocol.__all__) - {"Archives", "Readable"}:
        first, second = vars(getattr(protocol, part)), vars(getattr(blocking, part))
        assert {name for name in first if name[0] != "_"} - {name for name in second} <= {"close"}, part


def test_the_environment_names_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOBY_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("MOBY_EXEC_ROOT", str(tmp_path / "exec"))
    paths = Engine.open().paths
    assert (paths.data_root, paths.exec_root) == (tmp_path / "data", tmp_path / "exec")
    assert Engine.open(tmp_path / "other").paths.exec_root != tmp_path / "exec"

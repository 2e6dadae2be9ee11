"""Files of the image that the engine itself reads, made to be traps; and the image's code, which the engine never runs."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.errors import MobyError
from security.attacker import Attacker, nothing

_BIG = 64 * 1024 * 1024


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(_BIG * 64)


def _link_out(path: Path) -> None:
    path.symlink_to("../" * 12 + "etc/shadow")


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _device(path: Path) -> None:
    os.mknod(path, 0o020666, os.makedev(1, 5))


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _descriptor(path: Path) -> None:
    path.symlink_to("/proc/self/fd/0")


TRAPS = [_fifo, _huge, _link_out, _endless, _device, _folder, _loop, _descriptor]


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("name", ["passwd", "group"])
async def test_a_trap_in_the_place_of(attacker: Attacker, name: str, trap: Callable[[Path], None]) -> None:
    """CVE-2024-9676: the user is looked up in a file that blocks, has no end, or is the host's. It counts as missing."""

    def poison(layer: Path) -> None:
        (layer / "etc").mkdir()
        trap(layer / "etc" / name)

    done = await attacker.poisoned(poison, "grep", "^Uid", "/proc/self/status", user="7:8")
    assert (done.code, done.out.split()[1]) == (0, "7")
    refused = await attacker.refusal(poison, "true", user="somebody:somegroup")
    assert "unable to find user" in refused


async def test_names_of_the_host_are_no_names_of_the_image(attacker: Attacker) -> None:
    for who in ("daemon", "nobody", "www-data"):
        assert "unable to find user" in await attacker.refusal(nothing, "true", user=who)


async def test_groups_are_those_of_the_image_and_no_others(attacker: Attacker) -> None:
    """CVE-2022-36109, CVE-2023-25173: the primary group is among the supplementary ones, and none of the engine's is."""

    def poison(layer: Path) -> None:
        (layer / "etc").mkdir()
        (layer / "etc" / "passwd").write_text("joe:x:1000:1000::/home/joe:/bin/sh\n")
        (layer / "etc" / "group").write_text("joe:x:1000:\nextra:x:2000:joe\nother:x:3000:\n")

    done = await attacker.poisoned(poison, "grep", "^Groups", "/proc/self/status", user="joe")
    assert done.out.split()[1:] == ["1000", "2000"]
    done = await attacker.poisoned(poison, "grep", "^Groups", "/proc/self/status", user="joe:other")
    assert done.out.split()[1:] == ["3000"]
    done = await attacker.poisoned(poison, "grep", "^Groups", "/proc/self/status", user="joe", host={"group_add": ["other", "4"]})
    assert sorted(done.out.split()[1:]) == ["1000", "2000", "3000", "4"]
    ident = await attacker.start("sleep", "60")
    executed = await attacker.exec(ident, "grep", "^Groups", "/proc/self/status", user="5:6")
    assert executed.out.split()[1:] == ["6"]


def poison_libraries(layer: Path) -> None:
    """What a process that looks up a name, or imports a module, would load after it has entered the image."""
    code = "import os; os.close(os.open('/poisoned', os.O_CREAT))\n"
    library = Path(sysconfig.get_paths()["stdlib"])
    for name in ("traceback", "linecache", "encodings/idna", "encodings/ascii", "encodings/utf_8", "pwd", "grp", "json/__init__"):
        file = layer / str(library).lstrip("/") / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    for folder in ("lib", "lib64", "lib/x86_64-linux-gnu", "usr/lib"):
        for name in ("libnss_files.so.2", "libnss_dns.so.2", "libc.so.6", "libseccomp.so.2"):
            file = layer / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"\x7fELF")
    for name in ("xz", "gzip", "unpigz", "tar", "zstd"):
        tool = layer / "bin" / f"{name}"
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.unlink(missing_ok=True)
        tool.write_text("#!/bin/sh\n>/poisoned\n")
        tool.chmod(0o755)


async def test_the_images_code_is_never_ours(attacker: Attacker) -> None:
    """CVE-2019-14271, GHSA-x86f-5xw2-fm2r: start, exec, failures of both, copies and export load and run nothing of the image."""
    assert await attacker.refusal(poison_libraries, "no-such-command")
    ident = await attacker.create("sleep", "60", user="0")
    layer = attacker.layer(ident)
    poison_libraries(layer)
    containers = attacker.engine.containers
    await containers.start(ident)
    for command in (["nope"], ["true"], ["/etc"]):
        await attacker.exec(ident, *command, user="0:0")
    with pytest.raises(MobyError):
        await containers.archive_get(ident, "/nowhere")
    _, pieces = await containers.archive_get(ident, "/bin")
    data = b"".join([piece async for piece in pieces])
    assert b"poisoned" in data
    assert len(b"".join([piece async for piece in containers.export(ident)])) > len(data)
    assert not (layer / "poisoned").exists()

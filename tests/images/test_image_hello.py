"""``moby/hello``: made here, without a network."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from images.image_store import Store
from moby_tui.engine.resources.images import hello


async def test_is_made_when_it_is_asked_for(store: Store) -> None:
    local = await store.images.ensure("moby/hello")
    assert local.config.config and local.config.config.cmd == ["/hello"]
    result = subprocess.run([str(local.layers[0] / "hello")], capture_output=True, check=True)
    assert result.stdout == hello.MESSAGE and result.stderr == b""
    (image,) = await store.images.list()
    assert image.repo_tags == ["moby/hello:latest"] and image.repo_digests[0].startswith("moby/hello@sha256:")
    said = [line.status async for line in store.images.pull("docker.io/moby/hello")]
    assert said[-1] == "Status: Image is up to date for moby/hello:latest"
    assert store.staged() == []


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_is_the_same_everywhere(architecture: str) -> None:
    tar = hello.layer(architecture)
    assert tar == hello.layer(architecture) and hello.image(architecture, tar) == hello.image(architecture, tar)


def fields(program: bytes) -> tuple[int, ...]:
    assert program[:7] == b"\x7fELF\x02\x01\x01"
    return struct.unpack_from("<HHIQQQIHHHHHH", program, 16)


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_elf_header(architecture: str, machine: int) -> None:
    program = hello.program(architecture)
    kind, found, version, entry, segments, _, _, header, segment, count, *_ = fields(program)
    assert (kind, found, version, segments, header, segment, count) == (2, machine, 1, 64, 64, 56, 1)
    load, flags, offset, virtual, _, in_file, in_memory, align = struct.unpack_from("<IIQQQQQQ", program, 64)
    assert (load, flags, offset, in_file, in_memory) == (1, 5, 0, len(program), len(program))
    assert virtual % align == offset % align and entry == virtual + 120 < virtual + in_file


def test_aarch64_instructions(tmp_path: Path) -> None:
    """Decoded by this test's own reading of the Arm manual, and run on paper."""
    program = hello.program("arm64")
    calls: list[Any] = []
    registers, at = dict.fromkeys(range(31), 0), 120
    while len(calls) < 2:
        (word,) = struct.unpack_from("<I", program, at)
        at += 4
        register, immediate, shift = word & 31, word >> 5 & 0xFFFF, 16 * (word >> 21 & 3)
        if word & 0xFF800000 == 0xD2800000:  # movz x
            registers[register] = immediate << shift
        elif word & 0xFF800000 == 0xF2800000:  # movk x
            registers[register] = registers[register] & ~(0xFFFF << shift) | immediate << shift
        else:
            assert word == 0xD4000001, hex(word)  # svc #0
            calls.append(tuple(registers[number] for number in (8, 0, 1, 2)))
    write, leave = calls
    start = write[2] - 0x400000
    assert write[:2] == (64, 1) and program[start : start + write[3]] == hello.MESSAGE and start == at
    assert leave[:2] == (93, 0)


def test_message_fits_a_terminal() -> None:
    assert all(len(line) <= 80 for line in hello.MESSAGE.decode("ascii").splitlines())
    assert re.search("Hello from moby!", hello.MESSAGE.decode())

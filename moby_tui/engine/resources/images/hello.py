"""``moby/hello``: a test image that needs no registry. It is computed when it is pulled, with the same bytes on every machine.

Its one file is a static ELF program of two system calls, ``write(1, message, length)`` and ``exit(0)``, put together here from the
instruction sets' own manuals (Intel SDM volume 2; Arm ARM, A64) and elf(5).
"""

from __future__ import annotations

import io
import struct

from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.reference import Reference, parse
from moby_tui.schema import oci
from moby_tui.schema.base import encode

REFERENCE = parse("moby/hello:latest")
MESSAGE = b"""\

Hello from moby!

This container just ran, and everything works:
  1. the engine made this image on the spot, without a network;
  2. it laid the image's layer under a writable one (overlayfs);
  3. it made namespaces, a cgroup and a root of its own for one process;
  4. that process wrote these lines to your terminal, and has ended.

What to try next:
  moby run -it --rm alpine sh    a shell in a container
  moby tui                       the live dashboard
  moby --help                    all commands

"""

_CREATED = "2026-01-01T00:00:00Z"
_BASE = 0x400000
_ELF_HEADER, _PROGRAM_HEADER = 64, 56
_CODE = _BASE + _ELF_HEADER + _PROGRAM_HEADER
_EM_X86_64, _EM_AARCH64 = 62, 183
_STDOUT = 1


def is_hello(reference: Reference) -> bool:
    return reference == REFERENCE


def supports(architecture: str) -> bool:
    return architecture in ("amd64", "arm64")


def program(architecture: str, message: bytes = MESSAGE) -> bytes:
    """The ELF file: one header, one loadable segment (read and execute) that is the whole file, the code, the message."""
    assemble, machine = {"amd64": (_x86_64, _EM_X86_64), "arm64": (_aarch64, _EM_AARCH64)}[architecture]
    code = assemble(_CODE + len(assemble(0, len(message))), len(message))
    size = _ELF_HEADER + _PROGRAM_HEADER + len(code) + len(message)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little endian, version 1, System V
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, _CODE, _ELF_HEADER, 0, 0, _ELF_HEADER, _PROGRAM_HEADER, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)  # PT_LOAD, R+X
    return header + segment + code + message


def _x86_64(address: int, length: int) -> bytes:
    """System calls: number in eax, arguments in edi, esi, edx. ``mov r32, imm32`` is B8+register; it clears the upper half."""
    eax, edx, esi, edi = 0, 2, 6, 7

    def move(register: int, value: int) -> bytes:
        return bytes((0xB8 + register,)) + struct.pack("<I", value)

    system_call = b"\x0f\x05"
    write = move(eax, 1) + move(edi, _STDOUT) + move(esi, address) + move(edx, length) + system_call
    leave = move(eax, 60) + b"\x31\xff" + system_call  # xor edi, edi
    return write + leave


def _aarch64(address: int, length: int) -> bytes:
    """System calls: number in x8, arguments in x0, x1, x2. MOVZ sets 16 bits and clears the rest, MOVK sets 16 bits more."""

    def move_zero(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    def move_keep_high(register: int, value: int) -> int:
        return 0xF2A00000 | value << 5 | register  # hw = 1: bits 16 to 31

    system_call = 0xD4000001  # svc #0
    words = (
        move_zero(8, 64),
        move_zero(0, _STDOUT),
        move_zero(1, address & 0xFFFF),
        move_keep_high(1, address >> 16),
        move_zero(2, length),
        system_call,
        move_zero(8, 93),
        move_zero(0, 0),
        system_call,
    )
    return struct.pack(f"<{len(words)}I", *words)


def layer(architecture: str) -> bytes:
    """The plain tar of the image's one layer."""
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        data = program(architecture)
        member = tarfile.TarInfo("hello")
        member.size, member.mode = len(data), 0o755
        tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def image(architecture: str, tar: bytes) -> tuple[bytes, bytes]:
    """The image's configuration and manifest, as stored."""
    config = oci.ImageConfig(
        architecture=architecture,
        os="linux",
        created=_CREATED,
        config=oci.ExecutionConfig(cmd=["/hello"], env=["PATH=/"], labels={"org.opencontainers.image.title": "moby/hello"}),
        rootfs=oci.RootFs(diff_ids=[digest_of(tar)]),
        history=[oci.HistoryEntry(created=_CREATED, created_by="moby: made on this machine")],
    )
    config_body = encode(config)
    manifest = oci.Manifest(
        schema_version=2,
        media_type=oci.MEDIA_MANIFEST,
        config=oci.Descriptor(media_type=oci.MEDIA_CONFIG, digest=digest_of(config_body), size=len(config_body)),
        layers=[oci.Descriptor(media_type=oci.MEDIA_LAYER, digest=digest_of(tar), size=len(tar))],
    )
    return config_body, encode(manifest)

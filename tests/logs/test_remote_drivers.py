"""syslog and journald: what arrives at the other end of real sockets; and a driver that is slow."""

from __future__ import annotations

import os
import re
import select
import socket
import time
from pathlib import Path

import pytest

from moby_tui.engine.kernel.loop import Loop
from moby_tui.engine.protocol.log import LogSettings
from moby_tui.engine.runtime.configuration.log_options import Subject, resolve
from moby_tui.engine.runtime.monitor.logs.container_log import ContainerLog
from moby_tui.engine.runtime.monitor.logs.destination import open_log, open_sink

SUBJECT = Subject(id="ab" * 32, name="web", image="busybox", image_id="sha256:fe", command="sh", labels={"tier": "front"}, env=[])
HOST = re.escape(socket.gethostname())
STAMP = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
ZONE = r"(?:Z|[+-]\d\d:\d\d)"


def write(kept: LogSettings, folder: Path, *blocks: tuple[str, bytes]) -> None:
    log = ContainerLog(open_sink(str(folder / "log"), kept))
    for stream, data in blocks:
        log.write(stream, data)
    log.close()


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("", rf"<30>{STAMP} web\[\d+\]: one\n"),
        ("rfc3164", rf"<30>{STAMP} {HOST} web\[\d+\]: one\n"),
        ("rfc5424", rf"<30>1 {RFC3339}{ZONE} {HOST} web \d+ web - one\n"),
        ("rfc5424micro", rf"<30>1 {RFC3339}\.\d{{6}}{ZONE} {HOST} web \d+ web - one\n"),
    ],
)
def test_syslog_formats_over_a_unix_socket(tmp_path: Path, form: str, pattern: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "s"))
        options = {"syslog-address": f"unix://{tmp_path}/s", "syslog-format": form, "tag": "{{.Name}}"}
        write(resolve("syslog", options, SUBJECT), tmp_path, ("stdout", b"one\ntwo\n"), ("stderr", b"bad\n"))
        received = [server.recv(4096).decode() for _ in range(3)]
    assert re.fullmatch(pattern, received[0])
    assert received[1].endswith("two\n") and received[2].startswith("<27>")


def test_syslog_over_udp_and_tcp(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{server.getsockname()[1]}"
        options = {"syslog-address": address, "syslog-facility": "local7"}
        write(resolve("syslog", options, SUBJECT), tmp_path, ("stdout", b"one\n"))
        assert re.fullmatch(rf"<190> {RFC3339}{ZONE} {HOST} abababababab\[\d+\]: one\n", server.recv(4096).decode())
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = {"syslog-address": f"tcp://127.0.0.1:{server.getsockname()[1]}", "syslog-facility": "3"}
        write(resolve("syslog", options, SUBJECT), tmp_path, ("stdout", b"one\ntwo\n"))
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            assert [line[-4:] for line in lines] == [b"one\n", b"two\n"]


def test_a_syslog_that_is_not_there_is_told(tmp_path: Path) -> None:
    options = {"syslog-address": f"unix://{tmp_path}/none"}
    with pytest.raises(OSError, match="is a syslog daemon running"):
        open_log(str(tmp_path / "log"), resolve("syslog", options, SUBJECT), Loop(), lambda: None)


def test_journald_entries(tmp_path: Path) -> None:
    kept = resolve("journald", {"labels": "tier", "tag": "{{.ImageName}}"}, SUBJECT)
    kept = kept.replaced(remote=[*kept.remote, ["socket", str(tmp_path / "j")]])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "j"))
        write(kept, tmp_path, ("stderr", b"bad\n"), ("stdout", b"x" * 20_000 + b"\n"))
        entries = []
        for _ in range(3):
            data, descriptors, _, _ = socket.recv_fds(server, 1 << 20, 1)
            for fd in descriptors:
                data = os.pread(fd, 1 << 20, 0)
                os.close(fd)
            entries.append(dict(line.split(b"=", 1) for line in data.splitlines()))
    first = entries[0]
    assert first[b"MESSAGE"] == b"bad" and first[b"PRIORITY"] == b"3"
    assert (first[b"CONTAINER_NAME"], first[b"CONTAINER_TAG"], first[b"TIER"]) == (b"web", b"busybox", b"front")
    assert first[b"CONTAINER_ID"] == b"ab" * 6 and first[b"CONTAINER_ID_FULL"] == b"ab" * 32
    assert [entry.get(b"CONTAINER_PARTIAL_MESSAGE") for entry in entries] == [None, b"true", None]
    assert entries[1][b"MESSAGE"] + entries[2][b"MESSAGE"] == b"x" * 20_000
    assert [entry[b"CONTAINER_LOG_ORDINAL"] for entry in entries] == [b"1", b"2", b"3"]


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while select.select([connection], [], [], 10)[0] and (piece := connection.recv(1 << 20)):
        data += piece
    return data


def test_blocking_waits_for_a_slow_server_and_loses_nothing(tmp_path: Path) -> None:
    loop = Loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = {"syslog-address": f"tcp://127.0.0.1:{server.getsockname()[1]}", "cache-disabled": "true"}
        log = open_log(str(tmp_path / "log"), resolve("syslog", options, SUBJECT), loop, lambda: None)
        assert log is not None
        connection, _ = server.accept()
        written = 0
        deadline = time.monotonic() + 30
        while not log.behind:
            assert time.monotonic() < deadline
            log.write("stdout", (b"%07d" % written).ljust(999, b"x") + b"\n")
            written += 1
        with connection:
            received = b""
            while log._queue:  # type: ignore[attr-defined]
                received += connection.recv(1 << 20)
                loop.run_until(lambda: not log._queue, 0.001)  # type: ignore[attr-defined]
            # what the driver's process still holds comes before its end
            os.close(log._pipe)  # type: ignore[attr-defined]
            received += read_all(connection)
        numbers = [int(number) for number in re.findall(rb": (\d{7})x", received)]
    os.waitpid(log._pid, 0)  # type: ignore[attr-defined]
    assert numbers == list(range(written))


def test_non_blocking_drops_instead_of_waiting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = {
            "syslog-address": f"tcp://127.0.0.1:{server.getsockname()[1]}",
            "mode": "non-blocking",
            "max-buffer-size": "100k",
            "cache-disabled": "true",
        }
        log = open_log(str(tmp_path / "log"), resolve("syslog", options, SUBJECT), Loop(), lambda: None)
        assert log is not None
        for _ in range(30_000):
            log.write("stdout", b"x" * 999 + b"\n")
        assert log.dropped > 0 and len(log._queue) <= 102_400 and not log.behind  # type: ignore[attr-defined]
        os.kill(log._pid, 9)  # type: ignore[attr-defined]
        log.close()


def test_a_file_driver_in_non_blocking_mode_writes_its_file(tmp_path: Path) -> None:
    log = open_log(str(tmp_path / "log"), LogSettings(buffer=1 << 20), Loop(), lambda: None)
    assert log is not None
    log.write("stdout", b"one\n")
    log.close()
    assert b'{"log":"one\\n"' in (tmp_path / "log").read_bytes()

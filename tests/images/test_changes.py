"""``--change`` reads its instructions as a Dockerfile's: dockerd 28.5's commit of the same is the right value."""

from __future__ import annotations

from typing import Any

import pytest

from moby_tui.engine.resources.images.changes import apply_changes
from moby_tui.errors import InvalidArgument
from moby_tui.schema.oci import ExecutionConfig


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["ENV A=1 B=$A", "ENV C=${A}x D=$PATH"], {"env": ["PATH=/bin", "A=1", "B=", "C=1x", "D=/bin"]}),
        (["ENV PATH=/opt:$PATH"], {"env": ["PATH=/opt:/bin"]}),
        (["ENV A b c", "ENV E=e\\ f"], {"env": ["PATH=/bin", "A=b c", "E=e f"]}),
        (['LABEL a=$PATH "b c"="d e"'], {"labels": {"a": "/bin", "b c": "d e"}}),
        (["EXPOSE 80-82/udp 90 $X"], {"exposed_ports": {"80/udp": {}, "81/udp": {}, "82/udp": {}, "90/tcp": {}}}),
        (["WORKDIR .."], {"working_dir": "/"}),
        (["WORKDIR a/../b/", "WORKDIR c"], {"working_dir": "/base/b/c"}),
        (['ENTRYPOINT ["x"]'], {"entrypoint": ["x"], "cmd": None}),
        (["CMD a # b", 'ENTRYPOINT ["x"]'], {"entrypoint": ["x"], "cmd": ["/bin/sh", "-c", "a # b"]}),
        (["CMD a\nUSER b", "# nothing"], {"cmd": ["/bin/sh", "-c", "a"], "user": "b"}),
        (['VOLUME ["/a", "/b"]', "VOLUME /c d"], {"volumes": {"/a": {}, "/b": {}, "/c": {}, "d": {}}}),
        (["ONBUILD COPY a b", "STOPSIGNAL SIGINT"], {"on_build": ["COPY a b"], "stop_signal": "SIGINT"}),
        ([], {}),
    ],
)
def test_what_changes_make(changes: list[str], expected: dict[str, Any]) -> None:
    config = ExecutionConfig(env=["PATH=/bin"], cmd=["true"], working_dir="/base")
    before = {name: getattr(config, name) for name in ExecutionConfig.__struct_fields__}
    apply_changes(config, changes)
    assert {name: getattr(config, name) for name in ExecutionConfig.__struct_fields__} == before | expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("EXPOSE 99999", "invalid containerPort: 99999"),
        ("EXPOSE 5-3", "invalid containerPort: 5-3"),
        ("EXPOSE 80/foo", "invalid containerPort: 80/foo"),
        ("VOLUME []", "VOLUME requires at least one argument"),
        ("STOPSIGNAL foo", "invalid signal: foo"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV A=\udcff", "not UTF-8"),
        ("# x", "file with no instructions"),
        ("", "file with no instructions"),
        ('SHELL ["a"]', "SHELL is not a valid change command"),
        ("RUN x", "RUN is not a valid change command"),
        ("foo", "foo is not a valid change command"),
    ],
)
def test_what_changes_cannot_be(change: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        apply_changes(ExecutionConfig(), [change])

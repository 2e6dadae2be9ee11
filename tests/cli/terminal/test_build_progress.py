"""A build as it is seen: BuildKit's plain lines, its JSON, the view of a terminal; and the options that say where things go."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moby_tui.cli.output import building
from moby_tui.cli.values import builds
from moby_tui.errors import InvalidArgument
from moby_tui.schema.image import BuildStep, Progress, ProgressDetail

LINES = [
    Progress(step=BuildStep(id=1, name="[a 1/2] FROM base", state="begun", time=100.0)),
    Progress(status="Downloading", id="abc", progress_detail=ProgressDetail(current=1, total=2), step=BuildStep(id=1)),
    Progress(status="Pull complete", id="abc", step=BuildStep(id=1)),
    Progress(step=BuildStep(id=1, state="cached", time=100.5)),
    Progress(step=BuildStep(id=2, name="[a 2/2] RUN  make\n all", state="begun", time=100.5)),
    Progress(step=BuildStep(id=3, name="[b 1/1] COPY . /", state="begun", time=100.6)),
    Progress(stream="one\ntw", step=BuildStep(id=2)),
    Progress(step=BuildStep(id=3, state="done", time=101.0)),
    Progress(stream="o\nhalf", step=BuildStep(id=2)),
    Progress(step=BuildStep(id=2, state="failed", time=102.7)),
    Progress(stream="Dockerfile:2\n"),
]


def shown(kind: str, lines: list[Progress] = LINES) -> str:
    out = io.StringIO()
    view = building.view(kind, out)
    for line in lines:
        view.show(line)
    view.close()
    return out.getvalue()


def test_plain() -> None:
    assert re.sub(r"^(#\d+) \d+\.\d{3} ", r"\1 T ", shown("plain"), flags=re.MULTILINE) == (
        "#1 [a 1/2] FROM base\n#1 T abc: Pull complete\n#1 CACHED\n\n#2 [a 2/2] RUN make all\n\n#3 [b 1/1] COPY . /\n\n"
        "#2 [a 2/2] RUN make all\n#2 T one\n\n#3 [b 1/1] COPY . /\n#3 DONE 0.4s\n\n#2 [a 2/2] RUN make all\n#2 T two\n#2 T half\n"
        "#2 ERROR after 2.2s\nDockerfile:2\n"
    )
    assert shown("auto") == "" or shown("auto").startswith("#1 ")
    assert shown("quiet") == ""


def test_raw_json_is_buildkit_s() -> None:
    documents = [json.loads(line) for line in shown("rawjson").splitlines()]
    vertexes = [vertex for document in documents for vertex in document.get("vertexes", ())]
    assert [vertex["name"] for vertex in vertexes if vertex.get("cached")] == ["[a 1/2] FROM base"]
    assert [vertex["name"] for vertex in vertexes if vertex.get("error")] == ["[a 2/2] RUN make all"]
    assert vertexes[-1]["started"] == "1970-01-01T00:01:40.500000Z"
    logs = [log for document in documents for log in document.get("logs", ())]
    made = {vertex["digest"] for vertex in vertexes if "make" in vertex["name"]}
    assert [base64.b64decode(log["data"]) for log in logs if log["vertex"] in made] == [b"one\n", b"two\n", b"half\n"]


def test_a_terminal() -> None:
    text = shown("tty")
    for piece in (
        "[+] Building",
        "=> CACHED [a 1/2] FROM base",
        "=> ERROR [a 2/2] RUN make all",
        "2.2s",
        "> [a 2/2] RUN make all:",
        "two",
    ):
        assert piece in text


@given(st.lists(st.text(max_size=30), max_size=5))
def test_nothing_that_a_step_says_drives_the_terminal(said: list[str]) -> None:
    hostile = ["\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "back\x08\r", *said]
    lines = [Progress(step=BuildStep(id=1, name="x\x1b[2J", state="begun", time=1.0))]
    lines += [Progress(stream=f"{text}\n", step=BuildStep(id=1)) for text in hostile]
    text = shown("tty", [*lines, Progress(step=BuildStep(id=1, state="failed", time=2.0))])
    allowed = re.sub(r"\x1b\[(?:\d+A|2K|\?25[lh]|1A)|\r", "", text)
    assert all(char.isprintable() or char == "\n" for char in allowed)


@pytest.mark.parametrize(
    ("text", "kind", "destination"),
    [
        ("out", "local", "out"),
        ("-", "tar", "-"),
        ("type=local,dest=a b", "local", "a b"),
        ("type=tar", "tar", "-"),
        ("type=oci,dest=x.tar", "oci", "x.tar"),
        ("type=docker", "image", ""),
        ("type=registry", "registry", ""),
    ],
)
def test_outputs(text: str, kind: str, destination: str) -> None:
    [wanted] = builds.outputs([text], push=False)
    assert (wanted.output.kind, wanted.destination) == (kind, destination)


def test_push_and_caches() -> None:
    assert [each.output.push for each in builds.outputs([], push=True)] == [True]
    assert builds.outputs(["type=image,push=true"], push=False)[0].output.push
    assert builds.cache_sources(["a", "type=registry,ref=b", "type=local,src=c"]) == (["a", "b"], {"cache-0": "c"})
    targets = builds.cache_targets(["type=inline", "type=registry,ref=b,mode=max", "type=local,dest=c", "d"])
    assert [(target.kind, target.reference, target.everything, folder) for target, folder in targets] == [
        ("inline", "", False, ""),
        ("registry", "b", True, ""),
        ("local", "", False, "c"),
        ("registry", "d", False, ""),
    ]


@pytest.mark.parametrize(
    "text", ["type=local", "type=oci,tar=false", "type=image,dest=x", "type=tar,compression=zstd", "dest=x,type=tar,a"]
)
def test_wrong_outputs(text: str) -> None:
    with pytest.raises(InvalidArgument):
        builds.outputs([text], push=False)


@given(st.text(max_size=40))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    for read in (
        lambda: builds.outputs([text], push=False),
        lambda: builds.cache_sources([text]),
        lambda: builds.cache_targets([text]),
    ):
        try:
            read()
        except InvalidArgument:
            pass

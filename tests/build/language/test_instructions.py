"""What instructions make of an image's configuration, in their corners."""

from __future__ import annotations

from typing import Any

import pytest

from build.building import build, run
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError

pytestmark = pytest.mark.usefixtures("busybox")


async def config(engine: Engine, text: str, **options: Any) -> Any:
    done = await build(engine, text, **options)
    return (await engine.images.inspect(done.id)).config


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("ENV A=1 B=$A C='$A' D=\\$A\nENV E=$A$B", "env", ["PATH=/bin", "A=1", "B=", "C=$A", "D=$A", "E=1"]),
        ("ENV A  b   c d ", "env", ["PATH=/bin", "A=b   c d"]),
        ('ENV A "b c" d', "env", ["PATH=/bin", "A=b c d"]),
        ("ENV A=x\\ y B=\"p 'q'\" C=", "env", ["PATH=/bin", "A=x y", "B=p 'q'", "C="]),
        ("ENV A=/x/y.tar.gz\nENV B=${A##*/} C=${A%.*} D=${A//\\//-} E=${A/y?/_}", "env", None),
        ("ENV PATH=/new:$PATH", "env", ["PATH=/new:/bin"]),
        ("ARG A=1\nENV A=2\nENV B=$A", "env", ["PATH=/bin", "A=2", "B=2"]),
        ("LABEL a=b c=d\nLABEL \"e\" f g", "labels", {"a": "b", "c": "d", "e": "f g"}),
        ("EXPOSE 80 $P 53/UDP\nEXPOSE 90-91", "exposed_ports", {"80/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {}}),
        ("ARG P=\"1 2\"\nEXPOSE $P", "exposed_ports", {"1/tcp": {}, "2/tcp": {}}),
        ("VOLUME /a $X/b\nVOLUME [\"/c d\"]", "volumes", {"/a": {}, "/b": {}, "/c d": {}}),
        ("WORKDIR /a\nWORKDIR b\nWORKDIR ../c/./d/", "working_dir", "/a/c/d"),
        ("ARG D=x\nWORKDIR $D\nWORKDIR \"y z\"", "working_dir", "/x/y z"),
        ("USER a:b", "user", "a:b"),
        ("ARG U=7\nUSER ${U}:$U", "user", "7:7"),
        ("STOPSIGNAL 9", "stop_signal", "9"),
        ("ARG S=RTMIN+3\nSTOPSIGNAL SIG$S", "stop_signal", "SIGRTMIN+3"),
        ("CMD echo $A", "cmd", ["/bin/sh", "-c", "echo $A"]),
        ('CMD ["a", "$A"]', "cmd", ["a", "$A"]),
        ("CMD [ a ]", "cmd", ["/bin/sh", "-c", "[ a ]"]),
        ('SHELL ["/bin/x", "-y"]\nCMD z', "cmd", ["/bin/x", "-y", "z"]),
        ("CMD a\nENTRYPOINT b", "cmd", ["/bin/sh", "-c", "a"]),
        ('ENTRYPOINT ["b"]', "cmd", None),
        ("onbuild  run  a   b", "on_build", ["run  a   b"]),
    ],
)  # fmt: skip
async def test_what_it_says(engine: Engine, text: str, field: str, expected: object) -> None:
    found = getattr(await config(engine, f"FROM busybox\n{text}\n"), field)
    if field == "env" and expected is None:
        expected = ["PATH=/bin", "A=/x/y.tar.gz", "B=y.tar.gz", "C=/x/y.tar", "D=-x-y.tar.gz", "E=/x/_tar.gz"]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ENV A", "must have two arguments"),
        ("ENV A=b c", "can't find ="),
        ("LABEL a=b i j", "can't find ="),
        ("ENV A='b", "unexpected end"),
        ("ENV A=${b", "bad substitution|unexpected end"),
        ('ENV A="${B?B is wanted}"', "B is wanted"),
        ("ENV A=${B:^x}", "unsupported modifier"),
        ("ARG =x", "names can not be blank"),
        ("EXPOSE 80/icmp", "invalid containerPort: 80/icmp"),
        ("VOLUME [\"\"]", "can not be an empty string"),
        ("STOPSIGNAL SIGNONE", "invalid signal: SIGNONE"),
        ("SHELL /bin/sh", "in JSON form"),
        ("SHELL []", "at least one argument"),
        ("CMD [1]", "strings only"),
        ("HEALTHCHECK --start-interval=x CMD y", "invalid duration"),
        ("HEALTHCHECK CMD [1]", "strings only"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("FROM busybox AS 1x", "name can't start with a number"),
        ("FROM a b", "either one or three arguments"),
        ("FROM ${NONE}", "should not be blank"),
        ("COPY --from=1 a b", "invalid from value 1"),
    ],
)  # fmt: skip
async def test_what_cannot_be(engine: Engine, text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        await build(engine, f"FROM busybox\n{text}\n")
    assert caught.value.line == 2


async def test_health_checks(engine: Engine) -> None:
    text = 'FROM busybox\nHEALTHCHECK --interval="30s" --start-interval=500ms --retries=4 CMD [ "a", "b" ]\n'
    found = (await config(engine, text)).healthcheck
    assert (found.test, found.interval, found.start_interval, found.retries) == (["CMD", "a", "b"], 30 * 10**9, 5 * 10**8, 4)
    found = (await config(engine, "FROM busybox\nHEALTHCHECK cmd a  b\n")).healthcheck
    assert found.test == ["CMD-SHELL", "a  b"]


async def test_the_shell_that_runs(engine: Engine) -> None:
    text = """
    FROM busybox
    SHELL ["/bin/sh", "-ec", "echo by $0 > /shell; eval \\"$1\\"", "mine"]
    RUN echo one > /one
    RUN <<E
    echo two > /two
    E
    SHELL ["/bin/sh", "-c"]
    RUN ["/bin/sh", "-c", "echo $0 > /three", "zero"]
    """.replace("\n    ", "\n")
    await build(engine, text, tags=["t"])
    _, out = await run(engine, "t", ["cat", "/shell", "/one", "/two", "/three"])
    assert out == "by mine\none\ntwo\nzero\n"


async def test_an_empty_file_and_one_without_a_stage(engine: Engine) -> None:
    for text, said in (("# nothing\n", "no build stage"), ("ARG A\n", "no build stage"), ("ENV A=b\n", "no build stage")):
        with pytest.raises(MobyError, match=said):
            await build(engine, text)

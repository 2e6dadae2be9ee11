"""What is wrong in an instruction is told before the first step of a build runs. The errors are those of dockerd 28.5.2."""

from __future__ import annotations

import pytest

from build.building import Build, build
from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError

ARRAY = "when using JSON array syntax, arrays must be comprised of strings only"
PARSE = "dockerfile parse error on line 3: "
BEFORE = "FROM busybox\nRUN echo first\n"


async def refused(engine: Engine, text: str, *, classic: bool = False) -> tuple[MobyError, list[str]]:
    """The error, and the steps that have begun."""
    begun: list[str] = []
    with pytest.raises(MobyError) as caught:
        async for line in Build(engine, text, {"a": b""}, live=not classic, classic=classic).lines():
            begun += [line.step.name] if line.step and line.step.state == "begun" else [line.stream or ""]
    return caught.value, [each for each in begun if "FROM" in each and each.startswith(("[", "Step"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SHELL /bin/sh -c", f"{PARSE}SHELL requires the arguments to be in JSON form"),
        ("SHELL []", f"{PARSE}SHELL requires at least one argument"),
        ("SHELL [1]", ARRAY),
        ("HEALTHCHECK FOO x", f'{PARSE}Unknown type "FOO" in HEALTHCHECK (try CMD)'),
        ("HEALTHCHECK NONE x", f"{PARSE}HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK CMD []", f"{PARSE}Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK CMD [1]", ARRAY),
        ("HEALTHCHECK --interval=x CMD true", f'{PARSE}time: invalid duration "x"'),
        ("HEALTHCHECK --interval=5 CMD true", f'{PARSE}time: missing unit in duration "5"'),
        ("HEALTHCHECK --interval=-1s CMD true", f'{PARSE}Interval "interval" cannot be less than 1ms'),
        ("HEALTHCHECK --retries=x CMD true", f'{PARSE}strconv.ParseInt: parsing "x": invalid syntax'),
        ("HEALTHCHECK --retries=-1 CMD true", f"{PARSE}--retries cannot be negative (-1)"),
        ("ARG =x", f"{PARSE}ARG names can not be blank"),
        ("ENV =x", f"{PARSE}ENV names can not be blank"),
        ("LABEL =x", f"{PARSE}LABEL names can not be blank"),
        ("ENV a", "ENV must have two arguments"),
        ("LABEL a=b c", 'Syntax error - can\'t find = in "c". Must be of the form: name=value'),
        ("VOLUME []", f"{PARSE}VOLUME requires at least one argument"),
        ('VOLUME ["  "]', f"{PARSE}VOLUME specified can not be an empty string"),
        ('VOLUME ""', "VOLUME specified can not be an empty string"),
        ("COPY a", f"{PARSE}COPY requires at least two arguments, but only one was provided. Destination could not be determined"),
        ('ADD ["a"]', f"{PARSE}ADD requires at least two arguments, but only one was provided. Destination could not be determined"),
        ("RUN --network=foo true", f'{PARSE}invalid network mode "foo"'),
        ("RUN [1]", ARRAY),
        ("ONBUILD ONBUILD RUN x", f"{PARSE}Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD ENV a", "ENV must have two arguments"),
        ("EXPOSE foo", "invalid containerPort: foo"),
        ("STOPSIGNAL foo", "invalid signal: foo"),
        ("RUN --mount=type=foo,target=/x true", 'unsupported mount type "foo"'),
        ("RUN --mount=type=tmpfs,target=/ true", 'invalid mount target "/"'),
    ],
)  # fmt: skip
async def test_nothing_runs_before_an_error(engine: Engine, busybox: str, text: str, expected: str) -> None:
    error, begun = await refused(engine, f"{BEFORE}{text}\n")
    words = error.buildkit or error.message
    assert words == expected or words.startswith((f"{expected}; ", f"{expected} (did you mean"))
    assert (error.line, begun) == (3, [])


async def test_which_errors_come_first(engine: Engine, busybox: str) -> None:
    """Lists and pairs of the whole file, then the other forms of all stages, then values in the stages that are needed."""
    error, _ = await refused(engine, f"{BEFORE}SHELL x\nENV a\n")
    assert error.line == 4
    error, _ = await refused(engine, f"{BEFORE}EXPOSE foo\nFROM busybox AS b\nSHELL \\\n x\n")
    assert (error.line, error.end) == (5, 6)
    await build(engine, "FROM busybox AS a\nEXPOSE foo\nFROM busybox\n", classic=False)


async def test_the_classic_builder_tells_a_wrong_value_at_its_step(engine: Engine, busybox: str) -> None:
    error, begun = await refused(engine, f"{BEFORE}EXPOSE foo\n", classic=True)
    assert error.line == 3 and begun
    error, begun = await refused(engine, f"{BEFORE}SHELL foo\n", classic=True)
    assert error.line == 3 and not begun


async def test_a_relative_target_of_a_mount(engine: Engine, busybox: str) -> None:
    """It is resolved at its step, when the working directory is known."""
    await build(engine, "FROM busybox\nWORKDIR /w\nRUN --mount=type=tmpfs,target=. test ! -s /w/x\n")
    error, begun = await refused(engine, "FROM busybox\nRUN --mount=type=tmpfs,target=. true\n")
    assert (error.line, bool(begun)) == (2, True)


async def test_a_wrong_trigger_stops_all_triggers(engine: Engine, busybox: str) -> None:
    await build(engine, "FROM busybox\nONBUILD RUN echo first\nONBUILD SHELL x\n", tags=["base"])
    done: list[str] = []
    with pytest.raises(MobyError, match="SHELL requires the arguments to be in JSON form") as caught:
        async for line in Build(engine, "FROM base\nRUN true\n", {}).lines():
            done.append(line.stream or "")
    assert caught.value.line == 1 and not any("first" in text for text in done)


async def test_no_health_check_takes_flags(engine: Engine, busybox: str) -> None:
    await build(engine, "FROM busybox\nHEALTHCHECK --interval=x NONE\n", tags=["t"])
    health = (await engine.images.inspect("t")).config.healthcheck
    assert health is not None and health.test == ["NONE"]


@pytest.mark.parametrize(
    ("text", "expected", "line"),
    [
        ("# escape=`\n# escape=`\n", "only one escape parser directive can be used", 2),
        ("# escape=`\n# check=skip=all\n# check=skip=all\n", "only one check parser directive can be used", 3),
        ("# escape=x\n", "invalid escape token 'x' does not match ` or \\", 1),
    ],
)
async def test_a_wrong_directive_is_told_at_its_line(engine: Engine, text: str, expected: str, line: int) -> None:
    error, _ = await refused(engine, f"{text}FROM busybox\n")
    assert (error.buildkit, error.line) == (expected, line)
    assert error.message == f"{expected} (Dockerfile line {line})"

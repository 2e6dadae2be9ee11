"""Live progress: the plan of a build, where its steps stand in the Dockerfile, and where it has failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial

import pytest

from build.building import Build, build
from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from moby_tui.schema.image import BuildPlan, Progress

TEXT = """\
ARG BASE=busybox
FROM $BASE AS one
RUN echo one \\
  > /one
FROM $BASE AS unused
RUN echo never
FROM scratch AS two
COPY --from=one /one /two
FROM one
COPY --from=two /two /two
ENV A=1
RUN exit 3
"""


async def told(lines: AsyncIterator[Progress]) -> tuple[list[Progress], MobyError | None]:
    found: list[Progress] = []
    try:
        async for line in lines:
            found.append(line)
    except MobyError as error:
        return found, error
    return found, None


def plan_of(lines: list[Progress]) -> BuildPlan:
    (plan,) = [line.plan for line in lines if line.plan]
    return plan


async def test_events_tell_of_a_build_from_its_start_to_its_end(engine: Engine, busybox: str) -> None:
    async with aclosing(engine.events.stream(filters={"type": ["builder"]})) as events:

        async def following() -> tuple[str, str, dict[str, str]]:
            event = await anext(events)
            return event.action, event.actor.id, event.actor.attributes

        ahead = asyncio.ensure_future(following())
        await asyncio.sleep(0)
        done = await build(engine, "FROM busybox\n", tags=["a:1"], id="mine", live=True)
        about = {"name": "a:1", "dockerfile": "Dockerfile"}
        assert await ahead == ("start", "mine", about)
        assert await following() == ("finish", "mine", about | {"image": done.id})
        await told(Build(engine, "FROM busybox\nRUN exit 3\n", {}, target="x").lines())
        action, ident, attributes = await following()
        assert (action, attributes) == ("start", {"dockerfile": "Dockerfile", "target": "x"})
        again = await following()
        assert again[:2] == ("fail", ident) and "failed to reach build target x" in again[2]["error"]
        async with aclosing(Build(engine, "FROM busybox\nRUN sleep 100\n", {}).lines()) as lines:
            await anext(lines)
        assert (await following())[0] == "start" and (await following())[0] == "cancel"
        await told(Build(engine, "FROM busybox\n", {}, check=True).lines())
        with pytest.raises(MobyError, match="invalid id of a build"):
            await build(engine, "FROM busybox\n", id="a b")
        await build(engine, "FROM busybox\n", id="last")
        assert (await following())[1] == "last"


async def test_the_plan_and_the_place_of_each_step(engine: Engine, busybox: str) -> None:
    lines, error = await told(Build(engine, TEXT, {}, live=True).lines())
    plan = plan_of(lines)
    assert (plan.dockerfile, plan.source) == ("Dockerfile", TEXT.encode())
    assert [(one.name, one.base, one.needs, one.wanted) for one in plan.stages] == [
        ("one", "busybox", [], True), ("unused", "busybox", [], False), ("two", "scratch", [0], True), ("", "one", [0, 2], True),
    ]  # fmt: skip
    assert [[step.lines for step in one.steps] for one in plan.stages] == [
        [(2, 2), (3, 4)], [(5, 5), (6, 6)], [(8, 8)], [(10, 10), (12, 12)],
    ]  # fmt: skip
    steps = [line.step for line in lines if line.step and line.step.state == "begun" and line.step.lines != (0, 0)]
    assert {(step.stage, step.lines) for step in steps} == {
        (number, step.lines) for number in (0, 2, 3) for step in plan.stages[number].steps
    }
    (failed,) = [line.step for line in lines if line.step and line.step.state == "failed"]
    assert "exit code: 3" in failed.error
    assert next(step.lines for step in steps if step.id == failed.id) == (12, 12)
    assert error is not None
    assert [line.fault.lines for line in lines if line.fault] == [(12, 12)]
    # Docker's own stream has none of it
    lines, error = await told(Build(engine, TEXT, {}).lines())
    assert error is not None
    assert not any(line.plan or line.fault or line.step for line in lines)


async def test_the_plan_tells_no_stage_that_a_variable_hides(engine: Engine, busybox: str) -> None:
    text = "FROM busybox AS a\nFROM busybox AS b\nFROM busybox\nARG W=a\nRUN --mount=from=$W,target=/x true\nCOPY --from=b /bin/sh /y\n"
    lines, _ = await told(Build(engine, text, {}, live=True).lines())
    assert [one.needs for one in plan_of(lines).stages] == [[], [], [1]] and all(one.wanted for one in plan_of(lines).stages)


@pytest.mark.parametrize(
    ("text", "lines"),
    [("FROM busybox\nRUM x\n", (2, 2)), ("FROM busybox\n\nUSER $(\nCOPY nothing \\\n  /x\n", (4, 5)), ("ARG A=${\nFROM busybox\n", (1, 1))],
)  # fmt: skip
async def test_where_a_dockerfile_is_wrong(engine: Engine, busybox: str, text: str, lines: tuple[int, int]) -> None:
    found, error = await told(Build(engine, text, {}, live=True).lines())
    assert error is not None
    assert plan_of(found).source == text.encode()
    assert [line.fault.lines for line in found if line.fault] == [lines]


TRIGGERS = "FROM busybox\nONBUILD COPY a /a\nONBUILD ENV A=b\nonbuild   run   echo ran $A\nONBUILD RUN   echo ran $A\nONBUILD WORKDIR /w\n"


async def test_each_trigger_is_a_step(engine: Engine, busybox: str) -> None:
    """The names are those of dockerd 28.5.2: a trigger without a step of its own counts in the total, but not before FROM is done."""
    await build(engine, TRIGGERS, tags=["base"])
    build_of = partial(Build, engine, "FROM base\nRUN echo own\n", {"a": b""})
    lines, error = await told(build_of(live=True).lines())
    assert error is None
    steps = {line.step.id: line.step for line in lines if line.step and line.step.state == "begun" and line.step.lines != (0, 0)}
    assert [(step.name, step.lines) for step in steps.values()] == [
        ("[1/2] FROM docker.io/library/base:latest", (1, 1)),
        ("[2/7] ONBUILD COPY a /a", (1, 1)),
        ("[3/7] ONBUILD RUN   echo ran b", (1, 1)),
        ("[4/7] ONBUILD RUN   echo ran b", (1, 1)),
        ("[5/7] ONBUILD WORKDIR /w", (1, 1)),
        ("[6/7] RUN echo own", (2, 2)),
    ]
    output = [(line.stream, steps[line.step.id].name) for line in lines if line.stream and line.step and line.step.id in steps]
    assert [text for text, name in output if "ONBUILD RUN" in name] == ["ran b\n", "ran b\n"]
    cached, _ = await told(build_of(live=True).lines())
    assert sum(line.step.state == "cached" for line in cached if line.step) == 5


async def test_a_trigger_that_fails(engine: Engine, busybox: str) -> None:
    await build(engine, "FROM busybox AS z\nONBUILD RUN exit 4\n", tags=["base"])
    for text, name in (
        ("FROM base\nRUN true\n", "[2/3] ONBUILD RUN exit 4"),
        ("FROM busybox AS z\nONBUILD RUN exit 4\nFROM z AS y\nRUN true\n", "[y 1/2] ONBUILD RUN exit 4"),
    ):
        lines, error = await told(Build(engine, text, {}, live=True).lines())
        assert error is not None
        (failed,) = [line.step for line in lines if line.step and line.step.state == "failed"]
        assert next(line.step.name for line in lines if line.step and line.step.id == failed.id) == name
        assert [line.fault.lines for line in lines if line.fault] == [(1, 1) if name[1] == "2" else (3, 3)]

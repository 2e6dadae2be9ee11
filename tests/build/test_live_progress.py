"""Live progress: the plan of a build, where its steps stand in the Dockerfile, and where it has failed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from build.building import Build
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


@pytest.mark.parametrize(
    ("text", "lines"),
    [("FROM busybox\nRUM x\n", (2, 2)), ("FROM busybox\n\nUSER $(\nCOPY nothing \\\n  /x\n", (4, 5)), ("ARG A=${\nFROM busybox\n", (1, 1))],
)  # fmt: skip
async def test_where_a_dockerfile_is_wrong(engine: Engine, busybox: str, text: str, lines: tuple[int, int]) -> None:
    found, error = await told(Build(engine, text, {}, live=True).lines())
    assert error is not None
    assert plan_of(found).source == text.encode()
    assert [line.fault.lines for line in found if line.fault] == [lines]

"""A build as it is told: the steps of both kinds of engines, where it has failed, the drawing of the stages, the form's line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from moby_tui.cli.commands.builds.reading import read_build
from moby_tui.errors import InvalidArgument
from moby_tui.schema.event import Event, EventActor
from moby_tui.schema.image import BuildFault, BuildPlan, BuildStep, PlannedStage, PlannedStep, Progress, ProgressDetail
from moby_tui.screens.building import draft, rails
from moby_tui.screens.building.build import Build, State, Step, clean_line
from moby_tui.screens.building.builds import REMEMBERED, Builds
from moby_tui.screens.dialogs.paths import complete
from moby_tui.screens.logs.lining import MAX_LINE

SOURCE = b"FROM busybox AS one\nRUN make\nFROM busybox AS other\nFROM scratch\nCOPY --from=one /a /a\nRUN false \\\n  && true\n"


def planned(name: str, needs: list[int], *lines: tuple[int, int], wanted: bool = True) -> PlannedStage:
    return PlannedStage(name, "busybox", needs, wanted, [PlannedStep(f"step at {first}", (first, last)) for first, last in lines])


def plan() -> Progress:
    stages = [
        planned("one", [], (1, 1), (2, 2)),
        planned("other", [], (3, 3), wanted=False),
        planned("", [0], (5, 5), (6, 7)),
    ]
    return Progress(plan=BuildPlan("Dockerfile", SOURCE, stages))


def begun(number: int, name: str, at: float, stage: int | None = None, lines: tuple[int, int] = (0, 0)) -> Progress:
    return Progress(step=BuildStep(id=number, name=name, state="begun", time=at, stage=stage, lines=lines))


def ended(number: int, state: str, at: float, error: str = "") -> Progress:
    return Progress(step=BuildStep(id=number, state=state, time=at, error=error))


def output(number: int, said: str) -> Progress:
    return Progress(stream=said, step=BuildStep(id=number))


def lines_of(step: Step) -> list[str]:
    return [step.log.line(number).text.decode() for number in range(step.log.first, step.log.end)]


def told(*lines: Progress) -> Build:
    build = Build("1", "app", ["."], 100.0, ".")
    for line in lines:
        build.take(line, 100.0)
    return build


def test_steps_stand_by_stage_and_line_with_times_output_and_cache() -> None:
    build = told(
        begun(1, "[internal] load build context", 100), ended(1, "done", 100.5), plan(),
        begun(2, "[internal] load metadata for busybox", 100.5, 0), ended(2, "done", 100.6),
        begun(4, "[stage-2 1/2] COPY --from=one /a /a", 103, 2, (5, 5)),
        begun(3, "[one 1/2] FROM busybox", 101, 0, (1, 1)),
        Progress(status="Downloading", id="aa", progress_detail=ProgressDetail(current=2_000_000, total=8_000_000), step=BuildStep(id=3)),
    )  # fmt: skip
    assert [step.name for step in build.steps] == [
        "[internal] load build context", "[internal] load metadata for busybox", "[one 1/2] FROM busybox", "step at 2",
        "[stage-2 1/2] COPY --from=one /a /a", "step at 6",
    ]  # fmt: skip
    first = build.steps[2]
    assert first.status == "aa: Downloading 2.0M / 8.0M"
    for line in (
        ended(3, "cached", 101.2),
        begun(5, "[one 2/2] RUN make", 102, 0, (2, 2)),
        output(5, "half a l"),
        output(5, "ine\nmore"),
    ):
        build.take(line, 103.0)
    make = build.steps[3]
    assert (first.status, first.state, make.state, lines_of(make), make.seconds(110.0)) == (
        "",
        State.CACHED,
        State.RUNNING,
        ["half a line"],
        8.0,
    )
    build.take(ended(5, "done", 106.0), 106.0)
    assert (lines_of(make), make.seconds(110.0)) == (["half a line", "more"], 4.0)
    assert build.counts == (4, 6, 1)
    stages = list(build.stages())
    assert [(one.name, one.state, one.done, one.total) for one in stages] == [
        ("one", State.DONE, 3, 3), ("other", State.WAITING, 0, 0), ("stage 2", State.RUNNING, 0, 2),
    ]  # fmt: skip
    assert stages[0].seconds(200.0) == 5.5
    # a second platform makes the same steps once more
    build.take(begun(6, "[linux/arm64 one 1/2] FROM busybox", 107, 0, (1, 1)), 107.0)
    assert [step.lines for step in build.steps if step.stage == 0] == [(0, 0), (1, 1), (1, 1), (2, 2)]


def test_where_it_has_failed() -> None:
    build = told(plan(), begun(1, "[stage-2 2/2] RUN false", 101, 2, (6, 7)), ended(1, "failed", 102, "exit code: 1"))
    assert build.fault == (0, 0)
    build.fail("The command 'false' returned a non-zero code: 1", 103.0)
    assert (build.fault, build.state, build.steps[-1].error) == ((6, 7), State.FAILED, "exit code: 1")
    build = told(plan(), Progress(stream="Dockerfile:3\n", fault=BuildFault((3, 4))))
    build.fail("unknown", 103.0)
    assert build.fault == (3, 4) and lines_of(build.steps[-1]) == ["Dockerfile:3"]
    build = told()
    build.fail("dockerfile parse error on line 12: unknown instruction: RUM", 103.0)
    assert build.fault == (12, 12)
    build = told(plan(), begun(1, "RUN x", 101, 0, (2, 2)))
    build.cancel(104.0)
    assert (build.fault, build.state, build.counts) == ((0, 0), State.CANCELLED, (0, 4, 0))
    assert [step.state for step in build.steps if step.ended] == [State.CANCELLED]


def test_the_classic_builders_lines_are_steps_at_their_lines() -> None:
    build = Build("1", "app", ["."], 100.0)
    build.read_local(b"FROM busybox\n# RUN no\nRUN make \\\n   all\nRUN false\n")
    for said in (
        "Step 1/3 : FROM busybox\n ---> 0123\nStep 2/3 : RUN make    all\n", " ---> Using ca", "che\n ---> 456\n",
        "Step 3/3 : RUN false\n ---> Running in 789\n\x1b[31mout\x1b[0m of it",
    ):  # fmt: skip
        build.take(Progress(stream=said), 101.0)
    build.fail("The command '/bin/sh -c false' returned a non-zero code: 1", 105.0)
    assert [(step.name, step.state, step.lines) for step in build.steps] == [
        ("FROM busybox", State.DONE, (1, 1)), ("RUN make all", State.CACHED, (3, 3)), ("RUN false", State.FAILED, (5, 5)),
    ]  # fmt: skip
    assert lines_of(build.steps[2])[-1] == "out of it" and build.fault == (5, 5)


def test_hostile_names_lines_and_files_are_cleaned_and_cut() -> None:
    evil = "\x1b]0;x\x07\x1b[2J\u202eevil\r\n"
    stage = PlannedStage(evil, evil, [7, 0], True, [PlannedStep(evil * 500, (1, 1))])
    build = told(
        Progress(plan=BuildPlan(evil, b"\xff\x1b[31mRUN\t" + b"x" * 4_000_000 + b"\n\n", [stage])),
        begun(1, evil, 100, 0, (1, 1)), begun(2, evil, 100, 99, (-5, 10**9)),
        *(output(1, "y" * 1_000_000) for _ in range(10)), output(1, f"\n{evil}"), ended(1, "failed", 101, evil * 1000),
        Progress(status=evil, id=evil), Progress(stream=evil), Progress(aux={"ID": evil}),
    )  # fmt: skip
    build.fail(evil * 1000, 102.0)
    for said in (
        *(step.name + step.error for step in build.steps),
        build.error,
        build.image,
        *(one.name for one in build.stages()),
    ):
        assert said.isprintable() and "\u202e" not in said and len(said) <= 1000
    assert [len(line) for line in lines_of(build.steps[0])] == [MAX_LINE, 4]
    assert len(build.source) == 2 and clean_line(build.source[0]).isprintable() and len(clean_line(build.source[0])) <= 8000
    assert len(rails.draw([one.planned.needs for one in build.stages()])) == 1


def test_rails_lead_from_each_stage_to_those_that_need_it() -> None:
    rows = rails.draw([[], [], [], [0, 2], [1, 3]])
    assert [row.rails.rstrip() for row in rows] == ["●", "│ ●", "│ │ ●", "●─│─╯", "●─╯"]
    assert [row.rails.rstrip() for row in rails.draw([[], [], [0]])] == ["●", "│ ●", "●"]
    assert rails.draw([[]] * (rails.MOST + 1)) == [rails.Row(rails.NODE, 0)] * (rails.MOST + 1)
    chance = random.Random(7)
    for _ in range(50):
        needs = [
            sorted(chance.sample(range(number), min(number, chance.randrange(3)))) for number in range(chance.randrange(1, 40))
        ]
        rows = rails.draw(needs)
        assert len({len(row.rails) for row in rows}) == 1 and all(row.rails[row.node] == rails.NODE for row in rows)
        assert reached(rows) == [set(of) for of in needs]


def reached(rows: list[rails.Row]) -> list[set[int]]:
    """The stages that each one is joined to, read from the drawing."""
    at: dict[int, int] = {}
    found = []
    for number, row in enumerate(rows):
        cells = row.rails
        joined = {at[row.node]} if row.node in at else set()
        for way in (-1, 1):
            place = row.node + way
            while 0 <= place < len(cells) and cells[place] not in " ":
                if place % 2 == 0 and cells[place] in "╰╯┴├┤┼":
                    joined.add(at[place])
                    if cells[place] in "╰╯┴":
                        del at[place]
                    if cells[place] in "╰╯├┤":
                        break
                place += way
        found.append(joined)
        at.pop(row.node, None)
        following = rows[number + 1].rails if number + 1 < len(rows) else ""
        if row.node < len(following) and following[row.node] in "│╰╯┴├┤┼●":
            at[row.node] = number
    return found


def test_the_newest_builds_are_kept_and_not_too_much_of_their_output() -> None:
    builds = Builds(most_bytes=100_000)
    for number in range(REMEMBERED + 5):
        build = Build(str(number), "x", [], 0.0)
        build.take(begun(1, "a", 1.0), 1.0)
        build.take(output(1, "z" * 10_000 + "\n"), 1.0)
        if number:
            build.take(ended(1, "done", 2.0), 2.0)
            build.finish(2.0)
        builds.add(build)
        builds.trim()
    assert len(builds) == REMEMBERED + 1 and builds.running and [one.id for one in builds][-1] == "0"
    kept = [one.id for one in builds if len(one.steps[0].log)]
    assert kept[-1] == "0" and 5 < len(kept) < 12 and kept[0] == str(REMEMBERED + 4)


def test_builds_of_others_are_told_by_events() -> None:
    def event(action: str, identifier: str, **attributes: str) -> Event:
        return Event(type="builder", action=action, actor=EventActor(id=identifier, attributes=attributes), time=100)

    builds = Builds()
    builds.add(Build("mine", "app", ["."], 99.0))
    told = [
        event("start", "mine"), event("finish", "mine"), event("start", "a", name="x\x1b[2J:1"), event("start", "a"), event("start", "b"),
        event("finish", "a", image="sha256:1"), event("fail", "a"), event("fail", "b", error="line\n\x1b[31mon line 3"),
        event("prune", ""), event("finish", "c"),
    ]  # fmt: skip
    assert [builds.take_event(one) for one in told] == [False, False, True, True, True, True, False, True, False, False]
    assert [(one.title, one.state, one.image, one.error, one.words) for one in builds] == [
        ("without a name", State.FAILED, "", "lineon line 3", []), ("x:1", State.DONE, "sha256:1", "", []),
        ("app", State.RUNNING, "", "", ["."]),
    ]  # fmt: skip


def fields(**given: str) -> dict[str, str]:
    return {one.id: given.get(one.id, "") for one in draft.FIELDS}


def test_the_form_makes_the_line_and_comes_of_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "other file").write_text("FROM scratch\n")
    written = fields(
        folder=str(tmp_path), dockerfile=f"{tmp_path}/other file", tags="a:1 b", target="t", arguments="A=1 'B=two words'",
        platforms="linux/amd64", no_cache="yes", more="--pull --label x=y",
    )  # fmt: skip
    made = draft.words(written)
    assert draft.tell(written, read_build) == (
        f"moby build --file '{tmp_path}/other file' --tag a:1 --tag b --target t --build-arg A=1 --build-arg 'B=two words' "
        f"--platform linux/amd64 --no-cache --pull --label x=y {tmp_path}",
        "",
    )
    assert draft.draft(made) == written
    request = draft.read(written, read_build)
    asked = request.open().options
    assert (request.tags, asked.live, asked.no_cache, asked.pull) == (("a:1", "b"), True, True, True)
    assert (asked.dockerfile, asked.build_args, asked.labels) == ("other file", {"A": "1", "B": "two words"}, {"x": "y"})


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (fields(), "a folder is needed: the build context"),
        (fields(folder="--pull"), "--pull is no folder: options stand in the line of further options"),
        (fields(folder="/nowhere\x1b[2J"), "build context /nowhere is neither a directory, a tar file nor an address"),
        (fields(folder="/proc"), "no such Dockerfile: /proc/Dockerfile"),
        (fields(folder="-"), "- is no folder: options stand in the line of further options"),
        (fields(folder="/proc", dockerfile="-"), "the dashboard has no standard input to build from: name a folder, a file or an address"),
        (fields(folder="/proc", tags="'a"), "Tags: no closing quotation; quote as in a shell"),
        (fields(folder="/proc", more="--label"), "Missing argument 'PATH|URL|-'"),
        (fields(folder="/proc", more="stray"), "Got unexpected extra argument"),
        (fields(folder="/proc", more="-o out"), "-o is for the command line: here the build is shown, and makes an image"),
        (fields(folder="/proc", more="--debug"), "--debug is for the command line: here the build is shown, and makes an image"),
        (fields(folder="/proc", more="--cache-to type=local,dest=x"), "--cache-to type=local is for the command line: name a registry"),
        (fields(folder="/proc", more="--secret id=a,src=/nowhere"), "/nowhere"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_form_is_told_in_one_line(written: dict[str, str], wrong: str) -> None:
    told = draft.tell(written, read_build)[1]
    assert wrong in told and "\n" not in told and told.isprintable()


def test_without_the_command_line_a_build_is_refused() -> None:
    from moby_tui.screens.building.request import no_reader

    with pytest.raises(InvalidArgument, match="use moby tui"):
        no_reader(["."])


def test_paths_are_completed(tmp_path: Path) -> None:
    for name in ("Dockerfile", "Dockerfile.dev", ".hidden", "bad\x1b[2J"):
        (tmp_path / name).touch()
    (tmp_path / "app").mkdir()
    begin = f"{tmp_path}/"
    assert [complete(begin + said) for said in ("D", "a", "", ".h", "x", "b", "Dockerfile.")] == [
        f"{begin}Dockerfile", f"{begin}app/", f"{begin}Dockerfile", f"{begin}.hidden", None, None, f"{begin}Dockerfile.dev",
    ]  # fmt: skip
    assert complete("") is None and complete("/nowhere/x") is None

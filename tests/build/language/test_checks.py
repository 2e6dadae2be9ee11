"""The checks of a Dockerfile: https://docs.docker.com/reference/build-checks/"""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.building import Build, build
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.builder.checks import directive
from moby_tui.engine.resources.builder.checks.finding import Finding, shown
from moby_tui.engine.resources.builder.graph.dispatch import Build as Checked
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.patterns import Ignore
from moby_tui.schema.build import BuildOptions

ENVIRONMENTS = {"base": {"PATH", "FROM_BASE"}}


def found(text: str, ignore: str = "", **build_args: str) -> list[tuple[int, str, str]]:
    checked = Checked(textwrap.dedent(text).lstrip().encode(), BuildOptions(build_args=build_args, check=True))
    findings = checked.findings(ENVIRONMENTS.get, Ignore(ignore) if ignore else None)
    return [(each.line, each.rule, each.text) for each in findings]


ALL = "# check=experimental=all\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM base AS Build\n", [(1, "StageNameCasing", "Stage name 'Build' should be lowercase")]),
        ("FROM base as b\n", [(1, "FromAsCasing", "'as' and 'FROM' keywords' casing do not match")]),
        ("from base AS b\n", [(1, "FromAsCasing", "'AS' and 'from' keywords' casing do not match")]),
        ("from base as b\n", []),
        ("FROM base\nRUN a \\\n\n  b\n", [(4, "NoEmptyContinuation", "Empty continuation line")]),
        ("FROM base\nRUN a \\\n # comment\n  b\n", []),
        (
            "FROM base\nrun x\nRUN y\n",
            [(2, "ConsistentInstructionCasing", "Command 'run' should match the case of the command majority (uppercase)")],
        ),
        (
            "from base\nrun x\nRUN y\n",
            [(3, "ConsistentInstructionCasing", "Command 'RUN' should match the case of the command majority (lowercase)")],
        ),
        (
            "FROM base\nRun x\n",
            [(2, "ConsistentInstructionCasing", "Command 'Run' should match the case of the command majority (uppercase)")],
        ),
        (
            "FROM base AS a\nFROM base AS a\n",
            [(2, "DuplicateStageName", 'Duplicate stage name "a", stage names should be unique')],
        ),
        (
            "FROM base AS scratch\n",
            [(1, "ReservedStageName", 'Stage name should not use the same name as reserved stage "scratch"')],
        ),
        (
            "FROM base\nCMD x\nENTRYPOINT [not json]\n",
            [
                (
                    2,
                    "JSONArgsRecommended",
                    "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
                ),
                (
                    3,
                    "JSONArgsRecommended",
                    "JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
                ),
            ],
        ),
        ('FROM base\nSHELL ["/bin/sh"]\nCMD x\n', []),
        ('FROM base\nCMD ["x"]\nENTRYPOINT []\n', []),
        (
            "FROM base\nMAINTAINER me\n",
            [(2, "MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label")],
        ),
        (
            "ARG VERSION=1\nFROM base:${VERSIN}\n",
            [
                (
                    2,
                    "InvalidDefaultArgInFrom",
                    "Default value for ARG base:${VERSIN} results in empty or invalid base image name",
                ),
                (2, "UndefinedArgInFrom", "FROM argument 'VERSIN' is not declared (did you mean VERSION?)"),
            ],
        ),
        ("ARG V=1\nFROM base:$V\nFROM --platform=$BUILDPLATFORM base\n", []),
        ("ARG V\nFROM base:${V:-latest}\n", []),
        (
            "ARG V\nFROM base:$V\n",
            [(2, "InvalidDefaultArgInFrom", "Default value for ARG base:$V results in empty or invalid base image name")],
        ),
        (
            "FROM base\nWORKDIR app\nWORKDIR more\n",
            [(2, "WorkdirRelativePath", 'Relative workdir "app" can have unexpected results if the base image changes')],
        ),
        ("FROM base AS a\nWORKDIR /app\nFROM a\nWORKDIR more\n", []),
        ("FROM base\nARG D\nWORKDIR $D\n", []),
        (
            "FROM base\nENV FOO=bar\nCOPY $FO .\n",
            [(3, "UndefinedVar", "Usage of undefined variable '$FO' (did you mean $FOO?)")],
        ),
        ("FROM base\nENV A=$FROM_BASE B=${X:-y} C=${X:+y} D='$X' E=\\$X\nLABEL l=$PATH\nUSER $A\n", []),
        ("FROM elsewhere\nENV A=$ANYTHING\n", []),
        ("FROM scratch\nENV A=$FROM_BASE\n", [(2, "UndefinedVar", "Usage of undefined variable '$FROM_BASE'")]),
        ("FROM base AS a\nARG X\nENV Y=$X\nFROM a\nLABEL y=$Y x=$X\n", []),
        ("ARG G=1\nFROM base\nLABEL a=$G\n", [(3, "UndefinedVar", "Usage of undefined variable '$G'")]),
        ('FROM base\nRUN echo $ANY\nCMD ["$ANY"]\nCOPY <<E /x\n$X\nE\n', []),
        (
            'FROM base\nCMD ["a"]\nHEALTHCHECK NONE\nCMD ["b"]\nFROM base\nCMD ["c"]\n',
            [
                (
                    2,
                    "MultipleInstructionsDisallowed",
                    "Multiple CMD instructions should not be used in the same stage because only the last one will be used",
                )
            ],
        ),
        (
            "FROM base\nENV a b\nLABEL c d\n",
            [
                (2, "LegacyKeyValueFormat", '"ENV key=value" should be used instead of legacy "ENV key value" format'),
                (3, "LegacyKeyValueFormat", '"LABEL key=value" should be used instead of legacy "LABEL key value" format'),
            ],
        ),
        (
            "FROM --platform=$TARGETPLATFORM base\n",
            [
                (
                    1,
                    "RedundantTargetPlatform",
                    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
                )
            ],
        ),
        (
            "FROM --platform=linux/amd64 base\nFROM --platform=linux/amd64 base AS for-amd64\n",
            [(1, "FromPlatformFlagConstDisallowed", 'FROM --platform flag should not use constant value "linux/amd64"')],
        ),
        (
            "FROM base\nARG API_TOKEN PUBLIC_KEY MONKEY\nENV auth=1 PASSWORD_FILE=/x\n",
            [
                (2, "SecretsUsedInArgOrEnv", 'Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")'),
                (3, "SecretsUsedInArgOrEnv", 'Do not use ARG or ENV instructions for sensitive data (ENV "auth")'),
            ],
        ),
        (
            "FROM base\nEXPOSE 80/TCP 53/udp\nEXPOSE 127.0.0.1:80:8080 81:81\n",
            [
                (2, "ExposeProtoCasing", "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase"),
                (
                    3,
                    "ExposeInvalidFormat",
                    "EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:8080'",
                ),
                (
                    3,
                    "ExposeInvalidFormat",
                    "EXPOSE instruction should not define an IP address or host-port mapping, found '81:81'",
                ),
            ],
        ),
        ("# about it\nFROM base AS a\n# nothing\n\nARG x\n", []),
        (
            ALL + "# about it\nFROM base AS a\n# hello\nARG x y\n",
            [
                (3, "InvalidDefinitionDescription", "Comment for FROM should follow the format: `# a <description>`"),
                (5, "InvalidDefinitionDescription", "Comment for ARG should follow the format: `# <arg_key> <description>`"),
            ],
        ),
        (ALL + "# a is it\nFROM base AS a\n# no description\n\nARG x\n# none\n#\nARG y\n# z last\nARG z\n# any\nRUN x\n", []),
        ("# check=skip=all\nFROM base as B\nMAINTAINER x\n", []),
        (
            "# check=skip=StageNameCasing, maintainerdeprecated\nFROM base as B\nMAINTAINER x\n",
            [(2, "FromAsCasing", "'as' and 'FROM' keywords' casing do not match")],
        ),
    ],
)
def test_what_is_found(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert found(text) == expected


def test_files_that_are_left_out() -> None:
    text = f"{ALL}FROM base\nCOPY a.log b /x/\nADD ./logs/ /y\nCOPY --from=base a.log /z\n"
    assert found(text, "*.log\nlogs\n") == [
        (3, "CopyIgnoredFile", 'Attempting to Copy file "a.log" that is excluded by .dockerignore'),
        (4, "CopyIgnoredFile", 'Attempting to Add file "logs" that is excluded by .dockerignore'),
    ]
    assert found(text, "*.log\n!a.log\n") == []


def test_the_build_argument_goes_before_the_directive() -> None:
    text = "# check=skip=all\nFROM base AS B\n"
    assert found(text) == []
    assert [rule for _, rule, _ in found(text, BUILDKIT_DOCKERFILE_CHECK="error=true")] == ["StageNameCasing"]


@pytest.mark.parametrize("text", ["skip", "skp=all", "error=maybe", "=x", "skip=a;nonsense"])
def test_directives_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid check option"):
        directive.read(text)


def test_addresses() -> None:
    assert Finding(1, "JSONArgsRecommended", "").address.endswith("/json-args-recommended/")
    assert Finding(1, "SecretsUsedInArgOrEnv", "").address.endswith("/secrets-used-in-arg-or-env/")


@given(
    st.lists(st.sampled_from(["ARG", "ENV", "LABEL", "COPY", "EXPOSE", "WORKDIR", "CMD", "from x as", "RUN"]), max_size=5),
    st.text(alphabet="ab $={}:-[]\"',/\\#\n<", max_size=40),
)
def test_any_file_is_checked_or_refused(names: list[str], text: str) -> None:
    try:
        found("FROM base\n" + "\n".join(f"{name} {text}" for name in names))
    except MobyError:
        return


async def test_warnings_are_shown_after_a_build(engine: Engine, busybox: str) -> None:
    done = await build(engine, f"FROM {busybox} AS B\nRUN true\nENV A=$NONE\n")
    assert done.id
    shown = done.text[done.text.index("\nWARNING") :]
    assert "WARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/\n" in shown
    assert "Usage of undefined variable '$NONE'\n\nDockerfile:3\n--------------------\n   1 |     FROM" in shown
    assert shown.index("StageNameCasing") < shown.index("UndefinedVar") < shown.index("Successfully built")


async def test_they_fail_a_build_where_that_is_asked(engine: Engine, busybox: str) -> None:
    told = ""
    with pytest.raises(MobyError, match="1 warning found: lint violation found for rules: StageNameCasing"):
        async for line in Build(engine, f"# check=error=true\nFROM {busybox} AS B\nRUN exit 9\n", {}).lines():
            told += line.stream or ""
    assert "Step" not in told and "   2 | >>> FROM" in told


def test_checks_at_the_command_line(
    cli: Callable[..., subprocess.CompletedProcess[str]], busybox_archive: Path, tmp_path: Path
) -> None:
    cli("load", "-q", "-i", str(busybox_archive))
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN exit 9\n")
    assert cli("build", "--check", str(tmp_path)).stdout == "Check complete, no warnings found.\n"
    (tmp_path / "Dockerfile").write_text("FROM busybox AS B\nRUN exit 9\nCMD x\n")
    done = cli("build", "--check", str(tmp_path), check=False)
    assert done.returncode == 1 and "check complete, 2 warnings found" in done.stderr
    assert "StageNameCasing" in done.stdout and "   3 | >>> CMD x" in done.stdout


def test_of_very_many_the_first_are_shown() -> None:
    text = "FROM base\n" + "ENV A=$B\n" * 200
    told = shown([Finding(line, "UndefinedVar", "x") for line in range(2, 202)], "Dockerfile", text.encode())
    assert told.count("WARNING") == 100 and told.endswith("\n100 more warnings\n")


def test_checks_take_no_time_that_grows() -> None:
    names = " ".join(f"V{number}=$W{number}" for number in range(4000))
    assert len(found(f"FROM base\nENV {names}\nENV {names}\n")) == 8000
    parsed = found("FROM base\nRUN " + "--mount=type=cache,target=/x " * 50000 + "true\nCOPY " + "a " * 200000 + "/x/\n")
    assert parsed == []

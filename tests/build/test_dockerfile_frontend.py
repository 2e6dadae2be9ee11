"""What BuildKit's Dockerfile language adds: here-documents, mounts of RUN, triggers, health checks, archives and downloads of ADD."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from build.building import Build, build, run
from images_data import sha256
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.builder.execution import mounts
from moby_tui.engine.resources.builder.step import StepFailed
from moby_tui.engine.resources.dockerfile import shell_words
from moby_tui.engine.resources.dockerfile.parser import parse
from moby_tui.errors import InvalidArgument, MobyError, NotFound


@pytest.fixture(autouse=True)
def _image(busybox: str) -> None:
    """Every one builds upon it."""


DOCUMENTS = r"""FROM busybox
ARG WHO=me
RUN <<EOF
set -e
echo "one $WHO" > /one
# no comment of the Dockerfile
echo two \
  more > /two
EOF
RUN cat > /three <<-END && echo after > /four
	by $WHO
	END
RUN <<'SCRIPT'
#!/bin/sh -e
echo "$0" > /five
SCRIPT
COPY <<plain.txt <<"quoted.txt" /docs/
$WHO has "quotes" and \$5
plain.txt
$WHO
quoted.txt
COPY --chmod=600 <<EOF /single
x
EOF
"""


async def test_here_documents(engine: Engine) -> None:
    await build(engine, DOCUMENTS, tags=["t"])
    script = "cat /one /two /three /four /five /docs/plain.txt /docs/quoted.txt /single; stat -c %a /single; ls /dev/pipes"
    code, out = await run(engine, "t", ["sh", "-c", script])
    assert out.splitlines() == [
        *("one me", "two more", "by me", "after", "/dev/pipes/SCRIPT"),
        *('me has "quotes" and $5', "$WHO", "x", "600"),
    ]
    assert code != 0, "the folder of scripts is not in the image"


def test_here_documents_that_are_none() -> None:
    assert parse(b'FROM x\nRUN ["sh", "-c", "cat <<EOF"]\n').instructions[1].documents == []
    assert parse(b"FROM x\nRUN echo 1<<2 it's\n").instructions[1].documents == []
    assert parse(b"FROM x\nENV A=<<EOF\n").instructions[1].documents == []
    with pytest.raises(InvalidArgument, match="unterminated heredoc: no line EOF"):
        parse(b"FROM x\nRUN <<EOF\ntrue\n")


async def test_a_cache_outlives_the_build_and_stays_out_of_the_image(engine: Engine) -> None:
    text = """
    FROM busybox
    ARG N
    RUN --mount=type=cache,target=/var/cache/x,mode=700,uid=5 \\
        stat -c '%a %u' /var/cache/x; echo $N >> /var/cache/x/seen; cp /var/cache/x/seen /
    """
    await build(engine, text, build_args={"N": "1"})
    done = await build(engine, text, build_args={"N": "2"}, tags=["t"])
    assert "700 5\n" in done.text
    _, out = await run(engine, "t", ["sh", "-c", "cat /seen; ls /var/cache"])
    assert out == "1\n2\n"


@pytest.mark.parametrize("sharing", ["shared", "private", "locked"])
async def test_how_a_cache_is_shared(engine: Engine, sharing: str) -> None:
    text = f"FROM busybox\nRUN --mount=type=cache,id=c,sharing={sharing},target=/c echo x >> /c/f; cp /c/f /f\n"
    await build(engine, text, tags=["t"])
    assert (await run(engine, "t", ["cat", "/f"]))[1] == "x\n"


async def test_parts_of_the_context_and_of_stages_are_mounted(engine: Engine) -> None:
    files = {"folder/a": b"from the context", "one": b"a file"}
    text = """
    FROM busybox AS other
    RUN mkdir -p /made/deep && echo built > /made/deep/f
    FROM busybox
    WORKDIR /w
    RUN --mount=source=folder,target=ctx --mount=type=bind,from=other,src=/made,dst=/made,ro --mount=target=/f,source=one \\
        cat ctx/a /made/deep/f /f > /got; touch ctx/x || echo refused >> /got
    RUN --mount=type=bind,target=. cat folder/a > /whole
    """
    await build(engine, text, files, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cat /got; cat /whole; ls /w /made 2>&1"])
    assert out.startswith("from the contextbuilt\na filerefused\nfrom the context")
    again = await build(engine, text, files)
    assert again.text.count("Using cache") == 4
    changed = await build(engine, text, files | {"folder/a": b"other"})
    assert changed.text.count("Using cache") == 2


async def test_temporary_memory_and_no_network(engine: Engine) -> None:
    text = """
    FROM busybox
    RUN --mount=type=tmpfs,target=/t,size=1m --network=none \\
        df -k /t | tail -1 | tr -s ' ' > /size; ifconfig -a | grep -c eth0 > /links; echo > /t/x
    """
    await build(engine, text, tags=["t"])
    _, out = await run(engine, "t", ["cat", "/size", "/links"])
    assert "1024" in out.splitlines()[0] and out.splitlines()[1] == "0"
    with pytest.raises(InvalidArgument, match=r'line 2: invalid network mode "nown" \(did you mean none\?\)'):
        await build(engine, "FROM busybox\nRUN --network=nown true\n")


async def test_secrets_are_seen_and_not_kept(engine: Engine) -> None:
    text = """
    FROM busybox
    RUN --mount=type=secret,id=token cat /run/secrets/token > /seen; stat -c %a /run/secrets/token >> /seen
    RUN --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=token,target=/root/t,mode=444 \\
        echo $TOKEN >> /seen; stat -c %a /root/t >> /seen
    RUN --mount=type=secret,id=absent ls /run/secrets/absent || echo none >> /seen
    """
    await build(engine, text, secrets={"token": b"hidden"}, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cat /seen; ls /run/secrets /root"])
    assert out.startswith("hidden400\nhidden\n444\nnone\n") and "token" not in out
    for entry in (await engine.images.history("t"))[:4]:
        assert "hidden" not in entry.created_by
    assert list((engine.paths.exec_root / "build").iterdir()) == []
    with pytest.raises(NotFound, match="secret other: not found; give it with --secret id=other"):
        await build(engine, "FROM busybox\nRUN --mount=type=secret,id=other,required true\n")


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("type=cahce,target=/x", InvalidArgument, r'unsupported mount type "cahce" \(did you mean cache\?\)'),
        ("type=cache", InvalidArgument, "invalid mount target"),
        ("type=cache,target=/", InvalidArgument, "invalid mount target"),
        ("type=cache,target=/proc/x", InvalidArgument, "invalid mount target"),
        ("type=cache,target=/x,sharing=mine", InvalidArgument, "unsupported sharing value"),
        ("type=cache,target=/x,colour=red", InvalidArgument, "unexpected key 'colour'"),
        ("type=tmpfs,target=/x,size=much", InvalidArgument, "invalid value for size: much"),
        ("type=secret", InvalidArgument, "one of source, target required"),
        ("type=bind,source=none,target=/x", InvalidArgument, "none"),
        ("type=bind,source=../../etc,target=/x", InvalidArgument, "etc"),
        ("target", InvalidArgument, "must be a key=value pair"),
        ("type=ssh,required", NotFound, "ssh agent default: not found; forward it with --ssh default"),
        ("type=bind,target=/x,rw=maybe", InvalidArgument, "it is true or false"),
    ],
)
async def test_mounts_that_cannot_be(engine: Engine, text: str, kind: type[MobyError], said: str) -> None:
    with pytest.raises(kind, match=rf"{said}.*\(Dockerfile line 2\)"):
        await build(engine, f"FROM busybox\nRUN --mount={text} true\n")


async def test_a_link_in_the_context_leads_a_mount_nowhere(engine: Engine) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
        text = b"FROM busybox\nRUN --mount=source=link,target=/x ls /x\n"
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    with pytest.raises(InvalidArgument, match=r"to mount: no such file"):
        await Build(engine, "", {}, raw=buffer.getvalue()).done()


async def test_triggers_run_in_the_next_build_and_only_there(engine: Engine) -> None:
    base = "FROM busybox\nONBUILD COPY a /a\nONBUILD RUN cat /a > /b\nONBUILD ENV SET=yes\n"
    await build(engine, base, tags=["base"])
    assert (await engine.images.inspect("base")).config.on_build == ["COPY a /a", "RUN cat /a > /b", "ENV SET=yes"]
    done = await build(engine, "FROM base\nRUN echo $SET >> /b\n", {"a": b"word "}, tags=["t"])
    assert "# Executing 3 build triggers" in done.text
    assert (await run(engine, "t", ["cat", "/b"]))[1] == "word yes\n"
    assert not (await engine.images.inspect("t")).config.on_build
    for wrong in ("FROM x", "ONBUILD RUN true", "MAINTAINER me"):
        with pytest.raises(InvalidArgument, match=r"Chaining|isn't allowed as an ONBUILD trigger|unknown instruction"):
            await build(engine, f"FROM busybox\nONBUILD {wrong}\n")
    # an unknown one is told by the build that meets it
    await build(engine, "FROM busybox\nONBUILD NONSENSE\n", tags=["odd"])
    with pytest.raises(InvalidArgument, match="unknown instruction: NONSENSE"):
        await build(engine, "FROM odd\n")


async def test_health_checks(engine: Engine) -> None:
    text = "FROM busybox\nHEALTHCHECK --interval=1m30s --timeout=3s --start-period=1.5s --retries=2 CMD wget -q localhost || exit 1\n"
    await build(engine, text, tags=["t"])
    found = (await engine.images.inspect("t")).config.healthcheck
    assert found is not None and found.test == ["CMD-SHELL", "wget -q localhost || exit 1"]
    assert (found.interval, found.timeout, found.start_period, found.retries) == (90 * 10**9, 3 * 10**9, 15 * 10**8, 2)
    await build(engine, 'FROM t\nHEALTHCHECK CMD ["true"]\n', tags=["u"])
    found = (await engine.images.inspect("u")).config.healthcheck
    assert found is not None and found.test == ["CMD", "true"]
    await build(engine, "FROM t\nHEALTHCHECK NONE\n", tags=["v"])
    found = (await engine.images.inspect("v")).config.healthcheck
    assert found is not None and found.test == ["NONE"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NONE x", "takes no arguments"),
        ("RUN x", "try CMD"),
        ("CMD", "Missing command"),
        ("--interval=1 CMD x", "missing unit in duration"),
        ("--interval=1us CMD x", "less than 1ms"),
        ("--retries=x CMD x", "is a number"),
    ],
)
async def test_health_checks_that_cannot_be(engine: Engine, text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        await build(engine, f"FROM busybox\nHEALTHCHECK {text}\n")


async def test_add_unpacks_archives(engine: Engine) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in (("inner/a", b"A"), ("b", b"B")):
            member = tarfile.TarInfo(name)
            member.size, member.uid, member.mode = len(data), 7, 0o640
            tar.addfile(member, io.BytesIO(data))
    files = {"x.tar.gz": packed.getvalue(), "plain": b"P"}
    await build(engine, "FROM busybox\nADD x.tar.gz plain /opt/\nCOPY x.tar.gz /kept\n", files, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cat /opt/inner/a /opt/b /opt/plain; stat -c ' %u %a' /opt/b; wc -c < /kept"])
    assert out.splitlines() == ["ABP 7 640", str(len(packed.getvalue()))]
    await build(engine, "FROM scratch\nADD x.tar.gz /\n", files, tags=["s"])


async def test_add_fetches_and_verifies(engine: Engine) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path.endswith("gone"):
            return web.Response(status=404)
        return web.Response(body=b"from afar", headers={"Last-Modified": "Sun, 04 Feb 2001 05:06:07 GMT"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    at = f"http://127.0.0.1:{runner.addresses[0][1]}"
    right = sha256(b"from afar")
    try:
        text = f"FROM busybox\nADD {at}/d/file%20one?x=1 /got/\nADD --checksum={right} --chmod=644 {at}/other /as\n"
        await build(engine, text, tags=["t"])
        script = "cat '/got/file one' /as; stat -c ' %a' '/got/file one' /as; date -r /as +%Y"
        _, out = await run(engine, "t", ["sh", "-c", script])
        assert out.splitlines() == ["from afarfrom afar 600", " 644", "2001"]
        for line, kind, said in (
            (f"ADD --checksum=sha256:{'0' * 64} {at}/x /y", MobyError, "digest mismatch"),
            (f"ADD --checksum=md5:1 {at}/x /y", InvalidArgument, "invalid checksum"),
            (f"ADD --checksum={right} Dockerfile /y", InvalidArgument, "anything but one HTTP or Git source"),
            (f"ADD {at}/gone /y", NotFound, "answers 404"),
            (f"ADD {at}/ /y/", InvalidArgument, "cannot determine filename"),
        ):
            with pytest.raises(kind, match=said):
                await build(engine, f"FROM busybox\n{line}\n")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${v#a*/}", "b/c.tar.gz"),
        ("${v##*/}", "c.tar.gz"),
        ("${v%.*}", "a/b/c.tar"),
        ("${v%%.*}", "a/b/c"),
        ("${v/b/x}", "a/x/c.tar.gz"),
        ("${v//[/]/x}", "a/b/c.tar.gz"),
        ("${v//./_}", "a/b/c_tar_gz"),
        ("${v/a?b}", "/c.tar.gz"),
        ("${v#none}", "a/b/c.tar.gz"),
        ("${none#x}", ""),
    ],
)
def test_substitutions(text: str, expected: str) -> None:
    assert shell_words.expand(text, {"v": "a/b/c.tar.gz"}, "\\") == expected


async def test_a_step_that_fails_lets_go_of_its_mounts(engine: Engine) -> None:
    with pytest.raises(StepFailed):
        await build(engine, "FROM busybox\nRUN --mount=type=cache,target=/c,sharing=locked exit 3\n")
    await build(engine, "FROM busybox\nRUN --mount=type=cache,target=/c,sharing=locked true\n")


def test_a_mount_is_read_as_buildkit_does() -> None:
    found = mounts.read("dst=x,src=/a,ro", "/w")
    assert (found.kind, found.target, found.options["source"], found.flag("rw")) == ("bind", "/w/x", "/a", False)
    values: dict[str, Any] = mounts.read("type=secret,target=/etc/key", "/").options
    assert values["id"] == "key"


def test_secrets_at_the_command_line(
    cli: Callable[..., subprocess.CompletedProcess[str]], busybox_archive: Path, tmp_path: Path
) -> None:
    cli("load", "-q", "-i", str(busybox_archive))
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nRUN --mount=type=secret,id=a cat /run/secrets/a > /a\nRUN --mount=type=secret,id=B,env=B echo -n $B > /b\n"
    )
    (tmp_path / "word").write_text("from a file")
    environment = {"B": "from a variable"}
    cli("build", "-t", "t", "--secret", f"id=a,src={tmp_path}/word", "--secret", "id=B", str(tmp_path), env=environment)
    assert cli("run", "--rm", "--network", "none", "t", "cat", "/a", "/b").stdout == "from a filefrom a variable"
    for wrong, said in (
        ("src=x", "write --secret id=NAME"),
        ("id=x,src=/none", "no such file"),
        ("id=x,env=NONE", "the variable NONE is not set"),
        ("id=x,colour=red", "write --secret"),
    ):
        done = cli("build", "--secret", wrong, str(tmp_path), check=False)
        assert done.returncode == 1 and said in done.stderr


async def test_only_what_the_target_needs_is_made_and_told_in_order(engine: Engine) -> None:
    text = """
    FROM busybox AS unneeded
    ARG ONLY=x
    RUN exit 9
    FROM busybox AS one
    RUN sleep 0.3; echo first > /one
    FROM busybox AS two
    RUN echo second > /two; echo said by two
    FROM busybox
    COPY --from=one /one /
    RUN --mount=from=two,source=/two,target=/two cp /two /copied
    """
    done = await build(engine, text, tags=["t"], build_args={"ONLY": "y"})
    assert (await run(engine, "t", ["cat", "/one", "/copied"]))[1] == "first\nsecond\n"
    steps = [line.partition(" : ")[0] for line in done.text.splitlines() if line.startswith("Step ")]
    assert steps == [f"Step {number}/7" for number in range(1, 8)]
    assert done.text.index("Step 2/7") < done.text.index("said by two")
    assert "not consumed" not in done.text
    assert "exit 9" not in done.text


async def test_stages_that_do_not_need_each_other_are_made_at_once(engine: Engine) -> None:
    """Each waits for the other: one after the other they would never end."""
    meet = "touch /m/{own}; for i in $(seq 100); do [ -e /m/{other} ] && exit 0; sleep 0.1; done; exit 1"
    wait = f"RUN --mount=type=cache,id=meet,target=/m {meet}"
    text = f"FROM busybox AS a\n{wait.format(own='a', other='b')}\nFROM busybox AS b\n{wait.format(own='b', other='a')}\n"
    await build(engine, f"{text}FROM busybox\nCOPY --from=a /bin /a\nCOPY --from=b /bin /b\n")


async def test_a_stage_that_fails_ends_the_others(engine: Engine) -> None:
    stages = "FROM busybox AS slow\nRUN sleep 60\nFROM busybox AS bad\nRUN echo reason; exit 4\n"
    text = f"{stages}FROM busybox\nCOPY --from=slow /x /\nCOPY --from=bad /x /\n"
    told = ""
    with pytest.raises(StepFailed) as caught:
        async for line in Build(engine, text, {}).lines():
            told += line.stream or ""
    assert caught.value.exit_code == 4 and "reason" in told
    with pytest.raises(InvalidArgument) as wrong:
        await build(engine, "FROM busybox AS a\nCOPY nothing /\nFROM a\nRUN true\n")
    assert wrong.value.message.count("Dockerfile line") == 1


async def test_the_cache_is_pruned_but_for_what_is_in_use(engine: Engine) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c,sharing=locked head -c 100000 /dev/zero > /c/f; echo made\nENV A=b\n"
    await build(engine, text, tags=["t"])
    await build(engine, "FROM busybox\nRUN echo other > /other\n")
    other = await engine.images.list()
    await engine.images.prune()
    assert len(await engine.images.list()) == len(other) - 1
    assert (await engine.builder.prune(filters={"until": ["24h"]})).caches_deleted == []
    pruned = await engine.builder.prune()
    assert pruned.space_reclaimed > 100000 and len(pruned.caches_deleted or []) == 2
    assert "Using cache" in (await build(engine, text)).text
    everything = await engine.builder.prune(all=True)
    assert len(everything.caches_deleted or []) == 2
    assert "Using cache" not in (await build(engine, text)).text
    with pytest.raises(InvalidArgument, match="invalid filter 'label'"):
        await engine.builder.prune(filters={"label": ["x"]})


async def test_what_of_the_cache_is_pruned_is_chosen_by_id_type_and_description(engine: Engine) -> None:
    await build(engine, "FROM busybox\nRUN --mount=type=cache,target=/c echo a > /c/f; echo a > /a\nRUN echo b > /b\n")
    entries = (await engine.system.disk_usage()).build_cache
    [mount] = [entry.id for entry in entries if entry.type == "exec.cachemount"]
    [first, second] = [entry for entry in entries if entry.type == "regular"]

    async def pruned(**filters: str) -> list[str] | None:
        return (await engine.builder.prune(all=True, filters={name: [value] for name, value in filters.items()})).caches_deleted

    assert await pruned(type="nosuch") == await pruned(id="^nosuch") == await pruned(description="RUN") == []
    assert await pruned(type="regular", id=f"^{mount}$") == []
    assert await pruned(type="exec.cachemount") == [mount]
    assert await pruned(description=first.description) == [first.id]
    assert await pruned(id=second.id[:20]) == [second.id]
    with pytest.raises(InvalidArgument, match="invalid filter 'id'"):
        await pruned(id="(")


async def test_a_cache_that_a_build_uses_is_not_pruned(engine: Engine) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c touch /c/f; echo ready; sleep 1; ls /c/f\n"
    pruned = None
    async for line in Build(engine, text, {}).lines():
        if line.stream == "ready\n":
            pruned = await engine.builder.prune(all=True)
    assert pruned is not None and pruned.caches_deleted == []


@pytest.mark.parametrize("wrong", ["COPPY a /", "COPY nothing /", "RUN exit 3"])
async def test_what_is_wrong_is_shown_with_its_neighbours(engine: Engine, wrong: str) -> None:
    told = ""
    with pytest.raises(MobyError):
        async for line in Build(engine, f"FROM busybox\n# one\n\n{wrong}\nRUN true\nCMD x\nENV a=b\n", {}).lines():
            told += line.stream or ""
    assert told.endswith(
        "Dockerfile:4\n--------------------\n   2 |     # one\n   3 |     \n"
        f"   4 | >>> {wrong}\n   5 |     RUN true\n   6 |     CMD x\n--------------------\n"
    )


async def test_copies_that_leave_out_and_that_keep_folders(engine: Engine) -> None:
    files = {name: name.encode() for name in ("src/a.py", "src/a.txt", "src/deep/b.py", "src/deep/c.txt", "top.txt", "top.py")}
    text = """
    FROM busybox
    COPY --exclude=**/*.txt --exclude=deep src /one
    COPY --exclude=*.txt top.* /two/
    COPY --parents src/deep/b.py src/a.* /three/
    COPY --parents src/./deep top.py /four/
    """
    await build(engine, text, files, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cd /; find one two three four -type f | sort"])
    assert out.split() == [
        *("four/deep/b.py", "four/deep/c.txt", "four/top.py"),
        *("one/a.py", "three/src/a.py", "three/src/a.txt", "three/src/deep/b.py", "two/top.py"),
    ]
    same = await build(engine, text, files | {"src/a.txt": b"other"})
    assert same.text.count("Using cache") == 2, "what is left out changes nothing"

"""Images are really built: commands run in containers, files are copied, the result runs."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from build.building import Build, build, context, run
from moby_tui.engine.engine import Engine
from moby_tui.engine.store.paths import Paths
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument, MobyError, NotFound, NotImplementedYet

#: The image has no users of its own.
ACCOUNTS = {"passwd": b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n", "group": b"root:x:0:\nwheel:x:10:user\n"}

pytestmark = pytest.mark.usefixtures("busybox")


def left_behind(paths: Paths) -> list[str]:
    return [*os.listdir(paths.staging), *os.listdir(paths.data_root / "containers"), *os.listdir(paths.exec_root / "containers")]


def layers(paths: Paths) -> set[str]:
    return set(os.listdir(paths.layers))


async def test_the_result_runs_as_the_dockerfile_says(engine: Engine) -> None:
    done = await build(
        engine,
        """
        ARG GREETING=hello
        FROM busybox AS base
        ARG GREETING
        ENV NAME=world OTHER="two words"
        WORKDIR /app/${NAME}
        COPY passwd group /etc/
        COPY --chown=user:wheel --chmod=750 greet.sh ./
        COPY data /data/
        RUN echo "$GREETING, $NAME" > made && ln -s made link ; mkdir -m 700 /secret && \\
            # a comment between
            chown 1000:10 made
        EXPOSE 80 8000-8001/udp
        VOLUME /volume
        LABEL a=b "c d"=e
        STOPSIGNAL SIGINT
        USER user
        ENTRYPOINT ["/bin/sh", "./greet.sh"]
        CMD ["argument"]
        """,
        {"greet.sh": b'cat made; echo "$OTHER $1"; id -u; pwd; cat /data/deep/file\n', "data/deep/file": b"copied\n", **ACCOUNTS},
        tags=["app:1"],
        labels={"from": "caller"},
    )
    assert await run(engine, "app:1") == (0, "hello, world\ntwo words argument\n1000\n/app/world\ncopied\n")
    image = await engine.images.inspect("app:1")
    config = image.config
    assert image.id == done.id
    assert config.labels == {"a": "b", "c d": "e", "from": "caller"}
    assert (config.exposed_ports, config.volumes) == ({"80/tcp": {}, "8000/udp": {}, "8001/udp": {}}, {"/volume": {}})
    assert (config.stop_signal, config.user, config.working_dir) == ("SIGINT", "user", "/app/world")
    code, out = await run(engine, "app:1", entrypoint=["stat", "-c", "%u:%g %a", "greet.sh", "made", "/secret"])
    assert (code, out) == (0, "1000:10 750\n1000:10 644\n0:0 700\n")
    assert left_behind(engine.paths) == []


async def test_the_stream_is_docker_s(engine: Engine) -> None:
    done = await build(engine, "FROM busybox\nRUN echo out; echo err >&2\nCMD x\n", tags=["t", "t:2"])
    lines = done.text.splitlines()
    assert lines[0] == "Step 1/3 : FROM busybox"
    assert lines[1].startswith(" ---> ")
    assert lines[2] == "Step 2/3 : RUN echo out; echo err >&2"
    assert lines[3].startswith(" ---> Running in ")
    assert sorted(lines[4:6]) == ["err", "out"]
    assert lines[6].startswith(" ---> Removed intermediate container ")
    assert lines[8] == "Step 3/3 : CMD x"
    assert lines[-3:] == [f"Successfully built {done.id[7:19]}", "Successfully tagged t:latest", "Successfully tagged t:2"]


async def test_history_and_layers_agree(engine: Engine) -> None:
    await build(engine, "FROM busybox\nENV a=b\nRUN true\nRUN touch /x\nMAINTAINER me\n", tags=["t"])
    base, made = await engine.images.inspect("busybox"), await engine.images.inspect("t")
    assert made.root_fs.layers[:-1] == base.root_fs.layers, "only the step that changed something has a layer"
    history = await engine.images.history("t")
    assert [line.created_by for line in history[:4]] == [
        "/bin/sh -c #(nop)  MAINTAINER me",
        "/bin/sh -c touch /x",
        "/bin/sh -c true",
        "/bin/sh -c #(nop)  ENV a=b",
    ]
    assert made.author == "me"


async def test_a_layer_holds_what_changed_and_no_more(engine: Engine) -> None:
    await build(
        engine,
        "FROM busybox\nRUN mkdir -p /d/keep /d/gone && touch /d/gone/x\n"
        "RUN rm -r /d/gone && mkdir /d/gone && touch /d/gone/y /d/n; rm /bin/yes\n",
        tags=["t"],
    )
    diff_id = (await engine.images.inspect("t")).root_fs.layers[-1]
    diff = engine.paths.layers / diff_id.removeprefix("sha256:") / "diff"
    found = sorted(str(path.relative_to(diff)) for path in diff.rglob("*"))
    assert found == ["bin", "bin/yes", "d", "d/gone", "d/gone/y", "d/n"], "no mount points, whiteouts as overlayfs has them"
    assert stat.S_ISCHR((diff / "bin/yes").lstat().st_mode)
    assert os.getxattr(diff / "d/gone", "trusted.overlay.opaque") == b"y"
    code, out = await run(engine, "t", ["sh", "-c", "ls /d /d/gone; ls /bin/yes"])
    assert out.startswith("/d:\ngone\nkeep\nn\n\n/d/gone:\ny\n")
    assert code != 0


async def test_cache(engine: Engine) -> None:
    text = "FROM busybox\nCOPY a /\nRUN date +%N > /when\nENV x=y\n"
    first = await build(engine, text, {"a": b"1"})
    again = await build(engine, text, {"a": b"1"})
    assert again.id == first.id
    assert again.text.count("Using cache") == 3
    changed = await build(engine, text, {"a": b"2"})
    assert changed.id != first.id
    assert "Using cache" not in changed.text
    anew = await build(engine, text, {"a": b"1"}, no_cache=True)
    assert anew.id != first.id
    assert "Using cache" not in anew.text


async def test_a_build_argument_is_part_of_the_cache_and_not_of_the_image(engine: Engine) -> None:
    text = "FROM busybox\nARG V=1\nARG UNSET\nRUN echo $V $UNSET $HTTP_PROXY > /v\n"
    for value in ("2", "3"):
        done = await build(engine, text, tags=["t"], build_args={"V": value, "HTTP_PROXY": "p", "spare": "x"})
        assert (await run(engine, "t", ["cat", "/v"]))[1] == f"{value} p\n"
    assert "[Warning] One or more build-args [spare] were not consumed" in done.text
    assert "V=3" not in ((await engine.images.inspect("t")).config.env or [])
    assert (await engine.images.history("t"))[0].created_by == "|1 V=3 /bin/sh -c echo $V $UNSET $HTTP_PROXY > /v"


async def test_stages(engine: Engine) -> None:
    text = """
    FROM busybox AS compile
    RUN mkdir -p /out/lib && echo binary > /out/program && ln -s ../program /out/lib/link && echo x > /out/b.txt && echo y > /out/c.txt
    FROM scratch AS Bare
    COPY --from=compile /out/program /program
    FROM busybox AS second
    COPY --from=0 /out /all
    COPY --from=bare program /from-bare
    COPY --from=compile /out/*.txt /text/
    COPY --from=busybox /bin/busybox /copied
    """
    await build(engine, text, tags=["t"])
    code, out = await run(engine, "t", ["sh", "-c", "cat /all/lib/link /from-bare; ls /text; test -s /copied && echo yes"])
    assert (code, out) == (0, "binary\nbinary\nb.txt\nc.txt\nyes\n")
    bare = await build(engine, text, target="bare", tags=["bare"])
    assert "Step 4/4" in bare.text
    assert len((await engine.images.inspect("bare")).root_fs.layers) == 1
    with pytest.raises(InvalidArgument, match=r"failed to reach build target bere in Dockerfile \(did you mean bare\?\)"):
        await build(engine, text, target="bere")


async def test_a_failing_step_leaves_nothing(engine: Engine) -> None:
    before = layers(engine.paths)
    with pytest.raises(MobyError) as caught:
        await build(engine, "FROM busybox\nRUN touch /half && exit 7\nRUN never\n", tags=["t"])
    assert caught.value.message == "The command '/bin/sh -c touch /half && exit 7' returned a non-zero code: 7"
    assert caught.value.exit_code == 7
    assert left_behind(engine.paths) == []
    assert layers(engine.paths) == before
    assert [image.repo_tags for image in await engine.images.list()] == [["busybox:latest"]]
    with pytest.raises(NotFound):
        await engine.images.inspect("t")


async def test_an_abandoned_build_leaves_nothing(engine: Engine) -> None:
    lines = Build(engine, "FROM busybox\nRUN echo started; sleep 1000\n", {}).lines()
    async for line in lines:
        if line.stream and "started" in line.stream and "Step" not in line.stream:
            break
    await lines.aclose()
    assert left_behind(engine.paths) == []


async def test_exec_form_and_shell(engine: Engine) -> None:
    text = """
    FROM busybox
    RUN ["/bin/touch", "/a b"]
    SHELL ["/bin/sh", "-ec"]
    RUN false; touch /not-reached || true
    """
    with pytest.raises(MobyError, match=r"The command '/bin/sh -ec false; touch .*' returned a non-zero code: 1"):
        await build(engine, text)
    done = await build(engine, 'FROM busybox\nRUN ["/bin/touch", "/a b"]\nENTRYPOINT cat\nCMD []\n', tags=["t"])
    assert (await run(engine, "t", entrypoint=["ls", "/a b"])) == (0, "/a b\n")
    assert (await engine.images.inspect(done.id)).config.entrypoint == ["/bin/sh", "-c", "cat"]


async def test_an_entrypoint_clears_the_base_s_arguments(engine: Engine) -> None:
    done = await build(engine, 'FROM busybox\nENTRYPOINT ["echo", "hi"]\n')
    config = (await engine.images.inspect(done.id)).config
    assert (config.entrypoint, config.cmd) == (["echo", "hi"], None)


async def test_steps_have_a_network_and_the_image_s_user(engine: Engine) -> None:
    await build(
        engine,
        "FROM busybox\nRUN mkdir -m 1777 /tmp\nUSER 1000\nWORKDIR /tmp\nRUN ifconfig eth0 > net; id -u > uid; pwd > where\n",
        tags=["t"],
    )
    code, out = await run(engine, "t", ["sh", "-c", "grep -c 'inet addr' net; cat uid where"])
    assert (code, out) == (0, "1\n1000\n/tmp\n")


async def test_ignored_files_are_not_there(engine: Engine) -> None:
    files = {
        ".dockerignore": b"# comment\n*.log\n!keep.log\nsecret\n!secret/shown\nDockerfile\n**/node_modules\n",
        "a.log": b"",
        "keep.log": b"",
        "b.txt": b"",
        "secret/hidden": b"",
        "secret/shown": b"",
        "x/y/node_modules/z": b"",
        "x/y/kept": b"",
    }
    await build(engine, "FROM busybox\nCOPY . /c/\n", files, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cd /c; find . -type f | sort"])
    assert out.split() == ["./.dockerignore", "./b.txt", "./keep.log", "./secret/shown", "./x/y/kept"]
    with pytest.raises(InvalidArgument, match=r"file not found in build context or excluded by \.dockerignore: stat a\.log"):
        await build(engine, "FROM busybox\nCOPY a.log /\n", files)


async def test_where_a_copy_goes(engine: Engine) -> None:
    text = """
    FROM busybox
    RUN ln -s /real /link && mkdir /real && echo old > /real/a
    WORKDIR /w
    COPY a b /link/
    COPY a renamed
    COPY a new/
    COPY d .
    COPY ["with space", "./spaced"]
    COPY [ab] many/
    ADD a /added
    """
    files = {"a": b"A\n", "b": b"B\n", "d/e/f": b"F\n", "with space": b"S\n"}
    await build(engine, text, files, tags=["t"])
    code, out = await run(engine, "t", ["cat", "/real/a", "/real/b", "renamed", "new/a", "e/f", "spaced", "many/b", "/added"])
    assert (code, out) == (0, "A\nB\nA\nA\nF\nS\nB\nA\n")
    for wrong, message in (
        ("COPY ../a /", "forbidden path outside the build context"),
        ("COPY none /", "file not found"),
        ("COPY a /bin/sh/x", "Not a directory"),
        ("COPY --chmod=u+y a /", "invalid chmod parameter"),
        ("RUN true\nCOPY a", "requires at least two arguments"),
    ):
        with pytest.raises(InvalidArgument, match=message) as caught:
            await build(engine, f"FROM busybox\n{wrong}\n", files)
        assert caught.value.line == wrong.count(chr(10)) + 2
    assert left_behind(engine.paths) == []


async def test_what_is_missing_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(NotImplementedYet) as caught:
        await build(engine, "FROM busybox\nRUN --device=vendor.com/device=x true\n")
    assert caught.value.message == "RUN --device (Dockerfile line 2) is not implemented yet"


async def test_a_hostile_context_reaches_nothing(engine: Engine, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("host's\n")
    archive = context("FROM busybox\nCOPY link/secret /\n", {})
    for name, target in (("link", str(outside)), ("Dockerfile", f"{outside}/secret")):
        hostile = io.BytesIO(archive)
        with tarfile.open(fileobj=hostile, mode="a") as tar:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
        with pytest.raises(InvalidArgument, match=r"file not found|Cannot locate specified Dockerfile"):
            await Build(engine, "", {}, raw=hostile.getvalue()).done()
    for name in ("../escaped", "link/../../escaped", "/../escaped"):
        hostile = io.BytesIO(archive)
        with tarfile.open(fileobj=hostile, mode="a") as tar:
            tar.addfile(tarfile.TarInfo(name))
        with pytest.raises(InvalidArgument, match="leads out of it"):
            await Build(engine, "", {}, raw=hostile.getvalue()).done()
    for kind, instruction in ((kind, name) for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE) for name in ("COPY", "ADD")):
        # made anew and never opened: 10:130 is a watchdog, which would begin to count
        hostile = io.BytesIO(context(f"FROM busybox\n{instruction} odd /\n", {}))
        with tarfile.open(fileobj=hostile, mode="a") as tar:
            member = tarfile.TarInfo("odd")
            member.type, member.devmajor, member.devminor = kind, 10, 130
            tar.addfile(member)
        done = await Build(engine, "", {}, raw=hostile.getvalue()).done()
        _, out = await run(engine, done.id, ["stat", "-c", "%F", "/odd"])
        assert out == ("fifo\n" if kind == tarfile.FIFOTYPE else "character special file\n")
    with pytest.raises(InvalidArgument):
        await Build(engine, "", {}, raw=b"no tar at all" * 100).done()
    assert left_behind(engine.paths) == []
    assert sorted(os.listdir(tmp_path)) == ["outside"]


async def test_links_of_an_image_do_not_lead_a_copy_out(engine: Engine, tmp_path: Path) -> None:
    text = f"FROM busybox\nRUN mkdir -p {tmp_path} && ln -s {tmp_path} /out && ln -s {tmp_path}/f /file\nCOPY a /out/\nCOPY a /file\n"
    await build(engine, text, {"a": b"x"}, tags=["t"])
    assert os.listdir(tmp_path) == []
    assert (await run(engine, "t", ["cat", f"{tmp_path}/a", "/file"])) == (0, "xx")


async def test_special_files_and_attributes_survive(engine: Engine) -> None:
    text = """
    FROM busybox
    RUN mknod /fifo p && echo x > /a && ln /a /b && chmod 4755 /a && mkdir /dir && chmod 1777 /dir && touch -d "2001-02-03 04:05:06" /dir
    RUN chmod 700 /
    """
    await build(engine, text, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "stat -c '%F %a %h' /fifo /a /b /dir /; date -r /dir +%Y"])
    assert out.splitlines()[:3] == ["fifo 644 1", "regular file 4755 2", "regular file 4755 2"]
    assert out.splitlines()[3].startswith("directory 1777")
    assert out.splitlines()[4].startswith("directory 700")
    assert out.splitlines()[5] == "2001"


async def test_a_missing_base_is_named(engine: Engine) -> None:
    with pytest.raises(InvalidArgument, match=r"uppercase|lowercase.*\(Dockerfile line 2\)"):
        await build(engine, "# c\nFROM Bad_NAME\n")
    with pytest.raises(InvalidArgument, match="No image was generated"):
        await build(engine, "FROM scratch\n")


async def test_a_build_from_nothing_but_a_base_is_the_base(engine: Engine) -> None:
    done = await build(engine, "FROM busybox\n", tags=["same"])
    assert done.id == (await engine.images.inspect("busybox")).id


async def empty() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


async def test_a_dockerfile_elsewhere_and_none(engine: Engine) -> None:
    done = await build(engine, "FROM nothing-here\n", {"sub/Other": b"FROM busybox\nENV a=b\n"}, dockerfile="sub/Other")
    assert "a=b" in ((await engine.images.inspect(done.id)).config.env or [])
    with pytest.raises(InvalidArgument, match="Cannot locate specified Dockerfile: None"):
        await build(engine, "FROM busybox\n", dockerfile="None")
    with pytest.raises(InvalidArgument, match="Cannot locate specified Dockerfile"):
        async for _ in engine.builder.build(empty()):
            pass


async def test_a_build_in_user_namespaces_has_the_owners_that_it_says(engine: Engine) -> None:
    engine.configure(EngineOptions(userns_remap="default"))
    done = await build(
        engine,
        """
        FROM busybox
        COPY file /copied
        RUN cat /proc/self/uid_map > /map && touch /mine && chown 5:6 /mine
        RUN --mount=type=cache,target=/cache touch /cache/x && stat -c %u:%g /copied /mine > /seen
        """,
        {"file": b"x"},
    )
    code, out = await run(engine, done.id, ["sh", "-c", "cat /map /seen; stat -c %u:%g /mine /copied"])
    first, host, size, *seen = out.split()
    assert (code, first, size) == (0, "0", "65536") and int(host) > 65536
    assert seen == ["0:0", "5:6", "5:6", "0:0"]

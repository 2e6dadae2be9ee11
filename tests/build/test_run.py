"""What a RUN step is given: agents, files to write that are thrown away, rights and networks that are allowed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from build.building import build, run
from moby_tui.engine.engine import Engine
from moby_tui.engine.kernel import trees
from moby_tui.engine.resources.builder.execution import mounts
from moby_tui.errors import Forbidden, InvalidArgument


@pytest.fixture(autouse=True)
def _image(busybox: str) -> None:
    """Every one builds upon it."""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(tmp_path / "key")], check=True)
    return tmp_path / "key"


@pytest.fixture
def agent(tmp_path: Path, key: Path) -> Iterator[str]:
    socket = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        # 2: nobody listens yet
        while (
            subprocess.run(["ssh-add", "-q", str(key)], env={"SSH_AUTH_SOCK": socket}, stderr=subprocess.DEVNULL).returncode == 2
        ):
            assert process.poll() is None
        yield socket
    finally:
        process.terminate()
        process.wait()


def openssh() -> dict[str, bytes]:
    """ssh-add with all that it is linked with, as files of a context."""
    listed = subprocess.run(["ldd", "/usr/bin/ssh-add"], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    return {f"root{name}": Path(name).read_bytes() for name in ("/usr/bin/ssh-add", *libraries)} | {
        "root/etc/passwd": b"root:x:0:0::/:/bin/sh\n"
    }


BASE = "FROM busybox AS base\nCOPY --chmod=755 root /\nFROM base\n"


async def test_an_agent_may_be_asked_and_not_altered(engine: Engine, agent: str, key: Path) -> None:
    public = key.with_suffix(".pub").read_text()
    text = f"""{BASE}
    RUN /usr/bin/ssh-add -L 2>&1 > /without || true
    RUN --mount=type=ssh /usr/bin/ssh-add -L > /keys; echo $SSH_AUTH_SOCK > /socket; \\
        stat -c '%a %u' $SSH_AUTH_SOCK >> /socket; /usr/bin/ssh-add -D || echo kept >> /keys
    RUN --mount=type=ssh,id=other,target=/run/x/agent,mode=666,uid=7 /usr/bin/ssh-add -L >> /keys; stat -c '%a %u' /run/x/agent >> /socket
    RUN --mount=type=ssh,id=absent ls /run/buildkit || echo none >> /keys
    RUN echo "[$SSH_AUTH_SOCK]" >> /socket
    """.replace("\n    ", "\n")
    await build(engine, text, openssh(), ssh={"default": [agent], "other": [agent]}, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cat /keys /socket /without; ls -A /run"])
    assert out == f"{public}kept\n{public}none\n/run/buildkit/ssh_agent.0\n600 0\n666 7\n[]\n"
    assert subprocess.run(["ssh-add", "-L"], env={"SSH_AUTH_SOCK": agent}, capture_output=True, text=True).stdout == public
    assert list((engine.paths.exec_root / "build").iterdir()) == []


async def test_a_key_is_served_by_an_agent_of_the_build_s_own(engine: Engine, key: Path, tmp_path: Path) -> None:
    text = f"{BASE}RUN --mount=type=ssh,required /usr/bin/ssh-add -L > /keys\n"
    await build(engine, text, openssh(), ssh={"default": [str(key)]}, tags=["t"])
    assert (await run(engine, "t", ["cat", "/keys"]))[1] == key.with_suffix(".pub").read_text()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked")], check=True)
    (tmp_path / "none").write_text("no key")
    for name, said in (("locked", "one with a passphrase wants an agent"), ("none", "cannot be used"), ("gone", "no such file")):
        with pytest.raises(InvalidArgument, match=said):
            await build(engine, text.replace("-L", f"-L {name}"), openssh(), ssh={"default": [str(tmp_path / name)]})


async def test_what_is_written_to_a_bind_is_thrown_away(engine: Engine) -> None:
    files = {"folder/a": b"a\n", "folder/b/c": b"c\n", "one": b"one\n"}
    text = """
    FROM busybox AS other
    RUN mkdir -p /made/deep && echo built > /made/deep/f
    FROM busybox
    RUN --mount=target=/x,source=folder,rw --mount=from=other,source=/made,target=/y,rw \\
        --mount=source=one,target=/one,readwrite \\
        echo more >> /x/a; rm -r /x/b; echo new > /x/n; echo over > /y/deep/f; rm /y/deep/f; \\
        echo two >> /one; ls /x /y/deep > /seen; cat /x/a /one >> /seen
    RUN --mount=target=/x,rw --mount=from=other,source=/made,target=/y \\
        cat /x/folder/a /x/folder/b/c /x/one /y/deep/f > /after; ls /x/folder >> /after
    RUN --mount=target=/x,source=folder,ro=true touch /x/a || echo refused >> /after
    """
    await build(engine, text, files, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cat /seen; echo; cat /after; ls -d /x /y"])
    assert out.startswith("/x:\na\nn\n\n/y/deep:\na\nmore\none\ntwo\n\na\nc\none\nbuilt\na\nb\nrefused\n")
    assert "/x" not in out.partition("refused")[2]


async def test_a_cache_begins_with_what_a_stage_has(engine: Engine) -> None:
    text = """
    FROM busybox AS seed
    RUN mkdir -p /made/deep && echo one > /made/deep/f
    FROM busybox
    ARG N
    RUN --mount=type=cache,id=c,from=seed,source=/made,target=/c,mode=711,uid=3 \\
        echo $N >> /c/deep/f; cp /c/deep/f /f; stat -c '%a %u' /c >> /f
    RUN --mount=type=cache,id=c,target=/c,sharing=shared,readonly ls -A /c >> /f; touch /c/x || echo refused >> /f
    """
    await build(engine, text, build_args={"N": "two"})
    await build(engine, text, build_args={"N": "three"}, tags=["t"])
    assert (await run(engine, "t", ["cat", "/f"]))[1] == "one\ntwo\nthree\n711 3\nrefused\n"
    with pytest.raises(InvalidArgument, match="to mount: no such file"):
        await build(engine, "FROM busybox AS a\nFROM busybox\nRUN --mount=type=cache,from=a,source=/no,target=/c true\n")


def test_steps_that_open_a_new_cache_at_the_same_time_have_the_same_folder(tmp_path: Path) -> None:
    steps = 8
    for number in range(20):
        begin = Barrier(steps)

        def opened(begin: Barrier = begin, folder: Path = tmp_path / str(number)) -> int:
            begin.wait()
            held, tree = mounts.cache_folder(folder, mounts.RunMount("cache", {"target": "/c"}), None)
            with held, trees.closing(tree):
                return os.fstat(tree).st_ino

        with ThreadPoolExecutor(steps) as pool:
            assert len({each.result() for each in [pool.submit(opened) for _ in range(steps)]}) == 1


async def test_rights_and_networks_are_asked_for(engine: Engine) -> None:
    text = "FROM busybox\nRUN --security={} grep CapEff /proc/self/status\n"
    plain = (await build(engine, text.format("sandbox"))).text
    whole = (await build(engine, text.format("insecure"), allow=["security.insecure"])).text
    capabilities = [
        int(line.split()[-1], 16) for each in (plain, whole) for line in each.splitlines() if line.startswith("CapEff")
    ]
    assert capabilities[0] < capabilities[1]
    host = await build(engine, "FROM busybox\nRUN --network=host ls /sys/class/net; true\n", allow=["network.host"])
    assert host.id
    for line, kind, expected in (
        ("--security=insecure true", Forbidden, r"build with --allow security.insecure.*\(Dockerfile line 2\)"),
        ("--network=host true", Forbidden, r"build with --allow network.host.*\(Dockerfile line 2\)"),
        ("--security=insecur true", InvalidArgument, r"line 2: .*did you mean insecure\?"),
    ):
        with pytest.raises(kind, match=expected):
            await build(engine, f"FROM busybox\nRUN {line}\n")
    with pytest.raises(InvalidArgument, match=r"unknown entitlement 'network.hots' \(did you mean network.host\?\)"):
        await build(engine, "FROM busybox\n", allow=["network.hots"])


def test_agents_at_the_command_line(
    cli: Callable[..., subprocess.CompletedProcess[str]], busybox_archive: Path, tmp_path: Path, agent: str
) -> None:
    cli("load", "-q", "-i", str(busybox_archive))
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM busybox\nRUN --mount=type=ssh,required test -S $SSH_AUTH_SOCK\n")
    for option, environment in (("default", {"SSH_AUTH_SOCK": agent}), (f"default={agent}", {"SSH_AUTH_SOCK": ""})):
        cli("build", "--no-cache", "--ssh", option, str(tmp_path / "context"), env=environment)
    done = cli("build", "--ssh", "default", str(tmp_path / "context"), env={"SSH_AUTH_SOCK": ""}, check=False)
    assert done.returncode == 1 and "no agent is running" in done.stderr


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        ("cache", "mode=9x", "invalid value 9x for mode"),
        ("cache", "mode=", "invalid value  for mode"),
        ("cache", "uid=-1", "invalid value -1 for uid"),
        ("cache", "gid=4294967296", "invalid value 4294967296 for gid"),
        ("tmpfs", "size=xx", "invalid value for size: xx"),
    ],
)
async def test_a_wrong_number_of_a_mount_is_told_also_if_the_step_was_made_before(
    engine: Engine, kind: str, wrong: str, message: str
) -> None:
    """The cache's key has neither: an owner and a mode are those of a folder that is made once."""
    text = f"FROM busybox\nRUN --mount=type={kind},target=/c{{}} true\n"
    await build(engine, text.format(""))
    with pytest.raises(InvalidArgument, match=message):
        await build(engine, text.format(f",{wrong}"))

"""Who a process is, and what it is called by. The right values are what dockerd 28.5 answered to the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moby_tui.errors import InvalidArgument
from moby_tui.schema.exec import ExecCreate, ExecStart
from moby_tui.schema.stream import STDERR
from runtime.box import Box

PASSWD = """root:x:0:0:root:/root:/bin/sh
# comment:x:5:5::/c:/bin/sh
bob:x:1000:1001:Bob:/home/bob:/bin/sh
four:x:63:64
  spaced:x:70:71::/sp:/bin/sh
three:x:65
two:x

nohome:x:66:67:::/bin/sh
big:x:4294967296:5::/big:/bin/sh
biggid:x:90:4294967296::/bg:/bin/sh
huge:x:99999999999999999999999999:5::/huge:/bin/sh
negative:x:-1:-1::/neg:/bin/sh
nogid:x:92:abc::/nogid:/bin/sh
dup:x:80:81::/d1:/bin/sh
dup:x:82:83::/d2:/bin/sh
1234:x:84:85::/num:/bin/sh
first:x:77:78::/first:/bin/sh
other:x:77:79::/other:/bin/sh
seven:x:95:96:g:/seven:/bin/sh:extra:more
zero:x:007:008::/zero:/bin/sh
ingroup:x:97:97::/:/bin/sh
last:x:99:100::/last"""
GROUP = """root:x:0:
staff:x:50:bob,four
wheel:x:10:bob
 indented:x:52:bob
sg : x : 53 : bob , four
short:x
shorter:x:54
999:x:58:
58:x:59:
colon:x:60:bob:extra
odd:x:61:,bob,,
big:x:4294967296:ingroup
negative:x:-3:
last:x:62:bob"""
SHOW = "echo $(id -u) $(id -g) $(grep ^Groups /proc/self/status | cut -f2) HOME=$HOME"


def files(box: Box, ident: str, passwd: str = PASSWD, group: str = GROUP) -> None:
    etc = box.engine._parts.paths.container(ident).upper / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(passwd)
    (etc / "group").write_text(group)


class Users(Box):
    """Its containers have these files."""

    async def create(self, *command: str, **options: object) -> str:
        ident = await super().create(*command, **options)  # type: ignore[arg-type]
        files(self, ident)
        return ident


@pytest.fixture
def users(box: Box) -> Users:
    return Users(box.engine, box.image)


BOBS = "0 10 50 52 60 61 62 1001"


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("1000:", f"1000 1001 {BOBS.removeprefix('0 ')} HOME=/home/bob"),
        ("bob:", f"1000 1001 {BOBS.removeprefix('0 ')} HOME=/home/bob"),
        ("01000", f"1000 1001 {BOBS.removeprefix('0 ')} HOME=/home/bob"),
        (":staff", "0 50 50 HOME=/root"),
        (":50", "0 50 50 HOME=/root"),
        (":", "0 0 0 HOME=/root"),
        ("bob:staff", "1000 50 50 HOME=/home/bob"),
        ("1000:1001", "1000 1001 1001 HOME=/home/bob"),
        ("bob:indented", "1000 52 52 HOME=/home/bob"),
        ("bob:shorter", "1000 54 54 HOME=/home/bob"),
        ("bob:short", "1000 0 0 HOME=/home/bob"),
        ("1000:999", "1000 999 999 HOME=/home/bob"),
        ("four", "63 64 50 64 HOME="),
        ("three", "65 0 0 HOME="),
        ("two", "0 0 0 HOME=/root"),
        ("nohome", "66 67 67 HOME="),
        ("spaced", "70 71 71 HOME=/sp"),
        ("nogid", "92 0 0 HOME=/nogid"),
        ("dup", "80 81 81 HOME=/d1"),
        ("82", "82 83 83 HOME=/d2"),
        ("1234", "1234 0 0 HOME=/"),
        ("77", "77 78 78 HOME=/first"),
        ("other", "77 79 79 HOME=/first"),
        ("seven", "95 96 96 HOME=/seven"),
        ("zero", "7 8 8 HOME=/zero"),
        ("+5", "5 5 5 HOME=/c"),
        ("last", "99 100 100 HOME=/last"),
        ("2147483647:2147483647", "2147483647 2147483647 2147483647 HOME=/"),
    ],
)
async def test_a_user_by_name_and_number(users: Users, user: str, shown: str) -> None:
    done = await users.run("sh", "-c", SHOW, user=user)
    assert (done.code, done.out.strip()) == (0, shown)


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("comment", "unable to find user comment"),
        (" bob", "unable to find user  bob"),
        ("staff", "unable to find user staff"),
        ("nosuch:", "unable to find user nosuch"),
        ("1e3", "unable to find user 1e3"),
        ("1_0", "unable to find user 1_0"),
        ("bob:nosuch", "unable to find group nosuch"),
        ("bob:staff:x", "unable to find group staff:x"),
        (":nosuch", "unable to find group nosuch"),
        ("bob:sg", "unable to find group sg"),
        ("4294967296", "uids and gids must be in range 0-2147483647"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("1000:-1", "uids and gids must be in range 0-2147483647"),
        ("9" * 5000, "uids and gids must be in range 0-2147483647"),
        ("big", "gives it the uid 4294967296"),
        ("huge", "gives it the uid 99999999999999999999"),
        ("negative", "gives it the uid -1"),
        ("biggid", "gives it the gid 4294967296"),
        ("bob:big", "gives it the gid 4294967296"),
        ("bob:negative", "gives it the gid -3"),
        ("ingroup", "gives it the gid 4294967296"),
    ],
)
async def test_a_user_that_cannot_be_is_one_line(users: Users, user: str, text: str) -> None:
    ident = await users.create("true", user=user)
    with pytest.raises(InvalidArgument, match=text) as refused:
        await users.engine.containers.start(ident)
    assert "\n" not in str(refused.value)
    assert (await users.engine.containers.inspect(ident)).state.status == "created"


async def test_groups_that_are_added(users: Users) -> None:
    added = {"group_add": ["staff", "5000", "999", "58", "short"]}
    done = await users.run("sh", "-c", SHOW, user="nohome", host=added)
    assert done.out.split()[2:-1] == ["0", "50", "58", "67", "999", "5000"]
    for wanted, text in (("nosuch", "unable to find group"), ("-1", "must be in range"), ("2147483648", "must be in range")):
        ident = await users.create("true", host={"group_add": [wanted]})
        with pytest.raises(InvalidArgument, match=text):
            await users.engine.containers.start(ident)


@pytest.mark.parametrize(
    ("user", "environment", "home"),
    [("bob", ["HOME="], "/home/bob"), ("", ["HOME="], "/root"), ("four", ["HOME="], ""), ("bob", ["HOME=x"], "x")],
)
async def test_an_empty_home_is_none(users: Users, user: str, environment: list[str], home: str) -> None:
    done = await users.run("sh", "-c", 'env | grep "^HOME="', user=user, env=environment)
    assert done.out == f"HOME={home}\n"


async def execute(box: Box, ident: str, *command: str, **options: object) -> str:
    asked = ExecCreate(cmd=list(command), attach_stdout=True, attach_stderr=True, **options)  # type: ignore[arg-type]
    stream = await box.engine.containers.exec_start(await box.engine.containers.exec_create(ident, asked), ExecStart())
    assert stream is not None
    text = b"".join([data async for number, data in stream.output() if number != STDERR])
    stream.close()
    return text.decode().strip()


async def test_users_of_an_exec(users: Users) -> None:
    ident = await users.start("sleep", "100")
    assert await execute(users, ident, "sh", "-c", SHOW, user=":staff") == "0 50 50 HOME=/root"
    assert await execute(users, ident, "sh", "-c", SHOW, user=":") == "0 0 0 HOME=/root"
    assert (await execute(users, ident, "sh", "-c", SHOW, user="bob:")).startswith("1000 1001 ")
    assert await execute(users, ident, "sh", "-c", "echo $HOME", user="bob", env=["HOME="]) == "/home/bob"
    for user in ("4294967296", "-1", "big", "biggid", "nosuch"):
        with pytest.raises(InvalidArgument):
            await execute(users, ident, "true", user=user)
    # and the monitor lives
    assert await execute(users, ident, "echo", "yes") == "yes"


async def test_home_is_that_of_the_file_which_the_process_sees(users: Users, tmp_path: Path) -> None:
    """dockerd finds names in the image's files; its runtime finds HOME in the container's, mounts and all."""
    mounted = tmp_path / "passwd"
    mounted.write_text("bob:x:1000:1001::/mounted:/bin/sh\ncarol:x:2000:2000::/carol:/bin/sh")

    async def home(user: str, *binds: str, **host: object) -> str:
        done = await users.run("sh", "-c", "echo $HOME", user=user, host={"binds": list(binds), **host})
        assert done.code == 0
        return done.out.strip()

    over = f"{mounted}:/etc/passwd"
    assert [await home(user, over) for user in ("bob", "1000:1001", "2000", "63")] == ["/mounted", "/mounted", "/carol", "/"]
    assert await home("1000:1001", f"{tmp_path}:/etc") == "/mounted"
    assert await home("1000:1001", f"{tmp_path}:/elsewhere") == "/home/bob"
    assert await home("bob", tmpfs={"/etc": ""}) == "/"
    assert await home("bob", "/dev/null:/etc/passwd") == "/"
    ident = await users.create("true", user="carol", host={"binds": [over]})
    with pytest.raises(InvalidArgument, match="unable to find user carol"):
        await users.engine.containers.start(ident)


async def test_home_through_links_from_mount_to_mount(users: Users, tmp_path: Path) -> None:
    """A link in a mounted folder leads into the container, never to the host's file of that name."""
    lies, etc = tmp_path / "lies", tmp_path / "etc"
    lies.mkdir()
    etc.mkdir()
    (lies / "users").write_text("bob:x:1000:1001::/linked:/bin/sh\n")
    for target, home in (
        ("../run/lies/users", "/linked"),
        ("/run/lies/users", "/linked"),
        (str(lies / "users"), "/"),
        ("x", "/"),
    ):
        (etc / "passwd").unlink(missing_ok=True)
        (etc / "passwd").symlink_to(target)
        done = await users.run("sh", "-c", "echo $HOME", user="1000:1001", host={"binds": [f"{etc}:/etc", f"{lies}:/run/lies"]})
        assert (target, done.out.strip()) == (target, home)


@pytest.mark.parametrize(
    ("hostname", "domainname", "names"),
    [
        ("web_1", "", "web_1"),
        ("a_b", "", "a_b"),
        ("-bad", "", "-bad"),
        ("bad-", "", "bad-"),
        ("a:b", "", "a:b"),
        ("é", "", "é"),
        ("b" * 64, "", "b" * 64),
        ("foo.bar.com", "", "foo.bar.com foo"),
        ("foo.", "", "foo. foo"),
        ("a..b", "", "a..b a"),
        ("127.0.0.1", "", "127.0.0.1 127"),
        ("web", "example.com", "web.example.com web"),
        ("web", "foo_bar", "web.foo_bar web"),
        ("foo.bar.com", "ex.org", "foo.bar.com.ex.org foo"),
    ],
)
async def test_names_of_a_host(box: Box, hostname: str, domainname: str, names: str) -> None:
    show = "hostname; cat /etc/hostname /proc/sys/kernel/domainname; tail -n 1 /etc/hosts"
    asked: dict[str, Any] = {"hostname": hostname, "domainname": domainname, "host": {"network_mode": "bridge"}}
    done = await box.run("sh", "-c", show, **asked)
    *told, line = done.out.splitlines()
    assert told == [hostname, hostname, domainname or "(none)"]
    assert line.split(None, 1)[1] == names

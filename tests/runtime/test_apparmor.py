"""AppArmor, where the kernel has it: what a container and its execs are confined by, and what the profile forbids."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from moby_tui.engine.policy import apparmor
from moby_tui.errors import InvalidArgument
from runtime.box import Box
from runtime.running import execute

pytestmark = pytest.mark.skipif(
    not apparmor.enabled(), reason="this kernel has no AppArmor to confine by: make test-cgroup2 runs these on one that has"
)

CURRENT = ("cat", "/proc/self/attr/current")
ENFORCED = f"{apparmor.DEFAULT} (enforce)"


def test_parser_is_installed() -> None:
    """The rest of this module is worth nothing without it."""
    assert shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({}, ENFORCED),
        ({"security_opt": ["no-new-privileges"]}, ENFORCED),
        ({"userns_mode": "auto"}, ENFORCED),
        ({"pid_mode": "host"}, ENFORCED),
        ({"privileged": True}, "unconfined"),
        ({"security_opt": ["apparmor=unconfined"]}, "unconfined"),
        ({"privileged": True, "security_opt": [f"apparmor={apparmor.DEFAULT}"]}, ENFORCED),
    ],
)
async def test_profile_of_a_container_and_of_its_execs(box: Box, host: dict[str, object], expected: str) -> None:
    assert (await box.run(*CURRENT, host=host)).out.strip("\0\n") == expected
    ident = await box.start("sleep", "600", host=host)
    assert (await execute(box, ident, *CURRENT)).strip("\0\n") == expected
    assert (await execute(box, ident, *CURRENT, user="1000")).strip("\0\n") == expected
    # Docker confines what is executed privileged as little as a privileged container
    assert (await execute(box, ident, *CURRENT, privileged=True)).strip("\0\n") == "unconfined"


async def test_profile_holds_where_capabilities_and_seccomp_do_not(box: Box) -> None:
    """Nothing is mounted, and nothing written to the kernel's settings: not even with every capability, by the command or an exec."""
    host = {"cap_add": ["ALL"], "security_opt": ["seccomp=unconfined", "systempaths=unconfined"]}
    script = "mkdir -p /point; mount -t tmpfs none /point && echo mounted; echo 1 > /proc/sys/vm/drop_caches && echo written"
    ident = await box.start("sleep", "600", host=host)
    for told in ((await box.run("sh", "-c", script, host=host)).out, await execute(box, ident, "sh", "-c", script)):
        assert "mounted" not in told and "written" not in told
    free = {**host, "security_opt": [*host["security_opt"], "apparmor=unconfined"]}
    assert "mounted" in (await box.run("sh", "-c", script, host=free)).out


async def test_signals_do_not_leave_the_profile(box: Box) -> None:
    """In the host's pid namespace, with the capability to kill anything: a confined container ends no process of the host."""
    victim = subprocess.Popen(["sleep", "600"])
    try:
        ended = await box.run("kill", "-9", str(victim.pid), host={"pid_mode": "host", "cap_add": ["ALL"]})
        assert ended.code != 0 and victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


async def test_profile_of_ones_own(box: Box) -> None:
    text = "profile moby-test-own flags=(attach_disconnected) {\n file, capability, network, signal, umount,\n deny /etc/hostname r,\n}\n"
    with pytest.raises(InvalidArgument, match="is not loaded"):
        await box.run("true", host={"security_opt": ["apparmor=moby-test-own"]})
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache"], input=text, text=True, check=True)
    try:
        host = {"security_opt": ["apparmor=moby-test-own"]}
        ident = await box.start("sleep", "600", host=host)
        assert (await execute(box, ident, *CURRENT)).strip("\0\n") == "moby-test-own (enforce)"
        assert "ermission denied" in await execute(box, ident, "cat", "/etc/hostname")
        assert (await box.engine.containers.inspect(ident)).app_armor_profile == "moby-test-own"
        await box.engine.containers.remove(ident, force=True)
    finally:
        subprocess.run(["apparmor_parser", "--remove"], input=text, text=True, check=True)


async def test_inspect_names_the_profile(box: Box) -> None:
    for host, expected in (({}, apparmor.DEFAULT), ({"security_opt": ["apparmor=unconfined"]}, "unconfined")):
        ident = await box.start("sleep", "600", host=host)
        assert (await box.engine.containers.inspect(ident)).app_armor_profile == expected


async def test_info_names_it_first(box: Box) -> None:
    assert ((await box.engine.system.info()).security_options or [])[0] == "name=apparmor"

"""/proc and /sys are the kernel's own, whatever the image or a volume puts in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from moby_tui.errors import MobyError
from security.attacker import Attacker, nothing


@pytest.mark.parametrize("destination", ["/proc", "/proc/sys", "/proc/self/attr", "/proc/1/fd"])
async def test_a_volume_over_proc(attacker: Attacker, tmp_path: Path, destination: str) -> None:
    """CVE-2019-19921, CVE-2019-16884: what is written to limits, profiles and sysctls would go to the attacker's files."""
    assert "/proc" in await attacker.refusal(nothing, "true", host={"binds": [f"{tmp_path}:{destination}"]})


async def test_a_tmpfs_inside_proc(attacker: Attacker) -> None:
    assert "inside /proc" in await attacker.refusal(nothing, "true", host={"tmpfs": {"/proc/self": ""}})


async def test_the_hosts_proc_may_be_shown_as_such(attacker: Attacker) -> None:
    """What is written is then written through a procfs of the engine's own: the sysctl is set for the container."""
    host = {"binds": ["/proc:/host-proc", "/proc:/proc"], "network_mode": "none", "sysctls": {"net.ipv4.ip_forward": "1"}}
    done = await attacker.run("cat", "/proc/sys/net/ipv4/ip_forward", host=host)
    assert (done.code, done.out) == (0, "1\n")


@pytest.mark.parametrize("name", ["proc", "sys"])
async def test_a_link_in_the_place_of(attacker: Attacker, name: str) -> None:
    """CVE-2023-27561, CVE-2023-28642: the kernel's files would be in a folder that another container can change."""

    def poison(layer: Path) -> None:
        (layer / "elsewhere").mkdir()
        (layer / name).symlink_to("/elsewhere")

    assert "symbolic links" in await attacker.refusal(poison, "true")


@pytest.mark.parametrize("target", ["/proc/self/attr/exec", "/proc/sys/kernel/core_pattern", "/proc/self/fd", "/proc/1/root"])
async def test_a_link_that_leads_a_volume_into_proc(attacker: Attacker, tmp_path: Path, target: str) -> None:
    """CVE-2019-16884, CVE-2025-52881: the destination looks harmless, and is /proc."""
    source = tmp_path / "file"
    source.write_text("mine")
    bound = source if not target.endswith(("fd", "root")) else tmp_path

    def poison(layer: Path) -> None:
        (layer / "volume").symlink_to(target)

    refused = await attacker.refusal(poison, "true", host={"binds": [f"{bound}:/volume"]})
    assert "inside /proc" in refused or "symbolic links" in refused


@pytest.mark.parametrize("target", ["/proc/self/attr/exec", "/proc/self/attr/apparmor/exec", "/proc/sys/kernel/hostname"])
async def test_a_link_in_the_place_of_a_file_that_every_container_gets(attacker: Attacker, target: str) -> None:
    """CVE-2025-52881: /etc/hostname, hosts and resolv.conf are bound without being asked for."""

    def poison(layer: Path) -> None:
        (layer / "etc").mkdir()
        (layer / "etc" / "hostname").symlink_to(target)

    refused = await attacker.refusal(poison, "true")
    assert "inside /proc" in refused or "no such file" in refused


@pytest.mark.parametrize(
    "name", ["kernel.core_pattern", "kernel/core_pattern", "vm.overcommit_memory", "net/../kernel/core_pattern"]
)
async def test_a_sysctl_of_the_whole_machine(attacker: Attacker, name: str) -> None:
    with pytest.raises(MobyError, match="sysctl"):
        await attacker.create("true", host={"sysctls": {name: "|/bin/sh"}})


WRITES = """
for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/irq/0/smp_affinity \
  /proc/sys/fs/binfmt_misc/register /sys/kernel/uevent_helper /sys/kernel/mm/hugepages /sys/class/net/lo/mtu /sys/power/state \
  /sys/fs/cgroup/release_agent /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/notify_on_release; do
  [ -e "$f" ] && echo 1 2>/dev/null >"$f" && echo "wrote $f"
done
for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/latency_stats /proc/sched_debug; do
  [ -n "$(head -c 9 $f 2>/dev/null)" ] && echo "read $f"
done
for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware /sys/devices/virtual/powercap /sys/devices/system/cpu/cpu0/thermal_throttle; do
  [ -d $d ] && [ -n "$(ls -A $d)" ] && echo "listed $d"
done
for p in /proc/sys /proc/bus /proc/fs /proc/irq /sys /sys/fs/cgroup; do
  mount -o remount,rw,bind $p 2>/dev/null && echo "remounted $p"
  umount $p 2>/dev/null && echo "uncovered $p"
done
echo done
"""


@pytest.mark.parametrize("how", [{}, {"cap_add": ["DAC_READ_SEARCH", "SYS_PTRACE", "NET_ADMIN"]}, {"cgroupns_mode": "host"}])
async def test_files_of_the_kernel_are_not_written_and_secrets_not_read(attacker: Attacker, how: dict[str, object]) -> None:
    """CVE-2022-0492, CVE-2023-25809 (release_agent), and what masked and read-only paths are for."""
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    done = await attacker.run("sh", "-c", WRITES, host=how)
    assert done.out == "done\n"
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


async def test_the_same_from_an_exec(attacker: Attacker) -> None:
    ident = await attacker.start("sleep", "60")
    assert (await attacker.exec(ident, "sh", "-c", WRITES)).out == "done\n"


async def test_release_agent_with_mounts_of_its_own(attacker: Attacker, tmp_path: Path) -> None:
    """CVE-2022-0492: a hierarchy mounted anew, in a user and cgroup namespace of the container's making."""
    script = """
    for kind in rdma memory devices freezer; do
      unshare -UrmC sh -c "mkdir -p /m && mount -t cgroup -o $kind none /m && echo /pwn >/m/release_agent && echo agent" 2>/dev/null
      mkdir -p /n && mount -t cgroup -o $kind none /n 2>/dev/null && echo mounted
    done
    echo done
    """
    assert (await attacker.run("sh", "-c", script)).out == "done\n"

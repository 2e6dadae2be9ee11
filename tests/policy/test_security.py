"""The security profile as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moby_tui.engine.policy import apparmor, capabilities
from moby_tui.engine.policy.security import SecurityProfile, parse_options, resolve
from moby_tui.engine.protocol.defaults import MASKED_PATHS, READONLY_PATHS
from moby_tui.engine.store.paths import Paths
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema.container import HostConfig


@pytest.fixture
def paths(roots: tuple[Path, Path]) -> Paths:
    paths = Paths(*roots)
    paths.make()
    return paths


def resolved(paths: Paths, *options: str, **host: object) -> SecurityProfile:
    return resolve(HostConfig(security_opt=list(options), **host), paths)  # type: ignore[arg-type]


def test_secure_by_default(paths: Paths) -> None:
    profile = resolved(paths)
    assert set(profile.capabilities) == capabilities.DEFAULT & capabilities.held()
    assert profile.seccomp is not None and profile.seccomp["defaultAction"] == "SCMP_ACT_ERRNO"
    assert profile.seccomp_program is not None and len(profile.seccomp_program.read_bytes()) % 8 == 0
    assert set(MASKED_PATHS) <= set(profile.masked_paths) and profile.readonly_paths == list(READONLY_PATHS)
    assert not profile.no_new_privileges


def test_privileged_gets_what_there_is_and_hears_what_is_missing(paths: Paths) -> None:
    profile = resolved(paths, privileged=True)
    assert set(profile.capabilities) == capabilities.held()
    assert profile.seccomp is None and profile.seccomp_program is None
    assert profile.masked_paths == [] and profile.readonly_paths == [] and profile.apparmor_profile == ""
    assert bool(profile.missing_capabilities) == any("does not hold" in warning for warning in profile.warnings)


def test_privileged_with_a_filter_of_its_own(paths: Paths) -> None:
    assert resolved(paths, "seccomp=builtin", privileged=True).seccomp_program is not None


def test_the_filter_follows_the_capabilities(paths: Paths) -> None:
    plain, admin = resolved(paths), resolved(paths, cap_add=["SYS_ADMIN"])
    assert plain.seccomp_program != admin.seccomp_program


def test_options(paths: Paths) -> None:
    assert resolved(paths, "seccomp=unconfined").seccomp is None
    assert resolved(paths, "seccomp:unconfined").seccomp is None
    assert resolved(paths, "systempaths=unconfined").masked_paths == []
    assert resolved(paths, masked_paths=["/proc/kcore"], readonly_paths=[]).masked_paths == ["/proc/kcore"]
    assert resolved(paths, "label=disable").seccomp is not None


@pytest.mark.parametrize(
    ("text", "expected"), [("no-new-privileges", True), ("no-new-privileges:true", True), ("no-new-privileges=false", False)]
)
def test_no_new_privileges(text: str, expected: bool) -> None:
    assert parse_options([text]).no_new_privileges is expected


def test_a_profile_of_ones_own(paths: Paths) -> None:
    rules = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    profile = resolved(paths, f"seccomp={json.dumps(rules)}")
    assert profile.seccomp is not None and profile.seccomp["syscalls"][0]["names"] == ["mkdir", "mkdirat"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seccomp",
        "seccomp=",
        "seccomp=/etc/passwd",
        "seccomp={",
        "systempaths=x",
        "no-new-privileges=x",
        "selinux=x",
        "=",
        "label=x",
        "label=type:",
        "mask=x",
        "unmask=",
        "writable-cgroups=x",
    ],
)
def test_what_cannot_be_meant(paths: Paths, text: str) -> None:
    with pytest.raises(InvalidArgument):
        resolved(paths, text)


@pytest.mark.parametrize("text", ["label=type:svirt_t", "label:disable", "label=level:s0:c100,c200", "label=nested"])
def test_labels_have_no_effect_without_selinux(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("moby_tui.engine.policy.selinux._ENFORCE", "/nosuch")
    assert parse_options([text]) == parse_options([])


def test_labels_on_a_kernel_with_selinux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moby_tui.engine.policy.selinux._ENFORCE", "/proc/self/status")
    assert parse_options(["label=disable"]) == parse_options([])
    with pytest.raises(NotImplementedYet, match="label=type:svirt_t on a kernel with SELinux"):
        parse_options(["label=type:svirt_t"])


def test_writable_cgroups(paths: Paths) -> None:
    assert not resolved(paths).writable_cgroups and resolved(paths, privileged=True).writable_cgroups
    assert resolved(paths, "writable-cgroups=true").writable_cgroups
    assert not resolved(paths, "writable-cgroups=false", privileged=True).writable_cgroups


def test_masks_as_podman_has_them(paths: Paths) -> None:
    more = resolved(paths, "mask=/proc/meminfo:/proc/stat", "unmask=/proc/a*:/proc/sys")
    assert {"/proc/meminfo", "/proc/stat", "/proc/kcore"} <= set(more.masked_paths)
    assert not {"/proc/acpi", "/proc/asound"} & set(more.masked_paths) and "/proc/sys" not in more.readonly_paths
    none = resolved(paths, "unmask=ALL")
    assert none.masked_paths == none.readonly_paths == []


def test_without_apparmor(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apparmor, "_ENABLED", Path("/nosuch"))
    assert resolved(paths).apparmor_profile == "" and resolved(paths, "apparmor=unconfined").apparmor_profile == ""
    with pytest.raises(InvalidArgument, match="has no AppArmor"):
        resolved(paths, "apparmor=mine")


def test_with_apparmor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that says it has AppArmor. What a real one enforces: tests/runtime/test_apparmor.py."""
    for name, text in (("_ENABLED", "Y\n"), ("_PROFILES", "theirs (enforce)\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(apparmor, name, tmp_path / name)
    assert apparmor.resolve(None, privileged=True) == ("", "")
    assert apparmor.resolve("theirs", privileged=False) == ("theirs", "")
    with pytest.raises(InvalidArgument, match="is not loaded"):
        apparmor.resolve("nobody-loaded-this", privileged=False)
    monkeypatch.setattr(apparmor, "_PARSER", "no-such-parser")
    name, warning = apparmor.resolve(None, privileged=False)
    assert name == "" and "install the package apparmor" in warning
    (tmp_path / "_PROFILES").write_text(f"{apparmor.DEFAULT} (enforce)\n")
    assert apparmor.resolve(None, privileged=False) == (apparmor.DEFAULT, "")

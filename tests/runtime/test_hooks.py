"""OCI hooks of the engine's own containers: from a folder of hook files, and from devices of the Container Device Interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moby_tui.engine.runtime.birth.hooks import STAGES
from moby_tui.engine.runtime.configuration import cdi, hook_files
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import MobyError
from moby_tui.schema.container import DeviceRequest
from runtime.box import Box


def write(folder: Path, name: str, script: str, stages: list[str], when: dict[str, Any] | None = None, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"], **more}
    path = folder / name
    path.write_text(json.dumps({"version": "1.0.0", "hook": hook, "when": when or {"always": True}, "stages": stages}))
    return path


async def test_each_stage_runs_at_its_time_with_the_state(box: Box, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for number, stage in enumerate(STAGES):
        keep = "cat > /state" if stage == "startContainer" else f"cat > {tmp_path}/{stage}; echo {stage} $(hostname) >> {order}"
        write(tmp_path / "hooks", f"{number}.json", keep, [stage])
    box.engine.configure(EngineOptions(hooks_dirs=(tmp_path / "hooks",)))
    done = await box.run("cat", "/state", hostname="hooked", host={"annotations": {"a": "b"}})
    inside = json.loads(done.out)
    assert (inside["id"], inside["status"], inside["annotations"]) == (done.id, "created", {"a": "b"})
    bundle = json.loads((box.engine.paths.container(done.id).bundle).read_text())
    # whoever removes it waits for what comes after its end
    await box.engine.containers.remove(done.id)
    states = {stage: json.loads((tmp_path / stage).read_text()) for stage in STAGES if stage != "startContainer"}
    assert [state["status"] for state in states.values()] == ["creating", "creating", "creating", "running", "stopped"]
    assert states["createRuntime"]["pid"] > 1 and states["poststop"]["pid"] == 0
    assert states["prestart"]["bundle"] == str(box.engine.paths.container(done.id).run)
    assert bundle["process"]["args"] == ["cat", "/state"]
    lines = [line.split()[0] for line in order.read_text().splitlines()]
    assert lines == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]


async def test_a_hook_before_the_root_is_changed_can_mount_into_the_container(box: Box, tmp_path: Path) -> None:
    (tmp_path / "brought").mkdir()
    (tmp_path / "brought" / "file").write_text("brought by a hook")
    find = r"""bundle=$(sed 's/.*"bundle": *"\([^"]*\).*/\1/')"""
    script = f"{find}; mkdir -p $bundle/rootfs/mnt; mount --bind {tmp_path}/brought $bundle/rootfs/mnt"
    write(tmp_path / "hooks", "m.json", script, ["createContainer"])
    box.engine.configure(EngineOptions(hooks_dirs=(tmp_path / "hooks",)))
    assert (await box.run("cat", "/mnt/file")).out == "brought by a hook"


@pytest.mark.parametrize("stage", [stage for stage in STAGES if not stage.startswith("post")])
@pytest.mark.parametrize(("script", "said"), [("echo not today >&2; exit 3", "exit status 3"), ("sleep 30", "no end after 1 s")])
async def test_one_that_fails_keeps_the_container_from_starting(
    box: Box, tmp_path: Path, stage: str, script: str, said: str
) -> None:
    write(tmp_path / "hooks", "fails.json", script, [stage], timeout=1)
    box.engine.configure(EngineOptions(hooks_dirs=(tmp_path / "hooks",)))
    ident = await box.create("true")
    with pytest.raises(MobyError, match=rf"{stage} hook /bin/sh: {said}"):
        await box.engine.containers.start(ident)
    assert (await box.engine.containers.inspect(ident)).state.exit_code == 128
    box.engine.configure(EngineOptions())
    await box.engine.containers.start(ident)


@pytest.mark.parametrize("stage", ["poststart", "poststop"])
async def test_one_that_fails_afterwards_hinders_nothing(box: Box, tmp_path: Path, stage: str) -> None:
    write(tmp_path / "hooks", "fails.json", "exit 4", [stage])
    box.engine.configure(EngineOptions(hooks_dirs=(tmp_path / "hooks",)))
    done = await box.run("echo", "ran")
    assert (done.code, done.out) == (0, "ran\n")
    await box.engine.containers.remove(done.id)


async def test_an_init_in_a_user_namespace_has_them_too(box: Box, tmp_path: Path) -> None:
    write(tmp_path / "hooks", "u.json", f"cat > {tmp_path}/state", ["createRuntime"])
    box.engine.configure(EngineOptions(hooks_dirs=(tmp_path / "hooks",)))
    done = await box.run("id", "-u", host={"userns_mode": "auto", "init": True})
    assert done.out == "0\n" and json.loads((tmp_path / "state").read_text())["id"] == done.id


async def test_a_cdi_device_brings_its_own(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = {"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", f"cat > {tmp_path}/state"]}
    device = {"name": "one", "containerEdits": {"env": ["BROUGHT=yes"], "hooks": [hook]}}
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / "x.json").write_text(json.dumps({"cdiVersion": "0.6.0", "kind": "vendor.com/thing", "devices": [device]}))
    monkeypatch.setattr(cdi.resolve, "__defaults__", ((tmp_path / "cdi",),))
    requests = [DeviceRequest(driver="cdi", device_ids=["vendor.com/thing=one"])]
    done = await box.run("sh", "-c", "echo $BROUGHT", host={"device_requests": requests})
    assert done.out == "yes\n" and json.loads((tmp_path / "state").read_text())["id"] == done.id


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({"always": True}, True),
        ({"always": False}, False),
        ({}, False),
        ({"commands": ["^sh$"]}, True),
        ({"commands": ["^other$", "s"]}, True),
        ({"commands": ["^other$"]}, False),
        ({"annotations": {"^wanted": "ye?s"}}, True),
        ({"annotations": {"^wanted": "no"}}, False),
        ({"hasBindMounts": True}, True),
        ({"always": True, "commands": ["^other$"]}, False),
    ],
)
def test_which_containers_a_file_is_for(tmp_path: Path, when: dict[str, Any], matches: bool) -> None:
    write(tmp_path, "a.json", "true", ["prestart"], when or {"annotations": {}})
    [file] = hook_files.read([tmp_path])
    assert file.matches({"wanted.it": "yes"}, "sh", has_binds=True) is matches


def test_a_later_folder_replaces_a_file_and_others_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "1", "b.json", "first", ["prestart"])
    write(tmp_path / "1", "a.json", "other", ["prestart"])
    write(tmp_path / "2", "b.json", "second", ["prestart"])
    (tmp_path / "2" / "README").write_text("no hook")
    assert [file.hook.args[2] for file in hook_files.read([tmp_path / "1", tmp_path / "2"])] == ["other", "second"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "0.1.0"}, "version '0.1.0' is not known"),
        ({"hook": {"path": "sh"}}, "not the absolute path of a program"),
        ({"hook": {"path": "/none"}}, "not the absolute path of a program"),
        ({"hook": {"path": "/bin/sh", "timeout": 0}}, "above zero"),
        ({"stages": ["whenever"]}, "it has whenever"),
        ({"stages": []}, "it has none"),
        ({"when": {"commands": ["("]}}, "missing [)]"),
        ({"more": 1}, "unknown field `more`"),
        ({"hook": 3}, "Expected `object`"),
    ],
)
def test_a_bad_file_is_refused_by_its_name(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write(tmp_path, "bad.json", "true", ["prestart"])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(MobyError, match=rf"hook file .*bad.json: .*{said}"):
        hook_files.read([tmp_path])
    with pytest.raises(MobyError, match=r"hooks folder .*none: no such file"):
        hook_files.read([tmp_path / "none"])

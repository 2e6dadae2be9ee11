"""A Debian root of debootstrap, imported, and a Python application with packages of pip, built on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from peers.peers_world import World
from peers.sources import debian, differences, of_the_image, wheels

_APPLICATION = """\
from rich.console import Console
from rich.table import Table
table = Table("name", "works")
table.add_row("pip", "yes")
Console(width=40).print(table)
"""
_DOCKERFILE = """\
FROM {base}
COPY wheels /wheels
RUN PYTHONPATH=/wheels python3 -m pip install -q --no-index --find-links=/wheels --root-user-action=ignore --target=/app/packages rich
COPY app.py /app/
ENV PYTHONPATH=/app/packages
CMD ["python3", "/app/app.py"]
"""


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return debian(base.parent if base.name.startswith("popen-") else base)


@pytest.fixture(scope="session")
def imported(world: World, root: Path) -> str:
    reference = world.new("debian")
    world.moby.ask("import", "-c", 'CMD ["bash"]', str(root), reference)
    return reference


def test_debian_is_what_debootstrap_made(world: World, root: Path, imported: str, tmp_path: Path) -> None:
    expected = of_the_image(world.tar(root))
    assert len(expected) > 5000
    assert differences(expected, of_the_image(world.moby.tree(imported))) == {}
    assert world.moby.run(imported, "sh", "-c", "id -un && dpkg --audit && perl -e 'print 6*7'") == "root\n42"


def test_a_python_application(world: World, imported: str, tmp_path: Path) -> None:
    wheels(tmp_path / "wheels", "rich")
    (tmp_path / "app.py").write_text(_APPLICATION)
    (tmp_path / "Dockerfile").write_text(_DOCKERFILE.format(base=imported))
    reference = world.new("application")
    world.moby.build(tmp_path, reference)
    said = world.moby.run(reference)
    assert "pip" in said and "yes" in said
    world.moby.push(reference)
    world.docker.pull(reference)
    assert world.docker.run(reference) == said
    expected = of_the_image(world.umoci.tree(f"docker://{reference}"))
    for engine in (world.moby, world.docker):
        assert differences(expected, of_the_image(engine.tree(reference))) == {}, engine.name

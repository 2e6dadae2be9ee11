"""Container records: names are unique, references are found, processes do not undo each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moby_tui.engine.store import containers as names
from moby_tui.engine.store.containers import ContainerStore
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.records.containers import ContainerConfig, ContainerRecord, HostConfig, MountPoint
from moby_tui.errors import Conflict, InvalidArgument, NotFound

ID_A, ID_B, ID_C = "ab" + "0" * 62, "ab" + "1" * 62, "cd" + "2" * 62


def record(id: str, name: str = "", created: float = 1.0) -> ContainerRecord:
    return ContainerRecord(
        id=id,
        name=name,
        created=created,
        created_at="2024-01-01T00:00:00.000000000Z",
        image="alpine",
        image_id="sha256:" + "e" * 64,
        path="/bin/sh",
        args=["-c", "true"],
        config=ContainerConfig(image="alpine", env=["A=b"]),
        host_config=HostConfig(binds=["/a:/b"], memory=1 << 30),
        mounts=[MountPoint(type="bind", source="/a", destination="/b")],
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "moby.db")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> ContainerStore:
    return ContainerStore(database)


def test_a_record_comes_back_whole_by_every_reference(store: ContainerStore) -> None:
    inserted = store.insert(record(ID_A, "/web"))
    assert inserted.name == "web"
    for ref in (ID_A, "web", "/web", ID_A[:12], "a"):
        assert store.get(ref) == inserted


def test_the_exact_name_wins_over_a_prefix_and_the_id_over_a_name(store: ContainerStore) -> None:
    store.insert(record(ID_A, "one"))
    store.insert(record(ID_C, "ab"))
    store.insert(record(ID_B, ID_A))
    assert store.get("ab").id == ID_C
    assert store.get(ID_A).id == ID_A


def test_what_is_not_there_and_what_is_not_unique(store: ContainerStore) -> None:
    store.insert(record(ID_A, "one"))
    store.insert(record(ID_B, "two"))
    for ref in ("", "x", "*", "a*", "[a]b", "on", "ONE"):
        with pytest.raises(NotFound, match=r"^No such container: "):
            store.get(ref)
    with pytest.raises(InvalidArgument, match=r"^multiple IDs found with provided prefix: ab$"):
        store.get("ab")


def test_a_taken_name_is_dockers_conflict(store: ContainerStore) -> None:
    store.insert(record(ID_A, "web"))
    with pytest.raises(Conflict) as caught:
        store.insert(record(ID_B, "web"))
    assert caught.value.message == (
        f'Conflict. The container name "/web" is already in use by container "{ID_A}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    assert store.delete(ID_A)
    store.insert(record(ID_B, "web"))


@pytest.mark.parametrize("name", ["a", "/", "-ab", "a b", "a/b", "é1", "a\n", "ab\n"])
def test_names_that_cannot_be(store: ContainerStore, name: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid container name"):
        store.insert(record(ID_A, name))


def test_rename_and_update_do_not_undo_each_other(store: ContainerStore) -> None:
    before = store.insert(record(ID_A, "old"))
    assert store.rename(ID_A, "/new") == "old"
    before.warnings = ["changed"]
    store.update(before)
    after = store.get("new")
    assert after.name == "new" and after.warnings == ["changed"]
    with pytest.raises(NotFound):
        store.get("old")


def test_refused_renames(store: ContainerStore) -> None:
    store.insert(record(ID_A, "one"))
    store.insert(record(ID_B, "two"))
    with pytest.raises(Conflict, match=ID_B):
        store.rename(ID_A, "two")
    with pytest.raises(InvalidArgument, match="same name"):
        store.rename(ID_A, "one")
    with pytest.raises(NotFound):
        store.rename(ID_C, "three")
    with pytest.raises(NotFound):
        store.update(record(ID_C))
    assert store.delete(ID_C) is False


def test_the_newest_is_listed_first(store: ContainerStore) -> None:
    for id, created in ((ID_A, 1.0), (ID_B, 3.0), (ID_C, 2.0)):
        store.insert(record(id, created=created))
    assert [each.id for each in store.list()] == [ID_B, ID_C, ID_A]


def test_made_up_names_avoid_those_that_are_taken(store: ContainerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_any_of", lambda words: words[0])
    first, second = store.insert(record(ID_A)), store.insert(record(ID_B))
    assert first.name != second.name and second.name.startswith(first.name)


def test_made_up_names_are_many_and_allowed() -> None:
    made = {names.random_name() for _ in range(500)}
    assert len(made) > 450 and all(names.check_name(name) == name for name in made)


CREATOR = """
import sys
from pathlib import Path
from moby_tui.engine.store.containers import ContainerStore
from moby_tui.engine.store.database import Database
from moby_tui.errors import Conflict
sys.path.insert(0, sys.argv[3])
from store.test_containers import record
store = ContainerStore(Database(Path(sys.argv[1])))
won = 0
for number in range(40):
    try:
        store.insert(record(sys.argv[2] + f"{number:063d}", f"name{number}"))
        won += 1
    except Conflict:
        pass
print(won)
"""


def test_of_processes_that_race_for_a_name_one_wins(tmp_path: Path, store: ContainerStore) -> None:
    arguments = [str(tmp_path / "moby.db"), str(Path(__file__).parents[1])]
    racers = [
        subprocess.Popen([sys.executable, "-c", CREATOR, arguments[0], letter, arguments[1]], stdout=subprocess.PIPE)
        for letter in "abc"
    ]
    assert sum(int(racer.communicate()[0]) for racer in racers) == 40
    assert sorted(each.name for each in store.list()) == sorted(f"name{number}" for number in range(40))

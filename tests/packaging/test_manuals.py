"""The manual pages, and the list of commands in the documentation, are those of the table of commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import plug_ins
from moby_tui.cli.table import root

PROJECT = Path(__file__).parents[2]


def make(*arguments: str) -> None:
    subprocess.run([sys.executable, PROJECT / "packaging/make-manuals", *arguments], check=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man") / "man1"
    make(str(folder))
    return folder


def test_every_command_has_a_page_that_says_all_of_it(pages: Path) -> None:
    seen = {"moby", *(f"moby-{noun}" for noun in root.NOUNS if noun)}
    for noun in root.NOUNS:
        for command in root.noun(noun).commands:
            names = [f"moby-{noun}-{command.name}"] if noun else []
            names += [f"moby-{command.root}"] if command.root else []
            seen.update(names)
            source = (pages / f"{names[-1]}.1").read_text()
            for other in names[:-1]:
                assert (pages / f"{other}.1").read_text() == f".so man1/{names[-1]}.1\n"
            for option in command.options.declared.values():
                for name in option.names:
                    assert ("\\fB" + name.replace("-", "\\-") + "\\fR" in source) is not option.hidden, name
            assert all(argument.metavar.replace("-", "\\-") in source for argument in command.arguments)
            assert source.count("\n.EX\n") == 1
            examples = source.partition(".EX\n")[2].partition("\n.EE")[0].splitlines()
            assert len(examples) == len(command.examples)
    assert {path.stem for path in pages.iterdir()} == seen


def test_the_pages_are_sound(pages: Path) -> None:
    """Without a warning of roff's, and shown as they were written: hyphens that can be copied, no line taken for a request."""
    groff = plug_ins.require("groff")
    whole = [page for page in sorted(pages.iterdir()) if not page.read_text().startswith(".so ")]
    done = subprocess.run([groff, "-ww", "-man", "-Tutf8", "-P-cbou", *whole], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = done.stdout
    assert "-p, --publish list" in shown
    assert "moby exec -u 0 -w /tmp -e DEBUG=1 web id" in shown
    assert "moby commit -c 'CMD [\"nginx\"]' -m 'with our settings' web web:patched" in shown
    assert "moby-ps - List containers" in shown


def test_the_list_of_commands_is_current(tmp_path: Path) -> None:
    """Else: make manuals."""
    make("--list", str(tmp_path / "commands.md"))
    assert (tmp_path / "commands.md").read_text() == (PROJECT / "docs/commands.md").read_text()

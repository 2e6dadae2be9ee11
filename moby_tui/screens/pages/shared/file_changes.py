"""What the page of the files does with a file beyond showing it: copies out and in, deletes it, gives it to the person's editor."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Callable

from textual import work
from textual.app import SuspendNotSupported

from moby_tui.copying import copy
from moby_tui.errors import MobyError
from moby_tui.screens import text
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.confirm import Confirm
from moby_tui.screens.dialogs.form import Answers, Field
from moby_tui.screens.files.editing import Draft
from moby_tui.screens.files.entry import Entry
from moby_tui.screens.files.source import Place
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.trouble import TROUBLE


class FileChangesPage(Page):
    """The page's own actions say which file is meant."""

    def reload(self, *, content: bool = False) -> None:
        """Reads the folders again; with ``content`` the file that is shown, too."""
        raise NotImplementedError

    def copy_out_form(self, place: Place, entry: Entry) -> None:
        """Asks to which path of this machine a file or folder is copied."""
        local = entry.name if entry.name.isprintable() and "/" not in entry.name else "copy"
        explanation = "A folder that is there gets it under its own name. All of it will belong to you."

        def answered(answers: Answers | None) -> None:
            if answers:
                target = os.path.expanduser(answers["target"])
                action = lambda: copy.copy_out(place, place.ref, entry.path, target, follow=False, owners=False)  # noqa: E731
                done = f"{entry.name} copied to {text.clean(target)}"
                self.attempt("Copy out", action, done, command=place.copy_line(entry.path, target, out=True))

        fields = (Field("target", "To", os.path.join(os.getcwd(), local)),)
        self.app.push_screen(Ask(f"Copy {entry.name} to this machine", explanation, fields, "Copy", _needs("target")), answered)

    def copy_in_form(self, place: Place, folder: str) -> None:
        """Asks which file or folder of this machine is copied into a folder."""

        async def copied(source: str) -> None:
            await copy.copy_in(place, source, place.ref, folder, follow=False, owners=False)
            self.reload()

        def answered(answers: Answers | None) -> None:
            if answers:
                source = os.path.expanduser(answers["source"])
                line = place.copy_line(folder, source, out=False)
                self.attempt("Copy in", lambda: copied(source), f"{text.clean(source)} copied", command=line)

        fields = (Field("source", "From", os.getcwd() + "/"),)
        explanation = f"It goes into {text.clean(folder)} and belongs to root there."
        self.app.push_screen(Ask(f"Copy into {place.title}", explanation, fields, "Copy", _needs("source")), answered)

    def confirm_deletion(self, place: Place, entry: Entry) -> None:
        """Asks, and deletes a file, or a folder with all that is in it."""

        async def delete() -> None:
            await place.delete(entry.path)
            self.reload()

        what = "The folder and all that is in it are" if entry.is_folder else "It is"
        self.attempt_confirmed(
            f"Delete {entry.name} of {place.title}?", f"{what} lost for good.", "Delete", delete, f"{entry.name} deleted"
        )

    @work(group="edit", exclusive=True)
    async def edit(self, place: Place, entry: Entry) -> None:
        """Fetches a file, gives it to the editor, and puts it back if it was changed. A text that cannot be put back stays here."""
        try:
            draft = await Draft.fetch(place, entry.path)
        except TROUBLE as error:
            self.notify(text.clean(str(error)), title="Edit", severity="error", markup=False)
            return
        try:
            self.edit_locally(draft.local)
            if draft.changed:
                if await draft.overtaken() and not await self._confirms_overwriting(entry):
                    self.notify(f"not written · your text is in {draft.local}", timeout=10, markup=False)
                    return
                await draft.put_back()
        except TROUBLE as error:
            self.notify(f"{text.clean(str(error))} · your text is in {draft.local}", title="Edit", severity="error", markup=False)
            return
        self.notify(f"{entry.name} written" if draft.changed else "nothing was changed", timeout=3, markup=False)
        draft.close()
        self.reload(content=True)

    async def _confirms_overwriting(self, entry: Entry) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        consequence = "It was changed where it is while you edited it: what was written there is lost."
        question = Confirm(f"Overwrite {entry.name}?", consequence, "Overwrite")
        self.app.push_screen(question, lambda yes: answer.set_result(bool(yes)))
        return await answer

    def edit_locally(self, path: str) -> None:
        """Gives the terminal to the person's editor until it ends. Raises ``MobyError``."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            with self.app.suspend():
                done = subprocess.run([*shlex.split(editor), path])
        except SuspendNotSupported:
            raise MobyError("this terminal cannot be given to an editor") from None
        except (OSError, ValueError) as error:
            raise MobyError(f"cannot run the editor {editor}: {error}; set EDITOR to another") from None
        if done.returncode:
            raise MobyError(f"the editor {editor} ended with exit code {done.returncode}; nothing was written")


def _needs(field: str) -> Callable[[Answers], str]:
    return lambda answers: "" if answers[field] else "name a path"

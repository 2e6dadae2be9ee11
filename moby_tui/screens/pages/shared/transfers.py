"""What the page of the images asks before images come and go: pull, push, load and save, and a further name."""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Sequence

from moby_tui.copying.whole import chunks_of, write_whole
from moby_tui.schema.image import Progress
from moby_tui.screens import text
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.form import Answers, Field
from moby_tui.screens.dialogs.transfer import TransferView
from moby_tui.screens.files.transfer import Transfer
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.images import Image
from moby_tui.screens.session.logins import login_for
from moby_tui.screens.session.trouble import TROUBLE


class TransfersPage(Page):
    """The page's own actions say when a form is opened."""

    def pull_form(self, known: Sequence[str]) -> None:
        """Asks which image to pull. ``known`` are names that the line offers."""

        def answered(answers: Answers | None) -> None:
            if answers:
                name = answers["name"]
                self._transfer(f"Pull {text.clean(name)}", self._pull(name), shlex.join(["moby", "pull", name]))

        fields = (Field("name", "Image", "", "name, name:tag or name@digest", known),)
        explanation = "Without a registry in its name it comes from Docker Hub."
        self.app.push_screen(Ask("Pull an image", explanation, fields, "Pull", _named), answered)

    def push_form(self, one: Image) -> None:
        """Asks under which of its names an image is pushed. Nothing is asked about an image without a name."""
        if not one.tags:
            return

        def answered(answers: Answers | None) -> None:
            if answers:
                name = answers["name"]
                self._transfer(f"Push {name}", self._push(name), shlex.join(["moby", "push", name]))

        fields = (Field("name", "Name", one.tags[0], "", one.tags),)
        explanation = "The registry is the one in the name: give the image another name (t) to send it elsewhere."
        self.app.push_screen(Ask("Push an image", explanation, fields, "Push", _named), answered)

    def load_form(self) -> None:
        """Asks which archive of this machine to load."""

        def answered(answers: Answers | None) -> None:
            if answers:
                path = os.path.expanduser(answers["name"])
                steps = self.session.client.images.load(chunks_of(path))
                self._transfer(f"Load {text.clean(path)}", steps, shlex.join(["moby", "load", "-i", path]))

        fields = (Field("name", "Archive", os.getcwd() + "/"),)
        explanation = "An archive that save has made, plain or compressed."
        self.app.push_screen(Ask("Load images", explanation, fields, "Load", _named), answered)

    def save_form(self, one: Image) -> None:
        """Asks to which file of this machine an image with all its names is written."""
        refs = list(one.tags) or [one.id]
        name = text.short_id(one.id) if not one.tags else one.tags[0].rpartition("/")[2].replace(":", "-")

        def answered(answers: Answers | None) -> None:
            if answers:
                path = os.path.expanduser(answers["name"])
                done = f"{one.name} written to {text.clean(path)}"
                command = shlex.join(["moby", "save", "-o", path, *refs])
                self.attempt("Save", lambda: write_whole(self.session.client.images.save(refs), path), done, command=command)

        fields = (Field("name", "To", os.path.join(os.getcwd(), f"{name}.tar")),)
        explanation = "An uncompressed tar, for load here or with docker."
        self.app.push_screen(Ask(f"Save {one.name}", explanation, fields, "Save", _named), answered)

    def tag_form(self, one: Image) -> None:
        """Asks for a further name of an image."""
        known = one.tags[0] if one.tags else text.short_id(one.id)

        def answered(answers: Answers | None) -> None:
            if answers:
                name = answers["name"]
                done = f"{known} is {text.clean(name)} too"
                tag = lambda: self.session.client.images.tag(one.id, name)  # noqa: E731
                self.attempt("Tag", tag, done, command=shlex.join(["moby", "tag", known, name]))

        fields = (Field("name", "Name", one.tags[0] if one.tags else "", "registry/name:tag"),)
        self.app.push_screen(Ask(f"Name {one.name}", "The names that it has stay.", fields, "Tag", _named), answered)

    async def _pull(self, name: str) -> AsyncIterator[Progress]:
        async for step in self.session.client.images.pull(name, auth=await login_for(name)):
            yield step

    async def _push(self, name: str) -> AsyncIterator[Progress]:
        async for step in self.session.client.images.push(name, auth=await login_for(name)):
            yield step

    def _transfer(self, title: str, coming: AsyncIterator[Progress], command: str) -> None:
        """Shows a transfer while it goes on."""
        transfer = Transfer()
        view = TransferView(title, transfer)

        async def follow() -> None:
            try:
                async for step in coming:
                    transfer.take(step)
            except TROUBLE as error:
                view.finish(f"failed: {text.clean(str(error))}")
                raise
            view.finish("done")

        self.app.push_screen(view)
        self.attempt(title, follow, f"{title}: done", command=command)


def _named(answers: Answers) -> str:
    return "" if answers["name"] else "give a name"

"""Makes an image of a container, from a form."""

from __future__ import annotations

from moby_tui.screens import text
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.form import YES, Answers, Field
from moby_tui.screens.forms.commit import Commit, commit_form
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.containers import Container

_ABOUT = "What it has written becomes a layer above its image; what is in its volumes does not."


def ask_commit(page: Page, one: Container) -> None:
    """Opens the form over a page. The image goes into the engine in which the container is."""
    form = commit_form(one.name)
    fields = [
        Field("reference", "Name of the image", hint="NAME or NAME:TAG; an image without a name is known by its id"),
        Field("message", "Message"),
        Field("author", "Author", hint="NAME <ADDRESS>"),
        Field("changes", "Instructions", hint="'CMD [\"nginx\"]' 'ENV MODE=fast'"),
    ]
    if one.running:
        fields.append(Field("pause", "Pause it meanwhile, so that its files do not change", YES, switch=True))

    def complete(answers: Answers) -> Answers:
        """What does not run needs no pause, and has no switch for it."""
        return {"pause": YES, **answers}

    def answered(answers: Answers | None) -> None:
        if answers is not None:
            commit = form.request(complete(answers))
            done = f"{text.clean(commit.reference) or 'an image'} was made of {one.name}"
            page.attempt("Commit", lambda: _carry_out(page, one, commit), done, command=form.line(complete(answers)))

    dialog = Ask(
        f"Image of {one.name}",
        _ABOUT,
        fields,
        "Commit",
        lambda answers: form.check(complete(answers)),
        lambda answers: form.line(complete(answers)),
    )
    page.app.push_screen(dialog, answered)


async def _carry_out(page: Page, one: Container, commit: Commit) -> None:
    await page.session.client.containers.commit(
        one.id,
        reference=commit.reference,
        message=commit.message,
        author=commit.author,
        changes=commit.changes,
        pause=commit.pause,
    )

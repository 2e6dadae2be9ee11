"""The actions that are there on every page."""

from __future__ import annotations

from moby_tui.screens.actions.action import Action

APPLICATION: tuple[Action, ...] = (
    Action(
        id="app.prompt", title="Command", keys="colon", key_display=":", call="prompt", footer=False,
        tooltip="Type a command, as :logs web; up has those from before, tab completes",
    ),
    Action(id="app.commands", title="Palette", keys="ctrl+p", call="command_palette", footer=False, tooltip="All commands, by their words"),
    Action(
        id="app.back", title="Back in places", keys="left_square_bracket,alt+left", call="place(-1)", footer=False, key_display="[",
        tooltip="Go back to where you were: page and row",
    ),
    Action(
        id="app.forward", title="Forward in places", keys="right_square_bracket,alt+right", call="place(1)", footer=False, key_display="]",
        tooltip="Go forward again",
    ),
    Action(
        id="app.jump", title="Jump", keys="ctrl+o", footer=False,
        tooltip="Put a letter on each part and row that is seen; the letter goes there",
    ),
    Action(id="app.theme", title="Theme", call="change_theme", tooltip="Choose the colours; each is shown while you are at it"),
    Action(id="app.quit", title="Quit", keys="q,ctrl+q", key_display="q", tooltip="Leave the dashboard; containers run on"),
    Action(id="app.help", title="Help", keys="question_mark,f1", key_display="?", tooltip="The keys of this page"),
)  # fmt: skip

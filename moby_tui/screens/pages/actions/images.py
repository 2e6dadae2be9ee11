"""What can be done on the page of the images."""

from __future__ import annotations

from moby_tui.screens.actions.action import Action, On
from moby_tui.screens.session.images import Image


def _is_named(image: Image) -> bool:
    return bool(image.tags)


IMAGE_ACTIONS: tuple[Action, ...] = (
    Action(
        id="image.run",
        title="Run",
        keys="n",
        tooltip="Fill in the form of moby run for the image, and run it",
        on=On.ROW,
        changes=True,
        command="moby run {names}",
    ),
    Action(
        id="image.remove",
        title="Remove",
        keys="d,delete",
        key_display="d",
        tooltip="Remove the image (asks first)",
        on=On.ROWS,
        changes=True,
        destroys=True,
        command="moby rmi {names}",
    ),
    Action(id="image.files", title="Files", keys="f", tooltip="Show the files of the image", on=On.ROW),
    Action(
        id="image.run_in_terminal",
        title="In a terminal",
        keys="r",
        tooltip="Run the image in a terminal",
        on=On.ROW,
        changes=True,
        command="moby run -it --rm {names}",
    ),
    Action(
        id="image.pull",
        title="Pull",
        keys="p",
        tooltip="Fetch an image from its registry",
        changes=True,
        command="moby pull IMAGE",
    ),
    Action(
        id="image.push",
        title="Push",
        keys="P",
        tooltip="Send the image to the registry that its name names",
        on=On.ROW,
        when=_is_named,
        footer=False,
        command="moby push {names}",
    ),
    Action(
        id="image.tag",
        title="Tag",
        keys="t",
        tooltip="Give the image a further name",
        on=On.ROW,
        changes=True,
        footer=False,
        command="moby tag {names} NAME",
    ),
    Action(
        id="image.save",
        title="Save",
        keys="w",
        tooltip="Write the image to an archive on this machine",
        on=On.ROW,
        footer=False,
        command="moby save -o FILE {names}",
    ),
    Action(
        id="image.load",
        title="Load",
        keys="L",
        tooltip="Take in the images of an archive on this machine",
        changes=True,
        footer=False,
        command="moby load -i FILE",
    ),
    Action(id="image.tab_layers", title="Layers", keys="l", call="tab('layers')", footer=False, tooltip="Show its layers"),
    Action(
        id="image.tab_wasted",
        title="Wasted",
        keys="b",
        call="tab('wasted')",
        footer=False,
        tooltip="Show the files of which copies are stored that nobody can see",
    ),
    Action(id="image.tab_users", title="Used by", keys="u", call="tab('users')", footer=False, tooltip="Show its containers"),
    Action(
        id="image.tab_claims",
        title="Attestations",
        keys="a",
        call="tab('claims')",
        footer=False,
        tooltip="Ask its registry who vouches for it: attestations and signatures",
    ),
    Action(id="image.tab_inspect", title="Inspect", keys="i", call="tab('inspect')", footer=False, tooltip="Show its settings"),
    Action(
        id="image.whole",
        title="All files",
        keys="c",
        footer=False,
        tooltip="In the layers: show all files that can be seen, or only those that the layer changes",
    ),
)

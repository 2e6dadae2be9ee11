"""What the pages of the engine and of the volumes share: a prune, which first shows what goes and how many bytes come back."""

from __future__ import annotations

from textual import work

from moby_tui.schema.system import PruneReport
from moby_tui.screens import text
from moby_tui.screens.dialogs.preview import Preview
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.trouble import TROUBLE
from moby_tui.screens.upkeep.prune import Prune, going


class PruningPage(Page):
    """The page's own action says which prune; ``pruned`` is called after one."""

    def pruned(self) -> None:
        """Something was taken away."""

    @work(group="preview", exclusive=True)
    async def preview_prune(self, prune: Prune) -> None:
        """Shows what would go. An engine that cannot tell is asked all the same, after the person was told so."""
        try:
            names, size = await self._going(prune)
        except TROUBLE as error:
            self._ask_blindly(prune, text.clean(str(error)))
            return
        if not names:
            self.notify(f"{prune.title}: there are none.", markup=False)
            return
        rows = [(str(place), name) for place, name in enumerate(names)]
        title = f"{prune.title}: remove {len(names)}?"
        back = f"{disk_size(size)} come back. " if size or prune.kind != "networks" else ""
        dialog = Preview(title, f"{back}{prune.consequence}", "Prune", rows, str(len(names)))
        self.app.push_screen(dialog, lambda yes: self._prune_now(prune) if yes else None)

    def _ask_blindly(self, prune: Prune, reason: str) -> None:
        dialog = Preview(
            f"{prune.title}: remove them?", f"What goes is not known: {reason}. {prune.consequence}", "Prune", [], "prune"
        )
        self.app.push_screen(dialog, lambda yes: self._prune_now(prune) if yes else None)

    async def _going(self, prune: Prune) -> tuple[list[str], int]:
        client = self.session.client
        if prune.kind == "networks":
            unused = await client.networks.list(filters={"dangling": ["true"]})
            return [text.clean(one.name) for one in unused], 0
        return going(await client.system.prunable(prune.options))

    def _prune_now(self, prune: Prune) -> None:
        async def carry_out() -> None:
            back = disk_size(await self._prune(prune))
            self.notify("removed" if prune.kind == "networks" else f"{back} came back", title=prune.title, markup=False)
            self.pruned()

        self.attempt(f"Prune: {prune.title.lower()}", carry_out, command=f"{prune.command} --force")

    async def _prune(self, prune: Prune) -> int:
        client, report = self.session.client, PruneReport()
        if prune.kind == "containers":
            report.containers = await client.containers.prune(filters=prune.request_filters)
        elif prune.kind == "images":
            report.images = await client.images.prune(filters=prune.request_filters)
        elif prune.kind == "volumes":
            report.volumes = await client.volumes.prune(filters=prune.request_filters)
        elif prune.kind == "build":
            report.build = await client.builder.prune(filters=prune.request_filters)
        else:
            await client.networks.prune()
        return going(report)[1]


def disk_size(count: int) -> str:
    """Bytes as the disk's use is told: in steps of 1000."""
    return text.size(count, step=1000)

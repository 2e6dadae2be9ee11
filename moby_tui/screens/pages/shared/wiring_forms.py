"""The forms that put a container into a network, take it out, and change ports."""

from __future__ import annotations

from moby_tui.errors import MobyError
from moby_tui.screens import text
from moby_tui.screens.dialogs.ask import Ask
from moby_tui.screens.dialogs.form import YES, Answers, Field
from moby_tui.screens.pages.page import Page
from moby_tui.screens.session.containers import Container
from moby_tui.screens.session.trouble import TROUBLE
from moby_tui.screens.topology import wiring


class WiringForms:
    """Opens the forms over a page."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session

    async def connect(self, one: Container | None, network: str = "") -> None:
        """Asks into which network a container goes, or without one which container goes into the network."""
        try:
            networks = {text.clean(each.name): each.id for each in await self._session.client.networks.list()}
        except TROUBLE as error:
            self._page.notify(text.clean(str(error)), severity="error", timeout=10, markup=False)
            return
        free = [name for name, key in networks.items() if name not in wiring.LONELY and not (one and one.is_in(name, key))]
        outside = [row.name for row in self._session.model.sorted() if not row.is_in(network, networks.get(network, ""))]
        if one and (not free or network not in free):
            network = free[0] if len(free) == 1 else ""
        fields = (
            Field("container", "Container", one.name if one else "", choices=() if one else outside),
            Field("network", "Network", network, "NAME", choices=free),
            Field("aliases", "Aliases", hint="more names of it in that network, blanks between them"),
            Field("ipv4", "IPv4 address", hint="the engine chooses one"),
            Field("ipv6", "IPv6 address", hint="the engine chooses one, if the network has IPv6"),
        )

        def answered(answers: Answers | None) -> None:
            if answers:
                settings, name, target = wiring.endpoint(answers), answers["container"], answers["network"]
                self._page.attempt(
                    "Connect",
                    lambda: self._session.client.networks.connect(target, self._id_of(name), settings),
                    f"{text.clean(name)} is in {text.clean(target)}",
                    command=wiring.connect_line(answers),
                )

        there = f"It is in {one.networks or 'no network'}." if one else "A container that runs is in it at once."
        title = f"Connect {one.name}" if one else f"Connect a container to {network}"
        dialog = Ask(title, there, fields, "Connect", wiring.check_connection, wiring.connect_line)
        self._page.app.push_screen(dialog, answered)

    def disconnect(self, one: Container, network: str = "") -> None:
        """Asks which network a container leaves."""
        places = one.in_networks
        first = network if network in places else places[0] if len(places) == 1 else ""
        fields = (
            Field("network", "Network", first, "NAME", choices=places),
            Field("force", "Also if the container is in disorder (--force)", switch=True),
        )

        def line(answers: Answers) -> str:
            return wiring.disconnect_line(answers["network"], one.name, force=answers["force"] == YES)

        def answered(answers: Answers | None) -> None:
            if answers:
                target, force = answers["network"], answers["force"] == YES
                self._page.attempt(
                    "Disconnect",
                    lambda: self._session.client.networks.disconnect(target, one.id, force=force),
                    f"{one.name} has left {text.clean(target)}",
                    command=line(answers),
                )

        consequence = "Its connections by that network break, and its address and names there are free for others."
        check = lambda answers: "" if answers["network"] else "name a network"  # noqa: E731
        self._page.app.push_screen(Ask(f"Disconnect {one.name}", consequence, fields, "Disconnect", check, line), answered)

    def ports(self, one: Container) -> None:
        """Asks which ports are published and withdrawn, also while the container runs."""
        known = wiring.published(one.ports)
        fields = (
            Field("publish", "Publish", hint="8443:443 127.0.0.1:53:53/udp"),
            Field("withdraw", "Withdraw", hint="8080 53/udp", choices=known),
        )
        reader = self._page.workspace.command_line.read_run

        def check(answers: Answers) -> str:
            try:
                wiring.port_changes(answers, reader)
            except (MobyError, ValueError) as error:
                return text.clean(str(error))
            return ""

        def answered(answers: Answers | None) -> None:
            if answers:
                changes = wiring.port_changes(answers, reader)
                self._page.attempt(
                    "Ports",
                    lambda: self._session.client.containers.change_ports(one.id, changes),
                    f"the ports of {one.name} are changed",
                    command=wiring.ports_line(answers, one.name),
                )

        there = (
            f"Published now: {one.ports or 'none'}."
            if one.running
            else "It does not run: the change holds from its next start on."
        )
        dialog = Ask(f"Ports of {one.name}", there, fields, "Change", check, lambda answers: wiring.ports_line(answers, one.name))
        self._page.app.push_screen(dialog, answered)

    def _id_of(self, name: str) -> str:
        """The id of a container; what has no row here is left to the engine."""
        return next((row.id for row in self._session.model.rows() if row.name == name), name)

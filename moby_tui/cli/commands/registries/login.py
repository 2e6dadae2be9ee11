"""``moby login`` and ``moby logout``: what is kept is what docker keeps, where docker keeps it."""

from __future__ import annotations

import sys

from moby_tui import logins
from moby_tui.cli import session
from moby_tui.errors import InvalidArgument
from moby_tui.schema.image import RegistryAuth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.declare import Options
    from moby_tui.cli.table.nounless import LoginOptions


def login(options: LoginOptions, server: str) -> None:
    """``moby login``."""
    domain = logins.domain_of(server)
    auth = RegistryAuth(serveraddress=domain)
    auth.username, auth.password = _credentials(domain, options.username, options.password, from_stdin=options.password_stdin)
    answer = session.call(lambda client: client.system.login(auth))
    if answer.identity_token:
        auth.identitytoken = answer.identity_token
    file = logins.store(domain, auth, session.current().login_folder)
    if file:
        print(
            f"WARNING! Your credentials are stored unencrypted in {file!r}.\n"
            "Configure a credential helper to remove this warning.",
            file=sys.stderr,
        )
    print(answer.status)


def _credentials(domain: str, username: str, password: str, *, from_stdin: bool) -> tuple[str, str]:
    """What was given, or what a person types. Raises ``InvalidArgument`` where neither is enough."""
    if from_stdin:
        if password:
            raise InvalidArgument("--password and --password-stdin are mutually exclusive")
        if not username:
            raise InvalidArgument("the --password-stdin option requires --username to be set")
        password = sys.stdin.read().rstrip("\r\n")
    elif password:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
    if not (username and password) and not (sys.stdin.isatty() and not from_stdin):
        raise InvalidArgument(f"no login for {domain}: give --username and --password-stdin, or run it in a terminal")
    if not username:
        known = logins.find(domain, session.current().login_folder)
        shown = f" ({known.username})" if known and known.username else ""
        username = input(f"Username{shown}: ").strip() or (known.username if known else "")
    if not password:
        import getpass

        password = getpass.getpass("Password: ")
    if not username or not password:
        raise InvalidArgument("username and password are required")
    return username, password


def logout(options: Options, server: str) -> None:
    """``moby logout``."""
    domain = logins.domain_of(server)
    if logins.erase(domain, session.current().login_folder):
        print(f"Removing login credentials for {domain}")
    else:
        print(f"Not logged in to {domain}")

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


#: How docker names the registry that it uses without a name.
_HUB = "https://index.docker.io/v1/"


def login(options: LoginOptions, server: str) -> None:
    """``moby login``."""
    domain = logins.domain_of(server)
    folder = session.current().login_folder
    known = logins.find(domain, folder)
    auth = _stored(known, options)
    if auth is None:
        auth = RegistryAuth(serveraddress=domain)
        auth.username, auth.password = _credentials(known, options)
    answer = session.call(lambda client: client.system.login(auth))
    if answer.identity_token:
        auth.identitytoken = answer.identity_token
    is_new = known is None or (known.username, known.password, known.identitytoken) != (
        *(auth.username, auth.password),
        auth.identitytoken,
    )
    file = logins.store(domain, auth, folder) if is_new else None
    if file:
        print(
            f"\nWARNING! Your credentials are stored unencrypted in '{file}'.\n"
            "Configure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n",
            file=sys.stderr,
        )
    print(answer.status)


def _stored(known: RegistryAuth | None, options: LoginOptions) -> RegistryAuth | None:
    """The login that is there already, for a command line that gives none."""
    if known is None or not known.username or options.username or options.password or options.password_stdin:
        return None
    print(
        f"Authenticating with existing credentials... [Username: {known.username}]\n\n"
        " Info -> To login with a different account, run 'docker logout' followed by 'docker login'\n\n",
        file=sys.stderr,
    )
    return known


def _credentials(known: RegistryAuth | None, options: LoginOptions) -> tuple[str, str]:
    """What was given, or what a person types. Raises ``InvalidArgument`` where neither is enough."""
    username, password = options.username or "", options.password or ""
    if options.password_stdin:
        if password:
            raise InvalidArgument("conflicting options: cannot specify both --password and --password-stdin")
        if not username:
            raise InvalidArgument("the --password-stdin option requires --username to be set")
        password = sys.stdin.read().rstrip("\r\n")
    elif options.username == "":
        raise InvalidArgument("username is empty")
    elif password:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
    if not (username and password) and not sys.stdin.isatty():
        raise InvalidArgument("Error: Cannot perform an interactive login from a non TTY device")
    if not username:
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
    print(f"Removing login credentials for {_HUB if domain == 'docker.io' else domain}")
    logins.erase(domain, session.current().login_folder)

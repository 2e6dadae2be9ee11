"""Secrets: ls, create, rm. ``inspect`` is in its own module."""

from __future__ import annotations

from moby_tui.cli import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from moby_tui.cli.table.secrets import SecretCreateOptions, SecretLsOptions, SecretRmOptions


_HEADINGS = {"ID": "ID", "Name": "NAME", "Driver": "DRIVER", "CreatedAt": "CREATED", "UpdatedAt": "UPDATED", "Labels": "LABELS"}


def ls(options: SecretLsOptions) -> None:
    """``moby secret ls``."""
    from moby_tui.cli.output.table import formatted
    from moby_tui.cli.values.filters import parse_filters
    from moby_tui.cli.values.moments import ago, seconds_of

    filters = parse_filters(options.filter)
    rows = [
        {
            "ID": secret.id,
            "Name": secret.spec.name,
            "Driver": "",
            "CreatedAt": ago(seconds_of(secret.created_at)),
            "UpdatedAt": ago(seconds_of(secret.updated_at)),
            "Label": secret.spec.labels or {},
            "Labels": ",".join(f"{key}={value}" for key, value in sorted((secret.spec.labels or {}).items())),
        }
        for secret in session.call(lambda client: client.secrets.list(filters=filters))
    ]
    columns = ("ID", "Name", "CreatedAt", "UpdatedAt")
    for line in (
        [row["ID"] for row in rows]
        if options.quiet and not options.format
        else formatted(options.format, _HEADINGS, columns, rows)
    ):
        print(line)


def create(options: SecretCreateOptions, name: str, source: str) -> None:
    """``moby secret create``."""
    from moby_tui.cli.values.environment import pairs
    from moby_tui.cli.values.secrets import read
    from moby_tui.schema.secret import SecretCreate

    config = SecretCreate(name=name, labels=pairs("--label", options.label) or None, data=read(source))
    print(session.call(lambda client: client.secrets.create(config)).id)


def rm(options: SecretRmOptions, secrets: list[str]) -> int:
    """``moby secret rm``."""
    if options.dry_run:
        from moby_tui.cli.commands import dry_run

        return dry_run.tell(secrets, lambda look, ref: look.secret(ref))
    return session.call_each(secrets, lambda client, ref: client.secrets.remove(ref))

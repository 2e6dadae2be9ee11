"""Secrets."""

from __future__ import annotations

from moby_tui.cli.table.declare import Argument, Command, FormatOptions, Noun, Options, dry_run, many, switch, table_format


class SecretCreateOptions(Options):
    label: list[str] = many("-l", "--label", help="Set metadata for a secret")


class SecretLsOptions(Options):
    filter: list[str] = many("-f", "--filter", help='Provide filter values (e.g. "name=web")', metavar="filter")
    format: str = table_format()
    quiet: bool = switch("-q", "--quiet", help="Only display secret IDs")


class SecretRmOptions(Options):
    dry_run: bool = dry_run()


SECRET = Noun(
    "secret",
    "Manage secrets",
    Command(
        "create",
        "secrets:create",
        SecretCreateOptions,
        Argument("name", "SECRET"),
        Argument("source", "FILE|-", completes="files"),
        help="Create a secret from a file, or from STDIN for '-'.",
        examples=(
            "moby secret create web_token ./token.txt",
            "pass show web | moby secret create --label team=web web_token -",
            "moby run --secret web_token,uid=1000,mode=0400 IMAGE",
        ),
    ),
    Command(
        "inspect",
        "inspect:secret",
        FormatOptions,
        Argument("names", "SECRET...", many=True, completes="secrets"),
        help="Display detailed information on one or more secrets, but for what they hold.",
        examples=("moby secret inspect web_token",),
    ),
    Command(
        "ls",
        "secrets:ls",
        SecretLsOptions,
        help="List secrets.",
        examples=(
            "moby secret ls",
            "moby secret ls --filter name=web -q",
        ),
        aliases=("list",),
    ),
    Command(
        "rm",
        "secrets:rm",
        SecretRmOptions,
        Argument("secrets", "SECRET...", many=True, completes="secrets"),
        help="Remove one or more secrets that no container refers to.",
        examples=("moby secret rm web_token",),
        aliases=("remove",),
        destroys=True,
    ),
)

"""The flags that every tool of a family has, declared once: `cli` reads them from these signatures."""

from __future__ import annotations

from sptools.units import Count, File, Level, Name, Place, Seconds, Time

# Flags that end the run or say how to read the others; they come from the command line alone.
ACTIONS = ("config", "print_config", "print_completion", "version", "help")
SHELLS = ("bash", "zsh", "fish")


def filters(
    *,
    output: list[Place] = ["-"],  # noqa: B006  read as text, never called
    text: bool = False,
    json: bool = False,
    channel: list[Name] = [],  # noqa: B006
    duration: Seconds | None = None,
    count: Count | None = None,
    since: Time | None = None,
    until: Time | None = None,
    last: Seconds | None = None,
    stats: File | None = None,
    verbose: Level = 0,
    quiet: bool = False,
    config: File | None = None,
    print_config: bool = False,
    print_completion: Name | None = None,
    version: bool = False,
    help: bool = False,
) -> None:
    """The flags of sp-capture, sp-demod, sp-psd, sp-cat: input to output.

    Settings:
        output: where the records go; repeat it for several; - is standard output
        text: a text line for each record
        json: a JSON line for each record
        channel: take this channel of the input; repeat it for several
        duration: stop after this time of signal
        count: stop after so many samples, or rows or messages
        since: from this time on (UTC unless it has a zone; 14:00 is today)
        until: up to this time
        last: only the last part of the input, as long as this
        stats: write the final tally as JSON into this file
        verbose: say more on standard error; -vv says most
        quiet: say errors only
        config: read this configuration file first
        print_config: print the configuration with its origins and stop
        print_completion: print the completion script for bash, zsh or fish and stop
        version: print name and version and stop
        help: print this help and stop
    """


def every(
    *,
    verbose: Level = 0,
    quiet: bool = False,
    config: File | None = None,
    print_config: bool = False,
    print_completion: Name | None = None,
    version: bool = False,
    help: bool = False,
) -> None:
    """The flags that every tool has, for those that are no filters.

    Settings:
        verbose: say more on standard error; -vv says most
        quiet: say errors only
        config: read this configuration file first
        print_config: print the configuration with its origins and stop
        print_completion: print the completion script for bash, zsh or fish and stop
        version: print name and version and stop
        help: print this help and stop
    """


def movers(
    *,
    channel: list[Name] = [],  # noqa: B006
    duration: Seconds | None = None,
    count: Count | None = None,
    since: Time | None = None,
    until: Time | None = None,
    last: Seconds | None = None,
    stats: File | None = None,
    verbose: Level = 0,
    quiet: bool = False,
    config: File | None = None,
    print_config: bool = False,
    print_completion: Name | None = None,
    version: bool = False,
    help: bool = False,
) -> None:
    """The flags of the tools that are like cp: sources and a destination.

    Settings:
        channel: take this channel of the input; repeat it for several
        duration: stop after this time of signal
        count: stop after so many samples, or rows or messages
        since: from this time on (UTC unless it has a zone; 14:00 is today)
        until: up to this time
        last: only the last part of the input, as long as this
        stats: write the final tally as JSON into this file
        verbose: say more on standard error; -vv says most
        quiet: say errors only
        config: read this configuration file first
        print_config: print the configuration with its origins and stop
        print_completion: print the completion script for bash, zsh or fish and stop
        version: print name and version and stop
        help: print this help and stop
    """

"""A signature becomes a command. The one door of typer, and the one place that prints errors and sets exit codes.

`main = entry(__file__)` in a file of `cmd/` makes the program of the function that is named like the file. Help,
version, configuration and completion come from the description, before typer is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from sptools import log
from sptools.describe import SHORT, Setting
from sptools.errors import IOFailure, SpError, Usage, guess
from sptools.interface import Interface, Scan, scan


def entry(
    path: str, *, modes: str | None = None, drivers: bool = False, family: str = "filters"
) -> Callable[..., NoReturn]:
    """The program of a command file. `modes`: its first argument names one of that kind, whose settings join its
    flags (sp-demod); `drivers`: it names a receiver (sp-capture); `family`: the common flags that it has."""
    scope = sys._getframe(1).f_globals
    name = os.path.splitext(os.path.basename(path))[0]

    def main(argv: list[str] | None = None) -> NoReturn:
        interface = Interface(path, modes="drivers" if drivers else modes, endpoint=drivers, family=family)
        finish(interface, lambda run, arguments: scope[name](run, **arguments), argv)

    return main


def finish(interface: Interface, command: Callable, argv: list[str] | None) -> NoReturn:
    """Runs the command and ends the process as L4 says."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    log.configure(interface.program)
    # BLAS would start a thread per core, at 1.6 times the CPU for a tenth of the time; numpy is imported later
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # numpy's, of samples that overflow: they are for developers (python -W default)
    verbose = 0
    try:
        hold_streams()
        found = scan(arguments, interface.known)
        verbose = found.flags.get("verbose", 0)
        log.configure(interface.program, verbose, "quiet" in found.flags)
        code = dispatch(interface, command, arguments, found)
    except BrokenPipeError:
        die(signal.SIGPIPE)
    except KeyboardInterrupt:
        die(signal.SIGINT)
    except SpError as error:
        code = error.code
        log.error(str(error))
        if verbose > 1:
            show_traceback()
    except MemoryError:
        code = 70
        log.error("out of memory")
    except Exception as error:
        code = 70
        log.error(f"this is a bug: {type(error).__name__}: {error}{'' if verbose > 1 else ' (-vv shows where)'}")
        if verbose > 1:
            show_traceback()
    sys.exit(code)


def dispatch(interface: Interface, command: Callable, arguments: list[str], found: Scan) -> int:
    """Answers the flags that end the run, else runs the command; gives the exit code."""
    ask = found.flags
    if "version" in ask:
        from sptools import __version__

        return tell(f"{interface.program} {__version__}\n")
    if "print_completion" in ask:
        from sptools.render import completion

        return tell(completion.render(interface, ask["print_completion"][-1]))
    if "help" in ask:
        interface.choose(found, strict=False)
        from sptools.render import help

        return tell(help.render(interface))
    if "print_config" in ask:
        interface.choose(found, strict=False)
        from sptools.render import config

        return tell(config.render(interface, ask))
    interface.choose(found)
    flags = parse(interface, arguments)
    run, values = interface.resolve(flags)
    log.configure(interface.program, run.verbose, run.quiet)
    for line in interface.warnings():
        log.warning(line)
    return command(run, values) or 0


def tell(text: str) -> int:
    """Writes an answer to stdout. A full disk is an error like any other, not a traceback at exit."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise IOFailure(f"standard output: {error.strerror}") from None
    return 0


def hold_streams() -> None:
    """Makes sure that 0, 1 and 2 are taken, so that no file opened later gets mistaken for one of them."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            if fd == 1:
                raise IOFailure("standard output is closed") from None
            os.open(os.devnull, os.O_RDONLY if fd == 0 else os.O_WRONLY)


def die(number: signal.Signals) -> NoReturn:
    """Dies of the signal itself, so that the shell and systemd see the truth (128 + number)."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # not reached


def show_traceback() -> None:
    import traceback

    os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))


def parse(interface: Interface, arguments: list[str]) -> dict[str, Any]:
    """Raw texts by name from a command line: str, list of str, bool or int. typer does the parsing, we the values."""
    import inspect

    import typer

    found: dict[str, Any] = {}

    def collect(**given: Any) -> None:
        # a count of 0 is a flag that was not given; False is --no-x
        found.update({k: v for k, v in given.items() if v is False or (v is not None and v != [] and v != 0)})

    parameters = [_parameter(typer, setting) for setting in (*interface.positional, *interface.settings)]
    # typer reads a function's signature; this one is made up from the description
    collect.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=d, annotation=a) for n, d, a in parameters]
    )
    collect.__annotations__ = {name: annotation for name, _, annotation in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(add_help_option=False)(collect)
    try:
        app(arguments, prog_name=interface.program, standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own errors have it
            raise
        if hasattr(error, "possibilities"):
            raise Usage(_no_flag(interface, error.option_name)) from None  # type: ignore[attr-defined]
        words = error.format_message().rstrip(".")
        raise Usage(f"{words[:1].lower()}{words[1:]} (try {interface.program} --help)") from None
    return _single(interface, found)


def _no_flag(interface: Interface, flag: str) -> str:
    """The sentence for a flag that nobody has."""
    if flag in ("--rate", f"-{SHORT['rate']}") and interface.tool != "capture":
        output = "; -r is the output's" if any(s.short == "-r" for s in interface.settings) else ""
        return f"no such option: {flag}: the input tells its rate; for raw samples: fm.cu8,rate=2.4M{output}"
    known = [f for s in interface.settings for f in (s.flag, s.negative) if f]
    meant = guess(flag, known).rstrip() if flag.startswith("--") else ""
    return f"no such option: {flag}{': ' if meant else ''}{meant} (try {interface.program} --help)"


def _parameter(typer: Any, setting: Setting) -> tuple[str, Any, Any]:
    """(name, typer's declaration, type of the raw value) of one setting; None says that it was not given."""
    if setting.positional:
        if setting.many:
            return setting.name, typer.Argument(None, metavar=setting.name.upper()), list[str]
        return setting.name, typer.Argument(None, metavar=setting.name.upper()), str
    names = [setting.flag, *([setting.short] if setting.short else [])]
    if setting.counts:
        return setting.name, typer.Option(0, *names, count=True), int
    if setting.switch:
        names[0] += f"/{setting.negative}" if setting.negative else ""
        # without its own secondary name typer would invent --no-x for every switch
        return setting.name, typer.Option(None, *names), bool
    return setting.name, typer.Option(None, *names), list[str]


def _single(interface: Interface, found: dict[str, Any]) -> dict[str, Any]:
    """Values of flags that do not repeat, out of their lists; twice is an error rather than a silent choice."""
    for setting in interface.settings:
        raw = found.get(setting.name)
        if isinstance(raw, list) and not setting.many:
            if len(raw) > 1:
                raise Usage(f"{setting.flag} is given twice: {' and '.join(raw)}")
            found[setting.name] = raw[0]
    return found

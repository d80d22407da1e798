"""What can go wrong. The class carries the exit status (sysexits) and whether a supervisor should restart the tool.

Libraries raise these; only `cli` prints. A message says what, which value, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class SpError(Exception):
    """Base of all expected failures. A subclass sets `code`, `restart` and perhaps `says`, a format over its facts."""

    code = 70
    restart = True
    says = "{what}"

    def __init__(self, what: str = "", **facts: object):
        self.facts = {"what": what, **facts}
        super().__init__(what)

    def __str__(self) -> str:
        return self.says.format(**self.facts)


class Usage(SpError):
    """The command line or an endpoint is wrong."""

    code, restart = 2, False


class BadData(SpError):
    """Damaged or foreign data; the good part was delivered."""

    code = 65


class NoInput(SpError):
    """An input does not exist or holds nothing at all."""

    code = 66


class Unavailable(SpError):
    """A receiver, library or peer is not there."""

    code = 69


class Bug(SpError):
    """Our own fault."""

    code = 70


class CannotCreate(SpError):
    """An output cannot be made."""

    code = 73


class IOFailure(SpError):
    """Reading or writing failed half way: disk full, I/O error."""

    code = 74


class TryAgain(SpError):
    """It may work later."""

    code = 75


class NoPermission(SpError):
    """The operating system or a peer refuses."""

    code, restart = 77, False


class BadConfig(SpError):
    """A configuration file, environment variable or credential is wrong."""

    code, restart = 78, False


class Measured(Usage):
    """One that says frequencies or rates, as the user writes them: 2.4M."""

    def __str__(self) -> str:
        from sptools.units import format_scaled

        scaled = {k: format_scaled(round(v)) for k, v in self.facts.items() if isinstance(v, int | float)}
        return self.says.format(**{**self.facts, **scaled})


class RateTooLow(Measured):
    """The input is narrower than what is asked of it."""

    says = "{what} needs at least {need} samples/s, the input has {have}: capture with a higher -s"


class SourceTooSlow(RateTooLow):
    """A source cannot be made so narrow."""

    says = "{what} needs at least {need} samples/s, you asked for {have}: give a higher rate, or none"


class OutsideBand(Measured):
    """A frequency lies outside the captured band."""

    says = "{freq} is outside the captured band {low} to {high}: tune nearer or capture wider"


# An input that ends like this was good until then; what it gave is delivered and the outputs are whole.
FAILS_LATE = (BadData, NoInput, Unavailable, IOFailure)


def near(word: str, valid: Iterable[str]) -> str:
    """The one of `valid` that was probably meant by `word`, or nothing."""
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in valid}
    found = get_close_matches(word.lower(), by_lower, 1, 0.65)
    return by_lower[found[0]] if found else ""


def guess(word: str, valid: Iterable[str], before: str = "") -> str:
    """`did you mean x? `, or nothing. `before` stands before the guess, as `--` of a flag."""
    found = near(word, valid)
    return f"did you mean {before}{found}? " if found else ""


def all_codes() -> dict[int, bool]:
    """Exit status → should a supervisor restart, over all classes here; the unit files are generated from it."""
    found: dict[int, bool] = {}
    pending: list[type[SpError]] = [SpError]
    while pending:
        cls = pending.pop()
        found.setdefault(cls.code, cls.restart)
        pending += cls.__subclasses__()
    return dict(sorted(found.items()))

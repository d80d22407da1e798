"""What can go wrong. The class carries the exit status (sysexits) and whether a supervisor should restart the tool.

Libraries raise these; only `cli` prints. A message says what, which value, and what to do.
"""


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


class RateTooLow(Usage):
    """The input is narrower than what is asked of it."""

    says = "{what} needs at least {need:g} samples/s, the input has {have:g}: capture with a higher -s"


class OutsideBand(Usage):
    """A frequency lies outside the captured band."""

    says = "{freq:.0f} Hz is outside the captured band {low:.0f} to {high:.0f} Hz: tune nearer or capture wider"


# An input that ends like this was good until then; what it gave is delivered and the outputs are whole.
FAILS_LATE = (BadData, NoInput, Unavailable, IOFailure)


def all_codes() -> dict[int, bool]:
    """Exit status → should a supervisor restart, over all classes here; the unit files are generated from it."""
    found: dict[int, bool] = {}
    pending: list[type[SpError]] = [SpError]
    while pending:
        cls = pending.pop()
        found.setdefault(cls.code, cls.restart)
        pending += cls.__subclasses__()
    return dict(sorted(found.items()))

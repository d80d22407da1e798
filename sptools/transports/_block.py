"""Lets a deadline interrupt a system call that blocks.

Python retries a call that a signal interrupted, unless the signal's handler raises. A handler that raises anywhere could
cut a block in half, so ours raises only while the program stands inside `blocking()`; everywhere else it waits.
"""

from collections.abc import Callable


class Deadline(BaseException):
    """The time that SIGTERM grants is over, and a system call still blocks."""


class Stopped(Deadline):
    """A live input was told to stop and still waits for the rest of something: that rest is nobody's loss."""


live: list[Callable[[], None]] = []
"""Inputs that never end by themselves (sockets, brokers) put their `stop` here while they are open. SIGTERM calls them,
from inside its handler: set a flag, shut down, wake; nothing that waits."""


class blocking:
    """`with blocking(): os.read(…)`. Cheap: one per system call. `enter` refuses once the deadline has passed."""

    active = False
    expired = False

    def __enter__(self) -> None:
        blocking.active = True
        if blocking.expired:
            blocking.active = False
            raise Deadline

    def __exit__(self, *_: object) -> None:
        blocking.active = False


def expire() -> None:
    """Called by the signal handler when the deadline is over; it must be called again until the program ends."""
    blocking.expired = True
    if blocking.active:
        blocking.active = False
        raise Deadline


def stop() -> None:
    """Called by the handler of SIGTERM."""
    for call in tuple(live):
        call()

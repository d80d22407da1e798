"""Carries what a spool holds to a peer: connects, sends, takes acknowledgements, and connects again when the peer was gone.

A peer that answers decides when a block has arrived. One that never does gets the stream as it is: what the kernel took
from us counts as delivered, once the peer had 10 s to show that it answers, or closed the connection in good order.
"""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sptools import errors, log
from sptools.spool.blocks import Entry
from sptools.spool.cursor import Cursor
from sptools.spool.store import Spool
from sptools.transports._budget import Budget
from sptools.transports._stream import ACK, Link, hand_over

FIRST_s, LONGEST_s = 0.5, 30.0  # pauses between two attempts
SILENT_s = 10.0  # a peer that has not answered by then does not
HALF_CLOSE_s = 2.0  # at the end, an answering peer may need the end of the stream before it writes its last block
MOST = 65_536  # blocks on the way to a peer that answers


class Courier(threading.Thread):
    """Runs until the spool is closed and empty, `halt` is called, or something happens that waiting does not heal."""

    def __init__(self, spool: Spool, peer: Any, *, fail_fast: bool = False, rate: float | None = None):
        super().__init__(name=f"courier to {peer.name}", daemon=True)
        self.spool, self.peer, self.fail_fast = spool, peer, fail_fast
        self.budget = Budget(rate) if rate else None
        self.failure: errors.SpError | None = None
        self.connections = self.delivered = 0
        self.unconfirmed = 0  # blocks that a silent peer got
        self.halted = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._idle = threading.Event()
        self.on_failure: Callable[[], None] = lambda: None
        self._tries = 0
        spool.wake = self.wake

    def wake(self) -> None:
        os.eventfd_write(self._wake, 1)

    def halt(self) -> None:
        """Stops soon; what is not acknowledged stays in the spool."""
        self.halted = True
        self._idle.set()
        self.wake()

    def run(self) -> None:
        try:
            while not self.halted and not (self.spool.closed and self.spool.empty):
                try:
                    self._deliver(self.peer.connect())
                except errors.Unavailable as error:
                    if self.fail_fast:
                        raise
                    self._pause(error)
        except errors.SpError as error:
            self.failure = error
        except Exception as error:
            if self.halted:  # the spool is closed already
                return
            self.failure = errors.Bug(f"this is a bug: {type(error).__name__}: {error}")
        self.spool.abandon(self.failure)
        if self.failure:
            self.on_failure()

    def _pause(self, error: errors.SpError) -> None:
        """Twice as long each time, and each time another part of it, so that a hundred senders do not come at once."""
        longest = min(LONGEST_s, FIRST_s * 2 ** min(self._tries, 10))
        seconds = random.uniform(longest / 2, longest)
        (log.notice if not self._tries else log.info)(f"{error}; trying again in {seconds:.1f} s")
        self._tries += 1
        end = time.monotonic() + seconds
        while not self._idle.is_set() and (left := end - time.monotonic()) > 0:
            self._idle.wait(min(left, 1.0))
            self.spool.tick()

    def _deliver(self, link: Link) -> None:
        self.connections += 1
        talk = Talk(self, link)
        try:
            talk()
        except BaseException:
            link.close(False)
            talk.give_up()
            raise
        finally:
            talk.cursor.close()
            link.close()

    # ------------------------------------------------------------ told by the conversation
    def arrived(self, entries: list[Entry]) -> None:
        self._tries = 0
        self.delivered += len(entries)
        last = entries[-1]
        self.spool.acked(last.segment, last.end)


class Talk:
    """One connection: what was sent and is not acknowledged, in the order of sending."""

    def __init__(self, courier: Courier, link: Link):
        self.courier, self.spool, self.link = courier, courier.spool, link
        self.cursor = Cursor(courier.spool)
        self.on_way: deque[Entry] = deque()
        self.open: dict[tuple[bytes, int], int] = {}  # (boot, number) → how often it is on the way
        self.answers: dict[tuple[bytes, int], int] = {}  # acknowledged, but not the oldest
        self.views: list[memoryview] = []
        self.loaded = self.gone = 0  # bytes: taken out of the spool, taken by the kernel
        self.loads: deque[tuple[int, int]] = deque()  # (bytes, blocks) up to the end of each load, for a silent peer
        self.begun = time.monotonic()
        self.input = bytearray(ACK.size * 4096)
        self.part = b""  # of an answer
        self.ended = self.closing = False
        self.moved = self.begun  # when something was last sent or answered

    def __call__(self) -> None:
        while not self.courier.halted:
            if not self.views:
                self._load()
            if self.views:
                self._send()
            elif self.spool.closed and self._finished():
                return
            self._listen()
            if not self.spool.answers:
                self._silent()
            self.spool.tick()
            self._wait()

    # ------------------------------------------------------------ out
    def _load(self) -> None:
        if self.spool.answers and len(self.on_way) >= MOST:
            return
        pieces, entries = self.cursor.take()
        self.views = [memoryview(p) for p in pieces if len(p)]
        for entry in entries:
            who = entry.key[1], entry.number
            self.open[who] = self.open.get(who, 0) + 1
        self.on_way.extend(entries)
        self.loaded += sum(map(len, self.views))
        if entries and not self.spool.answers:
            self.loads.append((self.loaded, len(entries)))

    def _send(self) -> None:
        while self.views:
            budget = self.courier.budget
            if budget and budget.wait() > 0:
                return
            sent = self.link.send([self.views[0][:65536]] if budget else self.views)
            if not sent:
                return
            if budget:
                budget.spend(sent)
            self.moved, self.gone = time.monotonic(), self.gone + sent
            while self.views and sent >= len(self.views[0]):
                sent -= len(self.views.pop(0))
            if sent:
                self.views[0] = self.views[0][sent:]

    def _finished(self) -> bool:
        """All is sent and nothing more will come."""
        if not self.on_way and not self.closing:
            hand_over(self.link, ended=self.ended)
            return True
        if not self.closing and (not self.spool.answers or time.monotonic() - self.moved > HALF_CLOSE_s):
            self.closing = True
            self.link.half_close()
        return not self.on_way

    # ------------------------------------------------------------ back
    def _listen(self) -> None:
        view = memoryview(self.input)
        while not self.ended and (got := self.link.receive(view)) is not None:
            if got == 0:
                self.ended = True
                self._left()
                return
            self.moved = time.monotonic()
            data = self.part + bytes(view[:got])
            whole = len(data) // ACK.size * ACK.size
            self.part = data[whole:]
            for boot, number in ACK.iter_unpack(data[:whole]):
                self._answer(boot, number)
            self._arrived()

    def _left(self) -> None:
        """The peer closes. In good order that is only after our end, from one that does not answer."""
        if self.closing and not self.spool.answers and not self.part and not self.link.unsent():
            if self.on_way:
                self._unconfirmed(len(self.on_way))
        if self.on_way or self.views or not self.closing:
            raise errors.Unavailable(f"{self.link.name}: the peer closed the connection")

    def _answer(self, boot: bytes, number: int) -> None:
        """One more acknowledgement. Of channels that share a boot and a number all must be answered: which of them this
        one is for, it does not say."""
        who = boot, number
        self.spool.answered()
        if who in self.open:
            self.answers[who] = self.answers.get(who, 0) + 1

    def _arrived(self) -> None:
        done = []
        while self.on_way:
            who = self.on_way[0].key[1], self.on_way[0].number
            # all of the same name, counted from the oldest that is still on the way
            if self.answers.get(who, 0) < self.open[who]:
                break
            done.append(self._off(who))
        if done:
            self.courier.arrived(done)

    def _off(self, who: tuple[bytes, int]) -> Entry:
        self.open[who] -= 1
        if who in self.answers:
            self.answers[who] -= 1
            if self.answers[who] <= 0:
                del self.answers[who]
        if not self.open[who]:
            del self.open[who]
        return self.on_way.popleft()

    def _silent(self) -> None:
        """A peer that does not answer has what its machine has confirmed."""
        if not self.on_way or time.monotonic() - self.begun < SILENT_s:
            return
        confirmed = self.gone - self.link.unsent()
        while self.loads and self.loads[0][0] <= confirmed:
            self._unconfirmed(self.loads.popleft()[1])

    def _unconfirmed(self, n: int) -> None:
        done = [self.on_way.popleft() for _ in range(n)]
        self.courier.unconfirmed += n
        self.open.clear()
        self.courier.arrived(done)

    def give_up(self) -> None:
        """The connection is gone: what was on the way is sent again, unless the spool has had to drop it meanwhile."""
        with self.spool.changed:
            for entry in self.on_way:
                if not self.spool.has(entry.segment):
                    self.spool.forget(entry)
            self.spool.sent = self.spool.position

    # ------------------------------------------------------------ waiting
    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self.courier._wake, select.POLLIN)
        events = 0 if self.ended else select.POLLIN
        seconds = 0.5
        if self.views:
            pause = self.courier.budget.wait() if self.courier.budget else 0
            if pause > 0:
                seconds = min(seconds, pause)
            else:
                events |= select.POLLOUT
        elif self.closing or self.spool.closed:
            seconds = 0.02
        poll.register(self.link, events)
        poll.poll(seconds * 1000)
        try:
            os.eventfd_read(self.courier._wake)
        except BlockingIOError:
            pass

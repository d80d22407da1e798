"""The ring between a live receiver and the pipe: what does not fit is dropped, newest first, and counted.

A thread reads the receiver, so that a slow reader never holds up USB or a socket. The consumer's side takes no lock,
so a signal handler may call `stop()` while the main thread waits in `read()`.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

from .. import errors
from ..record import nbytes, sample_size
from ._chunk import Chunk

STALL_s = 3.5  # a receiver raises by itself after 3 s; this is for one that is stuck in a call
CLOSE_s = 1.0


class Ring:
    """Holds at most `seconds` of what `receiver.read()` gives; `read()` has the receiver's contract.

    `queue_s` is the duration held now, `dropped` the samples (or rows) dropped in all. What is dropped, and what the
    receiver lost meanwhile, is the `lost` of the next chunk that finds room.
    """

    live = True

    def __init__(self, receiver: Any, seconds: float = 4.0):
        self.receiver, self.seconds = receiver, seconds
        self.dropped = 0
        self._size = 1 if receiver.schema is not None else sample_size(receiver.datatype)
        self._items: queue.SimpleQueue[Chunk | BaseException | None] = queue.SimpleQueue()
        self._orders: queue.SimpleQueue[tuple[dict, queue.SimpleQueue]] = queue.SimpleQueue()
        self._filled = self._drained = 0.0  # seconds put in, taken out: one writer each
        self._stopping = False
        self._patience = STALL_s + (1 / receiver.rate if receiver.rate > 0 else 0)  # a row of telemetry may take long
        self._thread = threading.Thread(target=self._fill, name="ring", daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> Any:
        """rate, freq, gain, device…: the receiver's."""
        return getattr(self.receiver, name)

    @property
    def queue_s(self) -> float:
        return max(0.0, self._filled - self._drained)

    def read(self) -> Chunk | None:
        """The next chunk; None at the end. Raises what the receiver raised, after everything before it was read."""
        try:
            item = self._items.get(timeout=self._patience)
        except queue.Empty:
            raise errors.Unavailable(f"{self.receiver.device}: no samples for {self._patience:.3g} s") from None
        if isinstance(item, Chunk):
            self._drained += self._length(item)[1]
            return item
        self._items.put(item)  # the end stays the end
        if item is None:
            return None
        raise item

    def set(self, **settings: object) -> None:
        """Change live settings between two reads of the receiver; raises what it raises."""
        if not self._thread.is_alive():
            raise errors.Unavailable(f"{self.receiver.device} has ended; setting not changed")
        answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._orders.put((settings, answer))
        try:
            error = answer.get(timeout=STALL_s)
        except queue.Empty:
            raise errors.Unavailable(f"{self.receiver.device}: does not answer; setting not changed") from None
        if error is not None:
            raise error

    def stop(self) -> None:
        """No more from the receiver; what is held can still be read, then comes None. Safe in a signal handler."""
        self._stopping = True
        self._items.put(None)

    def close(self) -> None:
        """Ends the thread and the receiver, within a second also when the receiver is stuck."""
        self.stop()
        deadline = time.monotonic() + CLOSE_s
        self._thread.join(CLOSE_s / 4)
        # in a thread of its own: it may hang, and it is what wakes a read that hangs
        closer = threading.Thread(target=self.receiver.close, name="ring close", daemon=True)
        closer.start()
        for thread in (closer, self._thread):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _fill(self) -> None:
        lost = 0
        try:
            while not self._stopping:
                self._obey()
                chunk = self.receiver.read()
                if chunk is None:
                    break
                count, duration = self._length(chunk)
                lost += chunk.lost
                # a chunk longer than the ring passes through an empty one: something must
                if self.queue_s + duration > self.seconds and self.queue_s > 0:
                    self.dropped += count
                    lost += count
                    continue
                self._filled += duration
                self._items.put(chunk._replace(lost=lost))
                lost = 0
            self._items.put(None)
        except BaseException as error:  # handed to whoever reads
            self._items.put(error)

    def _obey(self) -> None:
        while not self._orders.empty():
            settings, answer = self._orders.get()
            try:
                self.receiver.set(**settings)
                answer.put(None)
            except Exception as error:
                answer.put(error)

    def _length(self, chunk: Chunk) -> tuple[int, float]:
        """Samples (or rows) of a chunk, and seconds."""
        count = len(chunk.data) if isinstance(chunk.data, list) else nbytes(chunk.data) // self._size
        return count, count / chunk.rate if chunk.rate > 0 else 0.0

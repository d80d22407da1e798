"""Several connections at once → one stream of items. Where it turns from one to another, a header says so."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sptools import log
from sptools.errors import NoInput, SpError
from sptools.record import Item, Start
from sptools.transports._stream import guard

MOST = 256  # connections at once
AHEAD = 64  # items that were read and are not taken yet: at most 256 KiB each


class Connection:
    """What is known of one: its last header, and the number of the item that comes next."""

    def __init__(self, caller: Any):
        self.caller, self.name = caller, caller.name
        self.source: Any = None
        self.start: Start | None = None
        self.number = 0


class Merged:
    """Items of all connections of a listener. Ends when the listener is stopped (or, `once`, with the first connection).

    Whatever goes wrong with one connection is said and ends that one only; `once` it is raised at the end.
    """

    def __init__(self, listener: Any, read: Callable[[Any], Iterator[Item]]):
        self.listener, self.read = listener, read
        self.items: queue.Queue[tuple[Connection, Item | SpError | None] | None] = queue.Queue(AHEAD)
        self.open: set[Connection] = set()
        self.told: Connection | None = None  # whose items are coming out
        self.lock = threading.Lock()

    def __iter__(self) -> Iterator[Item]:
        threading.Thread(target=self._accept, name=f"{self.listener.name} accepts", daemon=True).start()
        try:
            while (event := self._next()) is not None:
                connection, item = event
                if item is None or isinstance(item, SpError):
                    log.info(f"{connection.name}: ended")
                    if self.listener.once:
                        if item is not None:
                            raise item
                        return
                    if item is not None and not isinstance(item, NoInput):
                        log.warning(str(item))
                else:
                    yield from self._mark(connection, item)
        finally:
            self.listener.close()

    def _next(self) -> tuple[Connection, Item | SpError | None] | None:
        with guard():
            return self.items.get()

    def _mark(self, connection: Connection, item: Item) -> Iterator[Item]:
        if isinstance(item, Start):
            connection.start, connection.number = item, item.first
        else:
            if self.told is not connection:
                assert connection.start is not None
                yield replace(connection.start, first=connection.number, lost=0)
            connection.number += 1
        self.told = connection
        yield item

    # ------------------------------------------------------------ threads
    def _accept(self) -> None:
        while (caller := self.listener.accept()) is not None:
            connection = Connection(caller)
            with self.lock:
                room = len(self.open) < MOST
                if room:
                    self.open.add(connection)
            if not room:
                log.warning(f"{caller.name}: refused, {MOST} connections are open")
                caller.refuse()
                continue
            threading.Thread(target=self._take, args=(connection,), name=caller.name, daemon=True).start()
            if self.listener.once:
                return
        with self.lock:
            for connection in self.open:
                if connection.source:
                    connection.source.stop()
        self._end()

    def _take(self, connection: Connection) -> None:
        problem: SpError | None = None
        try:
            source = connection.source = connection.caller.meet()
            try:
                for item in self.read(source):
                    self.items.put((connection, item))
                    del item
            finally:
                source.close()
        except SpError as error:
            problem = error
        except Exception as error:  # a bug in a format must not end the others' streams
            problem = SpError(f"{connection.name}: this is a bug: {type(error).__name__}: {error}")
        # cut off in the middle because we stop: nobody's damage
        self.items.put((connection, None if self.listener.stopped else problem))
        with self.lock:
            self.open.discard(connection)
        if self.listener.stopped:
            self._end()

    def _end(self) -> None:
        """The last of the connections ends the stream."""
        with self.lock:
            last = not self.open
        if last:
            self.items.put(None)

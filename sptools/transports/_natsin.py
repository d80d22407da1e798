"""Messages from a NATS server."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any

from sptools import log
from sptools.errors import Usage
from sptools.transports import _block, _natsstream
from sptools.transports._natslink import Connection, Link, Place

PULL = 256  # messages asked for at once
PULL_BYTES = 16 << 20
HELD_BYTES = 32 << 20  # nothing more is asked for while that much waits here
EXPIRES_s = 10.0
LATE_s = 5.0  # how much longer than that the server may take to answer
SPELL_s = 10.0  # half of what the server waits for an answer, less the way: then it is told that we are still at it
DONE, WORKING = b"+ACK", b"+WPI"


class Input:
    """Iterates by `batch`. A message is acknowledged when the next batch is asked for: then it has been delivered.

    `stamps`: for each datagram of the last batch, when the server stored it (ns UTC; 0 where it does not say).
    """

    live = True
    path = None

    def __init__(
        self, place: Place, durable: str | None = None, since: str | None = None, stream: str | None = None, core: bool = False
    ):
        if core and (durable or since or stream):
            raise Usage(f"{place.name}: core=true keeps nothing, so durable=, since= and stream= are for JetStream")
        if durable and not all(c.isalnum() or c in "-_" for c in durable):
            raise Usage(f"{place.name}: durable={durable}: letters, digits, - and _")
        self.name, self.place, self.durable, self.core = place.name, place, durable, core
        self.wanted = stream
        self.since = since or ("all" if durable else "new")
        self.stamps: list[int] = []
        self.stopped = False
        self.dropped = 0  # by core NATS, because we were too slow: at least
        self.repeated = 0
        self._queue: deque[tuple[int, bytes, int]] = deque()  # number in the stream, data, stamp
        self._bytes = 0
        self._given: list[int] = []  # the last batch
        self._done = 0  # everything up to this message is delivered
        self._last: int | None = None  # everything up to this one is here, or was
        self._replies: dict[int, str] = {}  # where to acknowledge what is held
        self._stream = ""
        self._left = 0  # messages that the server may still send for the last request
        self._link = Link(place, self._session)
        _block.live.append(self.stop)
        try:
            self._link.open(lambda: self.stopped)
        except BaseException:
            _block.live.remove(self.stop)
            raise

    def batch(self, timeout: float | None = None) -> list[bytes] | None:
        """Messages that are there; waits for the first, `timeout` s at most (then []). None: stopped, nothing is left."""
        self._deliver()
        end = None if timeout is None else time.monotonic() + timeout
        while not self._queue:
            self._link.check()
            if self.stopped:
                return None
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return []
            self._link.bell.wait(left)
        out: list = []
        self.stamps = []
        while self._queue and len(out) < PULL:
            number, data, stamp = self._queue.popleft()
            self._bytes -= len(data)
            self._given.append(number)
            out.append(data)
            self.stamps.append(stamp)
        return out

    def stop(self) -> None:
        """No more from the network; what has arrived can still be read, then comes None. Safe in a signal handler."""
        self.stopped = True
        self._link.wake()
        self._link.bell.ring()

    @property
    def notes(self) -> dict[str, int]:
        counts = {"reconnects": max(0, self._link.links - 1), "kernel_drops": self.dropped, "repeated_messages": self.repeated}
        return {name: n for name, n in counts.items() if n}

    def fileno(self) -> int:
        return self._link.bell.fd

    def close(self) -> None:
        if self.stop in _block.live:
            _block.live.remove(self.stop)
            self._link.close()

    def _deliver(self) -> None:
        """The last batch is delivered."""
        if self._given:
            self._done = max(self._done, self._given[-1])
            self._given = []
            self._link.wake()

    # ------------------------------------------------------------ in the loop's thread
    async def _session(self, connection: Connection) -> None:
        client = connection.client
        if self.core:
            await self._listen(connection)
            return
        info = await _natsstream.for_reading(client, self.place, self.wanted)
        self._place_in(info)
        consumer = await self._consumer(client)
        inbox = client.new_inbox()
        await client.subscribe(inbox, cb=self._take, pending_msgs_limit=-1, pending_bytes_limit=-1)
        await client.flush(_natsstream.ANSWER_s)
        self._left, asked, spell = 0, 0.0, time.monotonic()
        self._link.opened()
        while not connection.lost:
            await self._acknowledge(client)
            if self._link.closing:
                await self._leave(client, consumer)
                return
            now = time.monotonic()
            if self._left <= 0 and not self.stopped and self._bytes < HELD_BYTES and len(self._replies) < 2 * PULL:
                request = {"batch": PULL, "max_bytes": PULL_BYTES, "expires": int(EXPIRES_s * _natsstream.S)}
                self._left, asked = PULL, now
                await client.publish(
                    f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{consumer}", json.dumps(request).encode(), reply=inbox
                )
            if self._left > 0 and now > asked + EXPIRES_s + LATE_s and not self.stopped:
                raise OSError("the server does not answer")
            if now > spell + SPELL_s:
                spell = now
                for reply in list(self._replies.values()):
                    await client.publish(reply, WORKING)
            await connection.pause(1)

    def _place_in(self, info: dict[str, Any]) -> None:
        """Where to go on in the stream."""
        self._stream = info["config"]["name"]
        end = info["state"]["last_seq"]
        if self._last is None:
            self._last = self._done = end if self.since == "new" else 0
        elif end < self._last:
            log.notice(f"{self.name}: the stream {self._stream} begins anew: it has {end:,} messages, {self._last:,} were read")
            self._last = self._done = 0
            self._queue = deque((0, data, stamp) for _, data, stamp in self._queue)

    async def _consumer(self, client: Any) -> str:
        assert self._last is not None
        self._replies.clear()
        if not self.durable:
            made = await _natsstream.consumer(client, self.place, self._stream, "", self._last + 1, durable=False)
            return made["name"]
        name, done = await _natsstream.durable(client, self.place, self._stream, self.durable, self._last + 1)
        if not self._link.ready:
            self._last = self._done = done
        return name

    async def _take(self, message: Any) -> None:
        """A message of the stream, or a word about the request for them."""
        reply = message.reply or ""
        if not reply.startswith("$JS.ACK."):
            headers = message.headers or {}
            status, why = headers.get("Status", ""), headers.get("Description", "").lower()
            if status == "100":
                return
            # 408: nothing came in time; 409 speaks of bytes, or of a batch, where the request is simply done
            if status != "408" and not ("bytes" in why or "batch" in why):
                self._link.broke(why or "nobody hands out messages")
            self._left = 0
            self._link._wake()
            return
        number, stamp = _numbers(reply)
        self._left -= 1
        assert self._last is not None
        self._replies[number] = reply
        if number > self._last:
            self._last = number
            self._queue.append((number, message.data, stamp))
            self._bytes += len(message.data)
            self._link.bell.ring()
        else:
            self.repeated += 1
        if self._left <= 0 or number <= self._done:
            self._link._wake()

    async def _acknowledge(self, client: Any) -> None:
        done = [number for number in self._replies if number <= self._done]
        for number in done:
            await client.publish(self._replies.pop(number), DONE)

    async def _leave(self, client: Any, consumer: str) -> None:
        if not self.durable:
            await _natsstream._remove(client, self._stream, consumer)
        else:
            await client.flush(1)

    async def _listen(self, connection: Connection) -> None:
        """Core NATS: what comes while we are here."""

        async def take(message: Any) -> None:
            if self._bytes > HELD_BYTES:
                self.dropped += 1
                return
            self._queue.append((0, message.data, time.time_ns()))
            self._bytes += len(message.data)
            self._link.bell.ring()

        subscription = await connection.client.subscribe(self.place.filter, cb=take)
        await connection.client.flush(_natsstream.ANSWER_s)
        self._link.opened()
        while not connection.lost and not self._link.closing:
            await connection.pause(1)
            if self.stopped:
                await subscription.unsubscribe()
                while not connection.lost and not self._link.closing:
                    await connection.pause(1)


def _numbers(reply: str) -> tuple[int, int]:
    """(number in the stream, ns UTC when it was stored) out of `$JS.ACK.…`, which grew by two parts in front in 2.x."""
    parts = reply.split(".")
    base = 2 if len(parts) == 9 else 4
    return int(parts[base + 3]), int(parts[base + 5])

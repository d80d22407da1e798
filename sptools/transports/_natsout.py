"""Messages to a NATS server. What is not acknowledged is sent again, in order, under the same number."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
import time
from collections import deque
from typing import Any

from sptools import log
from sptools.errors import BadConfig, NoPermission, Usage
from sptools.transports import _natsstream
from sptools.transports._natslink import Connection, Link, Place

WINDOW = 64  # messages
WINDOW_BYTES = 32 << 20
MTU = (1 << 20) - 4096  # bytes: a server takes 1 MiB by default, with the headers
HEADERS = 4096
ACK_s = 10.0  # for an acknowledgement; then the link counts as broken
LOOK_s = 1.0  # between two looks at how full the stream is
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # of a short UUID, 22 of them


class Message:
    __slots__ = ("data", "done", "headers", "sent", "subject")

    def __init__(self, subject: str, data: bytes, headers: dict[str, str] | None):
        self.subject, self.data, self.headers = subject, data, headers
        self.sent = 0.0
        self.done = False


class Output:
    """One `write`, one message. It returns when there is room for the next: at most `window` are not acknowledged.

    `marked`: `write` wants to know the channel, the frame's number, and what is only an announcement.
    """

    path = None
    marked = True

    def __init__(
        self,
        place: Place,
        stream: str | None = None,
        max_age: float | None = None,
        max_bytes: int | None = None,
        window: int = WINDOW,
        size: int | None = None,
        core: bool = False,
    ):
        if core and (stream or max_age is not None or max_bytes is not None):
            raise Usage(f"{place.name}: core=true keeps nothing, so stream=, max_age= and max_bytes= are for JetStream")
        self.name, self.place, self.core, self.window, self.size = place.name, place, core, window, size
        self.wanted, self.max_age, self.max_bytes = stream, max_age, max_bytes
        self.mtu = MTU
        self.stream = ""
        self.repeats = 0
        self._most_bytes = WINDOW_BYTES
        self._boot = os.urandom(8).hex()
        self._numbers = itertools.count()
        self._queue: deque[Message] = deque()  # not acknowledged, in order
        self._bytes = 0
        self._rest = bytearray()
        self._moment = 0  # of the samples in it, ns UTC
        self._flying: dict[int, Message] = {}
        self._tokens = itertools.count()
        self._next = 0  # how many of the queue were sent on this link
        self._allowed = 1  # how many may be on the way
        self._trouble = ""
        self._told = ""
        self._limits: dict[str, Any] = {}
        self._looked = 0.0
        self._closed = False
        self._lock = threading.Lock()  # around the queue and its counts, never while waiting
        self._link = Link(place, self._session)
        self._link.open()

    def write(
        self, *buffers: Any, channel: str | None = None, number: tuple[bytes, int] | None = None, announcement: bool = False,
        moment: int | None = None,
    ) -> None:  # fmt: skip
        """Takes all of `buffers` as one message, or of samples (no `channel`) with `size=` as many as they fill.

        Waits for room; in a thread other than the main one nothing waits. `number`: boot and number of a frame, so that
        the server knows it again. `moment` (ns UTC) is for bare samples, whose headers say when and who they are.
        """
        data = b"".join(buffers)
        if self.size is None:
            self._one(data, channel or "", number, announcement, moment)
            return
        if channel is not None:
            raise Usage(f"{self.name}: size= is for samples without frames: add wire=raw, or leave it out")
        if not self._rest:
            self._moment = moment or time.time_ns()
        self._rest += data
        while len(self._rest) >= self.size:
            whole = bytes(self._rest[: self.size])
            del self._rest[: self.size]
            self._one(whole, "", None, False, self._moment)
            self._moment = moment or time.time_ns()

    @property
    def notes(self) -> dict[str, int]:
        counts = {
            "reconnects": max(0, self._link.links - 1), "already_there": self.repeats, "unacknowledged": len(self._queue),
        }  # fmt: skip
        return {name: n for name, n in counts.items() if n}

    def fileno(self) -> int:
        return self._link.bell.fd

    def close(self, ok: bool = True) -> None:
        """`ok`: returns when everything is acknowledged, however long the server is away."""
        if self._closed:
            return
        self._closed = True
        try:
            if ok:
                if self._rest:
                    self._one(bytes(self._rest), "", None, False, self._moment)
                while self._queue:
                    self._link.check()
                    self._link.bell.wait(1)
        finally:
            self._link.close()

    # ------------------------------------------------------------ in the caller's thread
    def _one(self, data: bytes, channel: str, number: Any, announcement: bool, moment: int | None) -> None:
        self._link.check()
        if len(data) > self.mtu:
            raise BadConfig(f"{self.name}: a message of {len(data):,} bytes; the server takes {self.mtu:,}")
        main = threading.current_thread() is threading.main_thread()
        while self._full(len(data)):
            if announcement and not main:
                return  # it comes again
            if not main:
                break
            self._link.bell.wait(1)
            self._link.check()
        message = Message(self._subject(channel), data, self._headers(data, channel, number, moment))
        with self._lock:
            self._queue.append(message)
            self._bytes += len(data)
        self._link.wake()

    def _full(self, size: int) -> bool:
        return bool(self._queue) and (len(self._queue) >= self.window or self._bytes + size > self._most_bytes)

    def _subject(self, channel: str) -> str:
        if not self.place.tree:
            return self.place.subject
        if not channel:
            raise BadConfig(f"{self.name}: / at the end gives each channel its own subject, and this one has no name")
        return f"{self.place.subject}.{channel.replace('/', '.')}"

    def _headers(self, data: bytes, channel: str, number: tuple[bytes, int] | None, moment: int | None) -> dict[str, str] | None:
        if self.core and moment is None:
            return None
        if number is None:
            own = f"{self._boot}/{next(self._numbers)}"
        else:
            # the hash: rows that were gathered differently in another run are another message
            digest = hashlib.blake2b(data, digest_size=6).hexdigest()
            own = f"{self._subject(channel)}/{channel}/{number[0].hex()}/{number[1]}/{digest}"
        headers = {} if self.core else {"Nats-Msg-Id": own}
        if moment is not None:
            headers |= {"ts": str(moment // 10**9), "_watermill_message_uuid": short_uuid()}
        return headers

    # ------------------------------------------------------------ in the loop's thread
    async def _session(self, connection: Connection) -> None:
        client = connection.client
        await self._prepare(client)
        self.mtu = min(MTU, client.max_payload - HEADERS)
        if self.mtu < HEADERS:
            raise BadConfig(f"{self.name}: the server takes messages of {client.max_payload:,} bytes only: raise max_payload")
        with self._lock:
            self._flying, self._next, self._trouble, self._allowed = {}, 0, "", 1
        inbox = client.new_inbox()
        if not self.core:
            await client.subscribe(f"{inbox}.*", cb=self._answer, pending_msgs_limit=-1, pending_bytes_limit=-1)
            await client.flush(_natsstream.ANSWER_s)
        self._link.opened()
        while not connection.lost:
            if self._link.closing:
                await client.flush(1)
                return
            if self._trouble:
                if not self._flying:
                    await self._begin_again(connection)
            elif self.core:
                await self._send_core(client)
            else:
                await self._send(client, inbox)
            await connection.pause(1)
            first = next(iter(self._flying.values()), None)
            if first and time.monotonic() - first.sent > ACK_s:
                raise OSError(f"no acknowledgement in {ACK_s:g} s")

    async def _prepare(self, client: Any) -> None:
        if self.core:
            return
        info = await _natsstream.for_writing(client, self.place, self.wanted, self.max_age, self.max_bytes)
        self.stream = info["config"]["name"]
        self._note(info)

    def _note(self, info: dict[str, Any]) -> None:
        """How near the stream is to its limits. Full, it refuses a message and perhaps takes the next: near that point
        only one is on the way, or they would change places."""
        self._looked = time.monotonic()
        config, state = info["config"], info["state"]
        self._limits = {"bytes": float("inf"), "messages": float("inf")}
        if config.get("discard") == "new":
            if config["max_bytes"] >= 0:
                self._limits["bytes"] = config["max_bytes"] - state["bytes"]
            if config["max_msgs"] >= 0:
                self._limits["messages"] = config["max_msgs"] - state["messages"]

    @property
    def _near(self) -> bool:
        return self._limits["bytes"] < 2 * WINDOW_BYTES or self._limits["messages"] < 4 * self.window

    async def _send(self, client: Any, inbox: str) -> None:
        while True:
            with self._lock:
                message = self._queue[self._next] if self._next < len(self._queue) else None
            if message is None or len(self._flying) >= (1 if self._near else self._allowed) or self._trouble:
                return
            if time.monotonic() - self._looked > LOOK_s:
                self._note(await _natsstream.ask(client, f"STREAM.INFO.{self.stream}"))
                continue
            self._next += 1
            if message.done:
                continue
            token = next(self._tokens)
            message.sent = time.monotonic()
            self._flying[token] = message
            self._limits["bytes"] -= len(message.data)
            self._limits["messages"] -= 1
            await client.publish(message.subject, message.data, reply=f"{inbox}.{token}", headers=message.headers)

    async def _send_core(self, client: Any) -> None:
        while self._queue:
            with self._lock:
                message = self._queue.popleft()
                self._bytes -= len(message.data)
            await client.publish(message.subject, message.data, headers=message.headers)
            await client.flush(_natsstream.ANSWER_s)
            self._link.bell.ring()

    async def _answer(self, reply: Any) -> None:
        """An acknowledgement, or why there is none."""
        message = self._flying.pop(int(reply.subject.rpartition(".")[2]), None)
        if message is None:
            return
        status = (reply.headers or {}).get("Status")
        answer = {"error": {"code": int(status), "description": "nobody answers"}} if status else json.loads(reply.data)
        if "error" in answer:
            self._refused(answer["error"])
        else:
            message.done = True
            self.repeats += bool(answer.get("duplicate"))
            self._acknowledged()
        self._link._wake()

    def _acknowledged(self) -> None:
        if self._told:
            self._told = ""
            log.notice(f"{self.name}: messages are stored again")
        self._allowed = min(self.window, 2 * self._allowed)
        with self._lock:
            while self._queue and self._queue[0].done:
                self._bytes -= len(self._queue.popleft().data)
                self._next = max(0, self._next - 1)  # after a refusal some that come later are done already
        self._link.bell.ring()

    def _refused(self, error: dict[str, Any]) -> None:
        why = str(_natsstream.Refused(error))
        if error.get("code") == 503 or error.get("err_code") in _natsstream.NO_ROOM:
            self._trouble = why
        elif error.get("code") in (401, 403):
            self._link.fail(NoPermission(f"{self.name}: the stream {self.stream} refuses: {why}"))
        else:
            self._link.fail(BadConfig(f"{self.name}: the stream {self.stream} refuses: {why}"))

    async def _begin_again(self, connection: Connection) -> None:
        """After a refusal, with nothing on the way: from the first that is not acknowledged, one by one."""
        if self._told != self._trouble:
            self._told = self._trouble
            log.notice(f"{self.name}: the stream {self.stream} takes nothing: {self._trouble}; waiting")
        connection.wake.clear()
        await connection.pause(0.25)
        self._trouble, self._allowed, self._next, self._looked = "", 1, 0, 0.0
        connection.wake.set()


def short_uuid() -> str:
    """22 letters: a random UUID with its 128 bits in base 57, as SpecPipe's library writes it."""
    number, out = int.from_bytes(os.urandom(16), "big"), ""
    for _ in range(22):
        number, digit = divmod(number, len(LETTERS))
        out += LETTERS[digit]
    return out

"""What is known of each sender: its schemas, its numbers, and where its frames go.

A sender is a channel and a boot. The first boot that speaks has the channel's folder; another one takes it over when the
first has fallen silent, and becomes CHANNEL~BOOT while both are alive.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from sptools import errors, log, record
from sptools.cache import layout
from sptools.formats.avro import announce, container, flow, frame, varint
from sptools.relay.follow import Follow
from sptools.relay.frames import NOT_A_FRAME, Group
from sptools.relay.lane import AGE_s, Lane
from sptools.relay.store import Store
from sptools.relay.thin import Thin
from sptools.schemas import built_in

SILENT_s = 1.5  # senders announce themselves once a second
WAIT_s = 2.0  # for an announcement
WAIT_BYTES = 1 << 20
HELD = 4 << 20
SENDERS = 1024
SCHEMAS = 16
SAMPLES = 10  # malformed datagrams kept a second
UNKNOWN, BAD, NOBODY = ".unknown", ".bad", "relay"
MALFORMED = {
    "type": "record", "name": "Malformed", "namespace": "sptools", "doc": "A datagram that is neither frame nor announcement.",
    "fields": [
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-nanos"}, "doc": "arrival, ns UTC"},
        {"name": "data", "type": "bytes"},
    ],
}  # fmt: skip


class Sender:
    """One channel and boot. `notes` counts; `waiting`: frames whose schema is not known yet, with their arrival."""

    def __init__(self, channel: str, boot: bytes, first: int, now: float):
        self.channel, self.boot = channel, boot
        self.base = channel or "unnamed"
        self.notes: dict[str, int] = {}
        self.follow = Follow(first, self.notes)
        self.starts: dict[bytes, tuple[record.Start, int]] = {}  # and the least bytes of a row
        self.lane: Lane | None = None
        self.name = ""  # in the cache, once it is settled
        self.schema = b""
        self.lost = 0  # not told to the lane yet
        self.waiting: list[tuple[float, int, frame.Frame]] = []
        self.born = self.heard = now

    def count(self, name: str, n: int = 1) -> None:
        self.notes[name] = self.notes.get(name, 0) + n


class Channels:
    """Takes frames, announcements and what is neither; hands blocks to the store."""

    def __init__(self, store: Store, thin: Thin | None = None):
        self.store, self.thin = store, thin
        self.senders: dict[tuple[str, bytes], Sender] = {}
        self.holders: dict[str, Sender] = {}
        self.bins: dict[str, Lane] = {}
        self.gone: dict[str, dict[str, int]] = {}  # notes of senders that were forgotten, by channel
        self.malformed = 0
        self._boot = os.urandom(8)
        self._waiting = 0  # bytes
        self._sampled: dict[str, tuple[int, int]] = {}

    # ------------------------------------------------------------ what comes
    def group(self, group: Group, now: float, arrival: int) -> None:
        """Many frames of one sender."""
        first = group.first
        sender = self._sender(first.channel, first.boot, int(group.seqs[0]), now)
        known = sender.starts.get(first.schema)
        if known is not None and first.count * known[1] > len(first.body):
            self._short(sender, [frame.head(frame.begin(first.channel), first.boot, 0, first.schema, first.count, 0)])
            sender.count("malformed", len(group.seqs) - 1)
            return
        bodies = group.bodies

        def keep(i: int) -> tuple[int, frame.Frame]:
            one = bodies[divmod(i, bodies.shape[1])] if bodies.ndim == 2 else bodies[i]
            return arrival, first._replace(seq=int(group.seqs[i]), body=memoryview(one.tobytes()))

        for part in sender.follow.many(group.seqs, keep, now):
            if isinstance(part, list):
                self._deliver(sender, part, now)
            elif known is None:
                for i in range(*part):
                    self._take(sender, keep(i), now)
            else:
                self._splice(sender, first, bodies, part, arrival)

    def single(self, datagram: bytes, now: float, arrival: int) -> None:
        """One frame, or what begins like one."""
        try:
            found = frame.decode(datagram)
        except NOT_A_FRAME:
            self.bad(datagram, arrival)
            return
        sender = self._sender(found.channel, found.boot, found.seq, now)
        known = sender.starts.get(found.schema)
        if known is not None and found.count * known[1] > len(found.body):
            self._short(sender, [datagram])
            return
        self._deliver(sender, sender.follow.take(found.seq, (arrival, found), now), now)

    def announcement(self, datagram: bytes, now: float, arrival: int) -> bool:
        """Learns a schema; False: it is none."""
        try:
            header, start = announce.decode(datagram)
        except (errors.BadData, container.Broken):
            self.bad(datagram, arrival)
            return False
        key = announce.schema_of(header)
        sender = self._sender(start.channel, start.boot, start.first, now)
        known = sender.starts.get(key)
        if known is None or (known[0].source, known[0].meta) != (start.source, start.meta):
            if known is None and len(sender.starts) >= SCHEMAS:
                del sender.starts[next(iter(sender.starts))]
            sender.starts[key] = start, header.extent.least
            if sender.schema == key:
                sender.schema = b""  # a new frequency, say: what comes next has a new header
        if sender.waiting and known is None:
            waiting, sender.waiting = sender.waiting, []
            self._waiting -= sum(len(f.body) for _, _, f in waiting)
            for _, arrived, one in waiting:
                self._take(sender, (arrived, one), now)
        self._deliver(sender, sender.follow.reached(start.first, now), now)
        return True

    def bad(self, datagram: bytes, arrival: int) -> None:
        """Neither a frame nor an announcement: counted, and some are kept."""
        self.malformed += 1
        self._sample(NOBODY + BAD, datagram, arrival)

    def tick(self, now: float) -> None:
        """What is due: blocks that are old enough, frames that waited long enough, senders whose place is settled."""
        for sender in list(self.senders.values()):
            due = sender.follow.deadline
            if due is not None and due <= now:
                self._deliver(sender, sender.follow.release(now), now)
            if sender.waiting and sender.waiting[0][0] < now - WAIT_s:
                self._give_up(sender, [each for each in sender.waiting if each[0] < now - WAIT_s])
            lane = sender.lane
            if lane is None:
                continue
            if not sender.name:
                self._settle(sender, now)
            if lane.frames and now - lane.opened >= AGE_s:
                lane.flush()
        for lane in self.bins.values():
            if lane.frames and now - lane.opened >= AGE_s:
                lane.flush()

    def close(self) -> None:
        """Everything that waits goes to the store."""
        now = time.monotonic()
        for sender in self.senders.values():
            self._deliver(sender, sender.follow.release(now, end=True), now)
            self._give_up(sender, sender.waiting)
            if sender.lane:
                if not sender.name:
                    self._settle(sender, now, at_once=True)
                sender.lane.flush()
        for lane in self.bins.values():
            lane.flush()

    def counts(self) -> dict[str, dict[str, int]]:
        """What was counted, by channel."""
        found = {name: dict(notes) for name, notes in self.gone.items()}
        for sender in self.senders.values():
            _add(found.setdefault(sender.name or sender.base, {}), sender.notes)
        return found

    # ------------------------------------------------------------ who sends
    def _sender(self, channel: str, boot: bytes, first: int, now: float) -> Sender:
        sender = self.senders.get((channel, boot))
        if sender is None:
            if len(self.senders) >= SENDERS:
                self._forget(min(self.senders.values(), key=lambda s: s.heard), now)
            sender = self.senders[channel, boot] = Sender(channel, boot, first, now)
            if sender.base.split("/")[0] == layout.TAGS:
                sender.base = "_".join(("x", sender.base)).replace("/", "_")  # the folder of tags is no channel's
        elif sender.name == sender.base and self.holders.get(sender.base) is not sender:
            self._beside(sender)  # it was silent, another took its place, and now both speak
        sender.heard = now
        return sender

    def _settle(self, sender: Sender, now: float, *, at_once: bool = False) -> None:
        """Whose folder is it? Held back until the one that has it has spoken again, or was silent long enough."""
        holder = self.holders.get(sender.base)
        if holder is not None and holder is not sender:
            if holder.heard > sender.born:
                self._beside(sender)
                return
            held = sender.lane.held_bytes if sender.lane else 0
            if now - holder.heard < SILENT_s and held < HELD and not at_once:
                return
        self.holders[sender.base] = sender
        sender.name = sender.base
        if sender.lane:
            sender.lane.call(sender.name)

    def _beside(self, sender: Sender) -> None:
        sender.name = f"{sender.base}~{sender.boot.hex()}"
        log.warning(f"{sender.base}: a second sender is alive on this channel; it is stored as {sender.name}")
        if sender.lane:
            sender.lane.call(sender.name)

    def _forget(self, sender: Sender, now: float) -> None:
        self._deliver(sender, sender.follow.release(now, end=True), now)
        self._give_up(sender, sender.waiting)
        if sender.lane:
            if not sender.name:
                self._settle(sender, now, at_once=True)
            sender.lane.flush()
            self.store.leave(sender.name)
        if self.holders.get(sender.base) is sender:
            del self.holders[sender.base]
        _add(self.gone.setdefault(sender.name or sender.base, {}), sender.notes)
        del self.senders[sender.channel, sender.boot]

    # ------------------------------------------------------------ where it goes
    def _deliver(self, sender: Sender, events: list[flow.Event], now: float) -> None:
        for lost, what in events:
            if lost == flow.RESTART:
                sender.count("restarts")
            elif lost:
                if sender.lane:
                    sender.lane.gap(lost)
                else:
                    sender.lost += lost
            else:
                self._take(sender, what, now)

    def _take(self, sender: Sender, what: tuple[int, frame.Frame], now: float) -> None:
        arrival, one = what
        if one.schema not in sender.starts:
            sender.waiting.append((now, arrival, one))
            self._waiting += len(one.body)
            if self._waiting > WAIT_BYTES:
                self._give_up(sender, sender.waiting)
            return
        self._lane(sender, one.schema).one(one.body, one.count, arrival)
        sender.count("frames")
        sender.count("rows", one.count)
        if self.thin and len(one.body):
            self._thin(sender, one, np.frombuffer(one.body, f"V{len(one.body)}"))

    def _splice(self, sender: Sender, first: frame.Frame, bodies: np.ndarray, part: tuple[int, int], arrival: int) -> None:
        a, b = part
        lane = self._lane(sender, first.schema)
        if bodies.ndim == 2 and b - a == bodies.size:
            for slot in bodies:
                lane.add(slot, first.count, arrival)
        else:
            lane.add(bodies.reshape(-1)[a:b], first.count, arrival)
        notes = sender.notes
        notes["frames"] = notes.get("frames", 0) + b - a
        notes["rows"] = notes.get("rows", 0) + (b - a) * first.count
        if self.thin:
            self._thin(sender, first, bodies.reshape(-1)[a:b])

    def _thin(self, sender: Sender, one: frame.Frame, bodies: np.ndarray) -> None:
        assert self.thin
        self.thin.feed((sender.channel, sender.boot, one.schema), sender.starts[one.schema][0], bodies, one.count)

    def _lane(self, sender: Sender, schema: bytes) -> Lane:
        lane = sender.lane
        if lane is None:
            lane = sender.lane = Lane(self.store, "", sender.starts[schema][0])
            sender.schema, lane.lost, sender.lost = schema, sender.lost, 0
            self._settle(sender, sender.heard)
        elif sender.schema != schema:
            lane.begin(sender.starts[schema][0])
            sender.schema = schema
        return lane

    def _give_up(self, sender: Sender, frames: list[tuple[float, int, frame.Frame]]) -> None:
        """Frames of a schema that nobody announced are kept raw: each is a datum of the schema Frame."""
        if not frames:
            return
        lane = self._bin(sender.base + UNKNOWN, built_in("Frame"))
        begin = frame.begin(sender.channel)
        for _, arrival, one in frames:
            head = frame.head(begin, one.boot, one.seq, one.schema, one.count, len(one.body))
            lane.one(head[10:] + one.body, 1, arrival)
        sender.count("unannounced", len(frames))
        self._waiting -= sum(len(one.body) for _, _, one in frames)
        sender.waiting = sender.waiting[len(frames) :]

    def _short(self, sender: Sender, datagrams: list[bytes]) -> None:
        """Fewer bytes than the rows need."""
        for datagram in datagrams:
            sender.count("malformed")
            self._sample(sender.base + BAD, datagram, time.time_ns())

    def _sample(self, name: str, datagram: bytes, arrival: int) -> None:
        second, n = self._sampled.get(name, (0, 0))
        if arrival // 1_000_000_000 != second:
            second, n = arrival // 1_000_000_000, 0
        self._sampled[name] = second, n + 1
        if n < SAMPLES:
            body = varint.encode(arrival) + varint.encode(len(datagram)) + datagram
            self._bin(name, MALFORMED).one(body, 1, arrival)

    def _bin(self, name: str, schema: Any) -> Lane:
        lane = self.bins.get(name)
        if lane is None:
            source = {"channel": name, "task": "relay"}
            lane = self.bins[name] = Lane(self.store, name, record.Start(schema, name, self._boot, source=source))
        return lane


def _add(to: dict[str, int], notes: dict[str, int]) -> None:
    for name, n in notes.items():
        to[name] = to.get(name, 0) + n

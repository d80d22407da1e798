"""sp-relay as a process: opens what it was given, runs the loop, ends as a tool ends, and says what was counted."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any

from sptools import errors, log, registry, url
from sptools.cache import recover
from sptools.cache.keep import Keeper
from sptools.relay.channels import Channels
from sptools.relay.loop import Relay
from sptools.relay.publish import Publisher
from sptools.relay.receive import Arena, Receiver
from sptools.relay.store import Store
from sptools.relay.thin import Thin
from sptools.signals import Signals, die_of
from sptools.tally import Tally
from sptools.transports._udpaddress import Allowed

END_s = 4.5  # from the wish to stop to the last byte on the disk
SHOWN = 20  # channels that -v lists


def udp(text: str, way: str) -> tuple[Any, dict[str, Any]]:
    """(transport, its arguments) of an endpoint; `way`: read or write."""
    endpoint = url.parse(text)
    if endpoint.scheme != "udp":
        raise errors.Usage(f"{text}: a relay {'takes' if way == 'read' else 'publishes'} datagrams: udp://HOST:PORT")
    if endpoint.format not in (None, "avro"):
        raise errors.Usage(f"{text}: a relay hands frames on as they are: leave out {endpoint.format}:")
    keys = url.keys_for(endpoint, registry.describe("transports", "udp", way))
    return registry.load("transports", "udp"), {"place": endpoint.place, **keys}


class Command:
    def __init__(
        self, inputs: list[str], cache: str, *, rotate: int, rotate_time: float, keep: float | None, quota: int | None,
        min_free: int | None, publish: list[str], tick: float, decimated: str | None, every: int | None, how: str,
    ):  # fmt: skip
        if (decimated is None) != (every is None):
            raise errors.Usage("--decimated and --every belong together: where to, and how many rows become one")
        if not rotate or not rotate_time:
            raise errors.Usage("--rotate and --rotate-time must be more than 0")
        where = url.parse(cache)
        if not where.is_path:
            raise errors.Usage(f"{cache}: the last argument is the folder of the cache")
        self.cache = where.place
        self.inputs: list[Any] = []
        self.publishers: list[Publisher] = []
        self.thin: Thin | None = None
        arena, receivers = Arena(), []
        try:
            self._prepare()
            for text in publish:
                transport, keys = udp(text, "write")
                self.publishers.append(Publisher(transport.write(**keys)))
            if decimated is not None and every is not None:
                transport, keys = udp(decimated, "write")
                output = transport.write(**keys)
                self.thin = Thin(Publisher(output), output.mtu, every, how)
            for text in inputs:
                transport, keys = udp(text, "read")
                allowed = Allowed(keys.pop("from_")) if keys.get("from_") else None
                self.inputs.append(transport.read(**keys))
                # another object for the same socket: how it is read is our affair
                copy = socket.socket(fileno=os.dup(self.inputs[-1].fileno()))
                receivers.append(Receiver(copy, arena, allowed))
        except BaseException:
            self._close()
            raise
        bounds = keep is not None or quota is not None or min_free is not None
        keeper = Keeper(self.cache, age=keep, quota=quota, min_free=min_free) if bounds else None
        self.store = Store(self.cache, keeper, rotate_size=rotate, rotate_time=rotate_time)
        self.channels = Channels(self.store, self.thin)
        self.relay = Relay(self.inputs, receivers, self.channels, self.publishers, tick)
        self.receivers = receivers
        self.started = time.monotonic()

    def run(self, duration: float | None, stats: str | None, verbose: int, quiet: bool) -> None:
        signals = Signals()
        signals.on_stop = self.relay.stop
        signals.install()

        def requests() -> None:
            if signals.wanted:
                wanted, signals.wanted = signals.wanted, set()
                if "tally" in wanted:
                    self._say()

        problem: errors.SpError | None = None
        try:
            until = None if duration is None else time.monotonic() + duration
            self.relay.run(until=until, requests=requests)
        except errors.SpError as error:
            problem = error
        self.channels.close()
        whole = self.store.close(max(1.0, END_s - (time.monotonic() - (self.relay.stopped or 0.0))))
        self._close()
        signals.done()
        tally = self.tally()
        if stats:
            tally.write(stats, tool="sp-relay", channels=self.channels_counts())
        if verbose:
            self._say(tally)
        elif not quiet and any(tally[name] for name in LOSSES):
            log.warning(tally.line())
        if signals.interrupted:
            die_of(signal.SIGINT)
        if not whole:
            raise errors.IOFailure(f"{self.cache}: the disk did not take what was waiting for it within {END_s:g} s")
        if problem or self.store.problem:
            raise problem or self.store.problem  # type: ignore[misc]

    # ------------------------------------------------------------ what is said
    def channels_counts(self) -> dict[str, dict[str, int]]:
        found = self.channels.counts()
        for name, n in self.store.unstored.items():
            found.setdefault(name, {})["not_stored"] = n
        return found

    def tally(self) -> Tally:
        """The sums over all channels, and what no channel can be blamed for."""
        tally = Tally()
        tally.started = self.started
        for name in ("frames", "rows", *LOSSES):
            tally.put(name, 0)
        tally.put("datagrams_in", self.relay.datagrams)
        tally.put("bytes_in", self.relay.bytes)
        for notes in self.channels_counts().values():
            for name, n in notes.items():
                tally.add(name, n)
        for name, n in (
            ("malformed", self.channels.malformed),
            ("kernel_drops", sum(each.dropped for each in self.inputs)),
            ("refused", sum(each.refused for each in self.receivers)),
            ("empty", sum(each.empty for each in self.receivers)),
            ("published", sum(each.sent for each in self.publishers)),
            ("unpublished", sum(each.unsent for each in self._outputs)),
            ("not_decimated", self.thin.undecoded if self.thin else 0),
        ):
            if n:
                tally.add(name, n)
        tally.put("lost", tally["lost_frames"])
        return tally

    def _say(self, tally: Tally | None = None) -> None:
        counts = self.channels_counts()
        for name in sorted(counts)[:SHOWN]:
            log.info(f"{name}: " + ", ".join(f"{key} {n:,}" for key, n in counts[name].items()))
        if len(counts) > SHOWN:
            log.info(f"and {len(counts) - SHOWN:,} channels more, see --stats")
        log.info((tally or self.tally()).line())

    # ------------------------------------------------------------ inside
    def _prepare(self) -> None:
        """What a crash left is closed; a folder that cannot be written is said at once."""
        try:
            os.makedirs(self.cache, exist_ok=True)
        except PermissionError as e:
            raise errors.NoPermission(f"{self.cache}: {e.strerror}") from None
        except OSError as e:
            raise errors.CannotCreate(f"{self.cache}: {e.strerror}") from None
        if not os.access(self.cache, os.W_OK | os.X_OK):
            raise errors.NoPermission(f"{self.cache} may not be written")
        for each in recover.recover(self.cache):
            log.notice(str(each))

    def _close(self) -> None:
        for each in (*self.inputs, *self.publishers, *([self.thin] if self.thin else [])):
            each.close()

    @property
    def _outputs(self) -> list[Publisher]:
        return [*self.publishers, *([self.thin.publisher] if self.thin else [])]


LOSSES = ("lost_frames", "not_stored", "malformed", "unannounced", "late", "kernel_drops", "unpublished")

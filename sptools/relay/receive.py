"""Many datagrams a system call, in place. Three layouts share one arena, and the last batch chooses the next one:

- `stride`: slots of one size, back to back, so that a batch of equal datagrams is an array (n, size) as it stands;
- `train`: few slots of 64 KiB, each for datagrams that the kernel joined (UDP_GRO);
- `variable`: slots for the longest of mixed sizes.

What does not fit a slot goes on in a spare one of 64 KiB: nothing is cut off.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sptools.errors import IOFailure
from sptools.relay import kernel

SLOT = 65_536
TRAINS = 16
ARENA = 1 << 20
STRIDE = 256 << 10  # bytes of a batch of equal datagrams: stays in the processor's cache
FEW = 8  # below, datagrams are taken one by one
AGREE = 32
LAYOUTS = 8  # kept: hostile sizes shall not fill the memory

Piece = np.ndarray | list[bytes]
"""Datagrams in the order of their arrival: an array (slots, rows, size) uint8 that looks into the arena, or a few as bytes."""


class Batch(NamedTuple):
    pieces: list[Piece]
    full: bool  # there may be more


class Arena:
    """The memory that all sockets share: one batch is dealt with before the next is taken."""

    def __init__(self) -> None:
        self.slots = kernel.Memory(ARENA)
        self.spare = kernel.Memory(kernel.CALL * SLOT)


class Layout:
    """Message headers over the arena: `n` slots of `size` bytes; `names`: room for the senders' addresses."""

    def __init__(self, arena: Arena, size: int, n: int, named: bool, variable: bool):
        self.size, self.n, self.variable = size, n, variable
        alone = size == SLOT
        i = np.arange(n, dtype=np.uint64)
        self.iov = np.zeros((n, 2), kernel.IOV)
        self.iov["base"][:, 0] = arena.slots.address + i * size
        self.iov["len"][:, 0] = size
        self.iov["base"][:, 1] = arena.spare.address + i * SLOT
        self.iov["len"][:, 1] = SLOT
        self.control = np.zeros(n, kernel.CONTROL)
        self.names = np.zeros((n, kernel.NAME), np.uint8)
        self.msg = np.zeros(n, kernel.MSG)
        self.msg["iov"] = self.iov.ctypes.data + i * (2 * kernel.IOV.itemsize)
        self.msg["iovlen"] = 1 if alone else 2
        self.msg["control"] = self.control.ctypes.data + i * kernel.CONTROL.itemsize
        self.msg["controllen"] = kernel.CONTROL.itemsize
        if named:
            self.msg["name"] = self.names.ctypes.data + i * kernel.NAME
            self.msg["namelen"] = kernel.NAME
        self.address = self.msg.ctypes.data
        self.rows = arena.slots.bytes[: n * size].reshape(n, size)

    @property
    def trains(self) -> bool:
        return self.size == SLOT


class Receiver:
    """Takes batches from a socket. `allowed(host)`: whose datagrams are heard; others are counted in `refused`."""

    def __init__(self, sock: socket.socket, arena: Arena, allowed: Callable[[str], bool] | None = None):
        self.socket, self.fd, self.arena, self.allowed = sock, sock.fileno(), arena, allowed
        self.family = sock.family
        self.refused = self.empty = 0
        self._layouts: dict[tuple[int, bool], Layout] = {}
        self._layout = self._of(SLOT, TRAINS)
        try:
            sock.setsockopt(kernel.SOL_UDP, kernel.UDP_GRO, 1)
        except OSError:
            pass  # an older kernel: no trains

    def batch(self) -> Batch | None:
        """What is there now; None: nothing."""
        layout = self._layout
        n = kernel.recvmmsg(self.fd, layout.address, layout.n, kernel.DONTWAIT, None)
        if n <= 0:
            number = kernel.get_errno()
            if n == 0 or number in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
                return None
            raise IOFailure(f"receiving failed: {os.strerror(number)}")
        msg = layout.msg[:n]
        lens = msg["len"].astype(np.int64)
        joined = self._joined(layout, n)
        keep = self._heard(layout, n) if self.allowed else None
        if joined is None and keep is None and not layout.trains and (lens == layout.size).all():
            return Batch([layout.rows[None, :n]], n == layout.n)
        if layout.trains:
            pieces = self._of_trains(layout, lens, joined, keep)
        else:
            pieces = self._of_slots(layout, lens, joined, keep)
        full = n == layout.n
        self._choose(layout, lens, joined)
        return Batch(pieces, full)

    # ------------------------------------------------------------ what a batch holds
    def _joined(self, layout: Layout, n: int) -> np.ndarray | None:
        """Of each message the size of the datagrams that the kernel joined in it, 0 for a lone one. None: all are alone."""
        lengths = layout.msg["controllen"][:n]
        if not lengths.any():
            lengths[:] = kernel.CONTROL.itemsize
            return None
        control = layout.control[:n]
        is_size = (lengths > 0) & (control["level"] == kernel.SOL_UDP) & (control["type"] == kernel.UDP_GRO)
        sizes = np.where(is_size, control["value"], 0).astype(np.int64)
        lengths[:] = kernel.CONTROL.itemsize
        return sizes if sizes.any() else None

    def _heard(self, layout: Layout, n: int) -> np.ndarray | None:
        """Which messages come from a source that may speak; None: all."""
        assert self.allowed
        names = layout.names[:n]
        layout.msg["namelen"][:n] = kernel.NAME
        at, size = (4, 4) if self.family == socket.AF_INET else (8, 16)
        hosts = np.ascontiguousarray(names[:, at : at + size]).view(f"V{size}")[:, 0]
        keep = np.empty(n, bool)
        verdicts: dict[bytes, bool] = {}
        if (hosts == hosts[0]).all():
            keep[:] = self._verdict(verdicts, hosts[0].tobytes())
        else:
            keep[:] = [self._verdict(verdicts, host.tobytes()) for host in hosts]
        return None if keep.all() else keep

    def _verdict(self, known: dict[bytes, bool], host: bytes) -> bool:
        if host not in known:
            assert self.allowed
            known[host] = self.allowed(socket.inet_ntop(self.family, host))
        return known[host]

    def _of_slots(self, layout: Layout, lens: np.ndarray, joined: np.ndarray | None, keep: np.ndarray | None) -> list[Piece]:
        """Runs of equal datagrams as arrays, the others as bytes."""
        kind = lens if joined is None else lens + (joined << 17)
        if keep is not None:
            kind = np.where(keep, kind, -1)
        pieces: list[Piece] = []
        few: list[bytes] = []
        for a, b in _runs(kind):
            size = int(lens[a])
            if kind[a] == -1:
                self.refused += b - a
            elif size == 0:
                self.empty += b - a
            elif joined is not None and joined[a]:
                for i in range(a, b):
                    data, q = self._whole(layout, i, size), int(joined[a])
                    few += [data[at : at + q] for at in range(0, size, q)]
            elif size <= layout.size and b - a >= FEW:
                if few:
                    pieces.append(few)
                    few = []
                pieces.append(layout.rows[None, a:b, :size])
            else:
                few += [self._whole(layout, i, size) for i in range(a, b)]
        if few:
            pieces.append(few)
        if joined is not None or int(lens.max()) > layout.size:
            self.arena.spare.forget()
        return pieces

    def _of_trains(self, layout: Layout, lens: np.ndarray, joined: np.ndarray | None, keep: np.ndarray | None) -> list[Piece]:
        q = lens if joined is None else np.where(joined > 0, joined, lens)
        kind = lens + (q << 17)
        if keep is not None:
            kind = np.where(keep, kind, -1)
        pieces: list[Piece] = []
        few: list[bytes] = []
        for a, b in _runs(kind):
            size, one = int(lens[a]), int(q[a])
            if kind[a] == -1:
                self.refused += int(sum(-(-lens[a:b] // np.maximum(q[a:b], 1))))
                continue
            if size == 0:
                self.empty += b - a
                continue
            m, rest = divmod(size, one)
            step = b - a if not rest and m > 1 else 1  # slots that end with a shorter datagram keep their order
            for i in range(a, b, step):
                rows = _train(layout, i, step, m, one)
                if step * m >= FEW:
                    if few:
                        pieces.append(few)
                        few = []
                    pieces.append(rows)
                else:
                    few += [row.tobytes() for slot in rows for row in slot]
                if rest:
                    few.append(layout.rows[i, m * one : size].tobytes())
        if few:
            pieces.append(few)
        return pieces

    def _whole(self, layout: Layout, i: int, size: int) -> bytes:
        head = layout.rows[i, :size].tobytes()
        if size <= layout.size:
            return head
        return head + self.arena.spare.bytes[i * SLOT : i * SLOT + size - layout.size].tobytes()

    # ------------------------------------------------------------ the next layout
    def _choose(self, layout: Layout, lens: np.ndarray, joined: np.ndarray | None) -> None:
        n = len(lens)
        if layout.trains:
            datagrams = n if joined is None else int((-(-lens // np.where(joined > 0, joined, np.maximum(lens, 1)))).sum())
            if n < FEW or datagrams >= 2 * n:
                return
        elif joined is not None:
            self._layout = self._of(SLOT, TRAINS)
            return
        elif n < FEW:
            return
        sizes, counts = np.unique(lens, return_counts=True)
        most, times = int(sizes[counts.argmax()]), int(counts.max())
        if most and times >= 0.75 * n and (times >= AGREE or not layout.variable):
            self._layout = self._of(most, min(max(STRIDE // most, FEW), kernel.CALL))
            return
        size = -(-max(int(lens.max()), 1) // 256) * 256
        if size > layout.size or not layout.variable:
            self._layout = self._of(size, max(FEW, min(1000, ARENA // size)), variable=True)

    def _of(self, size: int, n: int, *, variable: bool = False) -> Layout:
        if size >= SLOT:
            size, n, variable = SLOT, TRAINS, False
        layout = self._layouts.get((size, variable))
        if layout is None:
            if len(self._layouts) >= LAYOUTS:
                del self._layouts[next(iter(self._layouts))]
            layout = self._layouts[size, variable] = Layout(self.arena, size, n, self.allowed is not None, variable)
        return layout


def _runs(kind: np.ndarray) -> list[tuple[int, int]]:
    """Where values stay equal: (first, behind the last)."""
    cuts = (np.flatnonzero(kind[1:] != kind[:-1]) + 1).tolist()
    return list(zip([0, *cuts], [*cuts, len(kind)], strict=True))


def _train(layout: Layout, first: int, slots: int, rows: int, size: int) -> np.ndarray:
    """`rows` datagrams of `size` in each of some slots, (slots, rows, size), in place."""
    base = layout.rows[first:]
    return np.lib.stride_tricks.as_strided(base, (slots, rows, size), (layout.size, size, 1))

"""Sends datagrams on as they are: many a system call, equal ones joined to trains that the kernel takes apart (UDP_SEGMENT)."""

from __future__ import annotations

import errno
import os
import time
from typing import Any

import numpy as np

from sptools.relay import kernel

JOINED = 64  # datagrams of a train: what kernels before 6.9 allow
LONGEST = 65_507
RETRIES = 20
FULL = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
KEPT = 8  # templates


class Template:
    """Messages for up to `n` rows of `size` bytes, `per` to a message; rows that lie back to back take one iovec."""

    def __init__(self, n: int, size: int, per: int, together: bool):
        self.n, self.size, self.per, self.together = n, size, per, together
        m = -(-n // per)
        i = np.arange(m, dtype=np.uint64)
        self.step = per if together else 1  # rows of an iovec
        self.iov = np.zeros(m if together else n, kernel.IOV)
        self.iov["len"] = self.step * size
        self.rows = np.arange(len(self.iov), dtype=np.uint64) * self.step
        self.control = np.zeros(1, kernel.CONTROL)
        self.control[0] = (18, kernel.SOL_UDP, kernel.UDP_SEGMENT, size, 0)
        self.msg = np.zeros(m, kernel.MSG)
        self.each = 1 if together else per
        self.msg["iov"] = self.iov.ctypes.data + i * (self.each * kernel.IOV.itemsize)
        self.msg["iovlen"] = self.each
        if per > 1:
            self.msg["control"] = self.control.ctypes.data
            self.msg["controllen"] = kernel.CONTROL.itemsize
        self.address = self.msg.ctypes.data

    def aim(self, address: int, stride: int, n: int) -> int:
        """Points at `n` rows from `address` on, `stride` bytes apart; gives the number of messages."""
        m = -(-n // self.per)
        used = m if self.together else n
        np.add(self.rows[:used] * np.uint64(stride), np.uint64(address), out=self.iov["base"][:used])
        last = n - (m - 1) * self.per
        self.restore = m - 1
        if self.together:
            self.iov["len"][m - 1] = last * self.size
        else:
            self.msg["iovlen"][m - 1] = last
        return m

    def whole(self) -> None:
        """Undoes what `aim` did for a shorter last message."""
        if self.together:
            self.iov["len"][self.restore] = self.per * self.size
        else:
            self.msg["iovlen"][self.restore] = self.per


class Publisher:
    """Sends to one connected socket. `unsent`: datagrams that the network or its queue did not take; `refused`: reports
    that nobody listens at the other end."""

    def __init__(self, output: Any):
        self.output, self.fd = output, output.fileno()
        os.set_blocking(self.fd, False)
        self.sent = self.unsent = self.refused = 0
        self._trains = True
        self._templates: dict[tuple[int, int, bool], Template] = {}

    @property
    def notes(self) -> dict[str, int]:
        return {name: n for name, n in (("unsent", self.unsent), ("refused", self.refused)) if n}

    def rows(self, rows: np.ndarray) -> None:
        """Equal datagrams, (slots, rows, size) uint8, that stay where they are."""
        slots, n, size = rows.shape
        address, (apart, stride, _) = rows.ctypes.data, rows.strides
        for i in range(slots):
            self._send(address + i * apart, stride, n, size)

    def one(self, datagram: bytes) -> None:
        for _ in range(RETRIES):
            try:
                os.write(self.fd, datagram)
                self.sent += 1
                return
            except ConnectionRefusedError:
                self.refused += 1  # says so of an earlier datagram
            except OSError as error:
                if error.errno not in FULL:
                    break
                time.sleep(0.0002)
        self.unsent += 1

    def close(self) -> None:
        self.output.close(True)

    def _send(self, address: int, stride: int, n: int, size: int) -> None:
        per = max(1, min(JOINED, LONGEST // size)) if self._trains and n > 1 else 1
        template = self._template(n, size, per, stride == size)
        most = kernel.CALL if per == 1 else kernel.CALL * per
        for at in range(0, n, most):
            some = min(most, n - at)
            m = template.aim(address + at * stride, stride, some)
            failed, done = self._call(template, m)
            template.whole()
            rows_done = min(done * per, some)
            self.sent += rows_done
            if failed in (errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.ENOPROTOOPT) and per > 1:
                self._trains = False  # a network card without checksums, or a path narrower than these datagrams
                self._send(address + (at + rows_done) * stride, stride, n - at - rows_done, size)
                return
            self.unsent += some - rows_done

    def _call(self, template: Template, m: int) -> tuple[int, int]:
        """(errno or 0, messages sent). Waits a little for room, never for long: who publishes must not stop receiving."""
        done = tries = 0
        while done < m:
            got = kernel.sendmmsg(self.fd, template.address + done * kernel.MSG.itemsize, m - done, kernel.DONTWAIT)
            if got > 0:
                done, tries = done + got, 0
                continue
            number, tries = kernel.get_errno(), tries + 1
            if number == errno.ECONNREFUSED:
                self.refused += 1
            elif number in FULL:
                time.sleep(0.0002)
            elif number != errno.EINTR:
                return number, done
            if tries > RETRIES:
                return number, done
        return 0, done

    def _template(self, n: int, size: int, per: int, together: bool) -> Template:
        key = (size, per, together)
        template = self._templates.get(key)
        if template is None or template.n < n:
            if template is None and len(self._templates) >= KEPT:
                del self._templates[next(iter(self._templates))]
            room = -(-max(n, 64 if n > 1 else 1) // per) * per
            template = self._templates[key] = Template(room, size, per, together)
        return template

"""The client's side of rtl_tcp: a 12-byte header, then samples one way and 5-byte commands the other.

header   'RTL0' | tuner, u32 | number of gains, u32          command   number, u8 | value, u32        big-endian
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import threading
import time

from .. import errors
from ._chunk import Chunk
from ._rtlloss import Shortfall
from ._rtlrange import TUNERS, actual_rate, block_samples, check_freq, check_ppm, check_rate, nearest

STALL_s = 3.0
CONNECT_s = 3.0
# What the server has in hand when it obeys a command: one USB buffer of its default size, filled at the old settings
BUFFER = 262_144
WINDOW_s = 2.0  # of the loss estimate: a network catches up later than USB
FREQ, RATE, MANUAL, GAIN, PPM, AGC, BIAS_TEE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x0E


class TcpReceiver:
    """A connection to rtl_tcp. `rate` and `gain` are what the dongle makes of the wish, if its tuner is known."""

    live, datatype, clock, schema = True, "cu8", "none", None

    def __init__(
        self,
        host: str,
        port: int,
        *,
        freq: float,
        rate: float,
        gain: float,
        ppm: float,
        bias_tee: bool,
        agc: bool,
    ):
        samples = check_rate(rate)
        self.device = f"rtltcp://{f'[{host}]' if ':' in host else host}:{port}"
        self.rate = actual_rate(samples)
        self._checked(freq, gain, ppm)
        self._block = block_samples(self.rate)
        self._shortfall = Shortfall(self.rate, BUFFER // 2, WINDOW_s)
        self._closing, self._bias = False, bias_tee
        self._lock = threading.Lock()  # commands are not mixed, and none follows the goodbye
        self._socket = self._connect(host, port)
        try:
            self.tuner, self._gains = self._greet()
            self._send(RATE, samples)
            self._send(AGC, int(agc))
            if bias_tee:
                self._send(BIAS_TEE, 1)
            self._next = (0.0, math.nan)  # freq and gain once the server has obeyed
            self.set(freq=freq, gain=gain, ppm=ppm)
            self._skip(BUFFER)
            self._old = 0  # bytes still to come at the settings before
            self.freq, self.gain = self._next
        except BaseException:
            self._socket.close()
            raise

    def read(self) -> Chunk | None:
        """The next 10 ms, in at most 3 s; None after `close`. `lost` is an estimate, see _rtlloss."""
        data = bytearray(2 * self._block)
        if not self._fill(memoryview(data)):
            return None
        if self._old > 0:
            self._old -= len(data)
        else:
            self.freq, self.gain = self._next
        lost = self._shortfall.arrived(self._block, time.monotonic())
        return Chunk(memoryview(data), self.rate, self.freq, self.gain, lost)

    def set(self, *, freq: float | None = None, gain: float | None = None, ppm: float | None = None) -> None:
        """Tune without a break in the stream. The server does not answer, so a chunk carries the new settings from
        about one of the server's buffers (256 KiB) later.
        """
        self._checked(freq, gain, ppm)
        next_freq, next_gain = self._next
        if ppm is not None:
            self._send(PPM, check_ppm(ppm))
        if freq is not None:
            self._send(FREQ, check_freq(freq))
            next_freq = float(check_freq(freq))
        if gain is not None:
            self._send(MANUAL, 0 if math.isnan(gain) else 1)
            next_gain = gain
            if not math.isnan(gain):
                tenths = nearest(gain, self._gains)
                self._send(GAIN, tenths)
                next_gain = tenths / 10
        self._next, self._old = (next_freq, next_gain), BUFFER

    def close(self) -> None:
        """Hangs up; a `read` under way ends."""
        with contextlib.suppress(OSError, errors.Unavailable):
            if self._bias and not self._closing:
                self._send(BIAS_TEE, 0)  # no power on the antenna that nobody asked for
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _connect(self, host: str, port: int) -> socket.socket:
        try:
            link = socket.create_connection((host, port), timeout=CONNECT_s)
        except socket.gaierror as why:
            raise errors.Unavailable(f"{self.device}: {why.strerror or why}: check the host's name") from None
        except OSError as why:
            raise errors.Unavailable(f"{self.device}: {why.strerror or why}: is rtl_tcp running there?") from None
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # commands are 5 bytes
        return link

    def _greet(self) -> tuple[str, tuple[int, ...]]:
        """The tuner and its gains, from the header."""
        header = bytearray(12)
        self._fill(memoryview(header), "connected, but it never greeted; is another client using it?")
        magic, number, count = struct.unpack(">4sII", header)
        if magic != b"RTL0":
            raise errors.BadData(f"{self.device} is not an rtl_tcp server: it begins with {header.decode('latin-1')!a}")
        name, gains = TUNERS.get(number, ("unknown tuner", ()))
        return name, gains if len(gains) == count else ()

    def _skip(self, size: int) -> None:
        """Throws away what was sampled before our settings arrived."""
        scratch = memoryview(bytearray(2 * self._block))
        while size > 0:
            self._fill(scratch)
            size -= len(scratch)

    def _fill(self, view: memoryview, silent: str = "") -> bool:
        """All of `view` from the socket within 3 s; False when we hang up. `silent`: what to say of nothing at all."""
        deadline, want = time.monotonic() + STALL_s, len(view)
        while view:
            try:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                size = self._socket.recv_into(view)
            except TimeoutError:
                size = -1
            except OSError as why:
                if self._closing:
                    return False
                raise errors.Unavailable(f"{self.device}: {why.strerror or why}") from None
            if self._closing:
                return False
            if size == 0:
                raise errors.Unavailable(f"{self.device} has hung up: is its dongle still there, or another client?")
            if size < 0 or (time.monotonic() > deadline and size < len(view)):
                got = want - len(view) + max(0, size)
                few = f"no samples for {STALL_s:g} s (only {got} of {want} bytes)"
                raise errors.Unavailable(f"{self.device}: {few if got or not silent else silent}")
            view = view[size:]
        return True

    def _send(self, command: int, value: int) -> None:
        with self._lock:
            try:
                self._socket.settimeout(STALL_s)
                self._socket.sendall(struct.pack(">BI", command, value & 0xFFFFFFFF))
            except OSError as why:
                raise errors.Unavailable(f"{self.device}: {why.strerror or why}") from None

    def _checked(self, freq: float | None, gain: float | None, ppm: float | None) -> None:
        """errors.Usage before anything is sent."""
        if freq is not None:
            check_freq(freq)
        if ppm is not None:
            check_ppm(ppm)
        if gain is not None and not math.isnan(gain):
            nearest(gain, ())

"""A dongle on USB that delivers: librtlsdr's asynchronous reading, put into chunks.

`rtlsdr_read_sync` has no transfers in flight between two calls and loses samples; `rtlsdr_read_async` keeps many. Its
callback runs in a thread of its own, copies the buffer and leaves: whatever it holds up is lost on USB.
"""

from __future__ import annotations

import ctypes
import math
import queue
import threading
import time

from .. import errors
from ._chunk import Chunk
from ._rtlcalls import Callback, Device, Library
from ._rtlloss import Shortfall
from ._rtlrange import block_samples, check_freq, check_ppm, check_rate, nearest

STALL_s = 3.0
IN_FLIGHT_s = 0.5  # transfers under way, to bridge a busy CPU; 3.2 MB of the 16 MB that the kernel grants for USB
HELD_s = 1.0  # chunks that nobody has read yet
CLOSE_s = 0.6
DIRECT = {"off": 0, "i": 1, "q": 2}


class UsbReceiver:
    """An open dongle that is delivering. `rate`, `freq` and `gain` are what it was really set to."""

    live, datatype, clock, schema = True, "cu8", "none", None

    def __init__(
        self,
        lib: Library,
        index: int,
        *,
        freq: float,
        rate: float,
        gain: float,
        ppm: float,
        direct: str,
        bandwidth: float | None,
        bias_tee: bool,
        agc: bool,
    ):
        hertz, samples, parts = check_freq(freq), check_rate(rate), check_ppm(ppm)
        if math.isfinite(gain):
            nearest(gain, ())  # refuse before the device is opened
        self.device = f"rtlsdr:{index}"
        self._lock = threading.Lock()  # a setting under way and close() exclude each other
        self._open: Device | None = lib.open(index)
        self._bias = False
        self.freq, self.gain = 0.0, math.nan
        try:
            self._gains = self._open.gains()
            if direct != "off":
                self._open.set("direct_sampling", DIRECT[direct])
            self._open.set("sample_rate", samples)
            # librtlsdr reports whole samples/s; the fraction it drops is below 0.5 ppm, the crystal's error far above
            self.rate = float(self._open("get_sample_rate") or samples)
            if bandwidth is not None:
                self._open.set("tuner_bandwidth", round(bandwidth))
            self._ppm = 0  # what librtlsdr starts from; it refuses to set what is set
            self._set_ppm(self._open, parts)
            self._set_freq(self._open, hertz)
            self._set_gain(self._open, gain)
            self._open.set("agc_mode", int(agc))
            if bias_tee:
                self._open.set("bias_tee", 1)
                self._bias = True
            if self._open("reset_buffer") < 0:
                raise errors.Unavailable(f"{self.device}: cannot reset its buffer: unplug it and plug it in again")
        except BaseException:
            self._release(self._open)
            raise
        block = block_samples(self.rate)
        self._shortfall = Shortfall(self.rate, block)
        self._chunks: queue.SimpleQueue[Chunk | int | None] = queue.SimpleQueue()
        self._most = math.ceil(HELD_s * self.rate / block)
        self._missed = 0  # samples lost since the last chunk that was held
        self._closing = False
        self._callback = Callback(self._take)  # librtlsdr keeps only the address
        self._in_flight, self._bytes = math.ceil(IN_FLIGHT_s * self.rate / block), 2 * block
        self._thread = threading.Thread(target=self._pump, args=(self._open,), name=self.device, daemon=True)
        self._thread.start()

    def read(self) -> Chunk | None:
        """The next 10 ms, in at most 3 s; None after `close`. `lost` is an estimate, see _rtlloss."""
        try:
            item = self._chunks.get(timeout=STALL_s)
        except queue.Empty:
            raise errors.Unavailable(
                f"{self.device}: no samples for {STALL_s:g} s: replug it, or use another USB port"
            ) from None
        if isinstance(item, Chunk):
            return item
        self._chunks.put(item)  # the end stays the end
        if self._closing or item is None:
            return None
        why = f" (librtlsdr says {item})" if item else ""
        raise errors.Unavailable(f"{self.device} has stopped delivering{why}: unplugged?")

    def set(self, *, freq: float | None = None, gain: float | None = None, ppm: float | None = None) -> None:
        """Tune without a break in the stream. What the dongle refuses raises, and the rest stays as it was.

        A chunk carries the settings in force when it arrived; the one being filled meanwhile has some of both.
        """
        hertz = None if freq is None else check_freq(freq)
        parts = None if ppm is None else check_ppm(ppm)
        if gain is not None and math.isfinite(gain):
            nearest(gain, self._gains)
        with self._lock:
            device = self._open
            if device is None:
                raise errors.Unavailable(f"{self.device} is closed")
            if parts is not None:
                self._set_ppm(device, parts)
            if hertz is not None:
                self._set_freq(device, hertz)
            if gain is not None:
                self._set_gain(device, gain)

    def close(self) -> None:
        """Stops and gives the dongle back, within a second; a device that hangs in the kernel is left to the exit."""
        self._closing = True
        self._chunks.put(None)
        if not self._lock.acquire(timeout=CLOSE_s):
            return
        try:
            device, self._open = self._open, None
            if device is None:
                return
            deadline = time.monotonic() + CLOSE_s
            while self._thread.is_alive() and time.monotonic() < deadline:
                device("cancel_async")  # refused as long as reading has not begun: hence the loop
                self._thread.join(0.05)
            if not self._thread.is_alive():
                self._release(device)
        finally:
            self._lock.release()

    def _release(self, device: Device) -> None:
        if self._bias:
            device("set_bias_tee", 0)  # no power on the antenna that nobody asked for
        device("close")

    def _set_ppm(self, device: Device, ppm: int) -> None:
        if ppm != self._ppm:
            device.set("freq_correction", ppm)
            self._ppm = ppm

    def _set_freq(self, device: Device, freq: int) -> None:
        try:
            device.set("center_freq", freq)
        except errors.SpError:
            if self.freq:
                device("set_center_freq", int(self.freq))
            raise
        self.freq = float(device("get_center_freq") or freq)

    def _set_gain(self, device: Device, gain: float) -> None:
        if math.isnan(gain):
            device.set("tuner_gain_mode", 0)
            self.gain = gain
            return
        tenths = nearest(gain, self._gains)
        device.set("tuner_gain_mode", 1)
        device.set("tuner_gain", tenths)
        self.gain = tenths / 10

    def _pump(self, device: Device) -> None:
        self._chunks.put(device("read_async", self._callback, None, self._in_flight, self._bytes))

    def _take(self, address: int, size: int, _context: object) -> None:
        """The callback: `size` bytes of interleaved I and Q at `address`, ours until we return."""
        count = size // 2
        lost = self._missed + self._shortfall.arrived(count, time.monotonic())
        if self._chunks.qsize() >= self._most:
            self._missed = lost + count
            return
        self._missed = 0
        self._chunks.put(Chunk(ctypes.string_at(address, 2 * count), self.rate, self.freq, self.gain, lost))

"""librtlsdr's C interface: prototypes, and its return codes as errors with a remedy.

The prototypes are our own also where pyrtlsdr has found the library: its RtlSdr class closes the device when a setting
is refused (setting the same ppm again is), rounds the frequency to kHz, and reads without a queue of its own.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_uint32, c_void_p
from typing import Any

from .. import errors
from ._rtlrange import REACH

Callback = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)  # buf, len, ctx
NAMES = ("librtlsdr.so.0", "librtlsdr.so.2", "librtlsdr.so")  # Debian 12 and before, Debian 13, built by hand

_TEXT = ctypes.c_char * 256
_PROTOTYPES: dict[str, tuple[Any, ...]] = {  # result, arguments. Source: rtl-sdr.h of librtlsdr 0.6.0
    "get_device_count": (c_uint32,),
    "get_device_name": (c_char_p, c_uint32),
    "get_device_usb_strings": (c_int, c_uint32, c_char_p, c_char_p, c_char_p),
    "open": (c_int, POINTER(c_void_p), c_uint32),
    "close": (c_int, c_void_p),
    "set_center_freq": (c_int, c_void_p, c_uint32),
    "get_center_freq": (c_uint32, c_void_p),
    "set_freq_correction": (c_int, c_void_p, c_int),
    "get_tuner_gains": (c_int, c_void_p, POINTER(c_int)),
    "set_tuner_gain_mode": (c_int, c_void_p, c_int),
    "set_tuner_gain": (c_int, c_void_p, c_int),
    "set_tuner_bandwidth": (c_int, c_void_p, c_uint32),
    "set_sample_rate": (c_int, c_void_p, c_uint32),
    "get_sample_rate": (c_uint32, c_void_p),
    "set_agc_mode": (c_int, c_void_p, c_int),
    "set_direct_sampling": (c_int, c_void_p, c_int),
    "set_bias_tee": (c_int, c_void_p, c_int),
    "reset_buffer": (c_int, c_void_p),
    "read_async": (c_int, c_void_p, Callback, c_void_p, c_uint32, c_uint32),
    "cancel_async": (c_int, c_void_p),
}

# libusb's codes, which librtlsdr passes on
_ACCESS, _NO_DEVICE, _NOT_FOUND, _BUSY = -3, -4, -5, -6
_REFUSED = (-2, -22)  # by librtlsdr itself: not possible with this tuner; EINVAL
_WHY = {
    _ACCESS: "no permission: 'apt install rtl-sdr' brings the udev rule, then plug it in again and be in group plugdev",
    _NO_DEVICE: "it is not there any more: unplugged?",
    _NOT_FOUND: "it is not there any more: unplugged?",
    _BUSY: "it is busy, used by another program or the kernel's DVB driver: end it, or 'modprobe -r dvb_usb_rtl28xxu'",
}


class Library:
    """A loaded librtlsdr. `lib("open", …)` calls rtlsdr_open and returns what it returns."""

    def __init__(self, handle: ctypes.CDLL):
        self.name = handle._name
        self._cdll = ctypes.CDLL(handle._name, handle=handle._handle)  # pyrtlsdr keeps its own prototypes

    def __call__(self, name: str, *args: Any) -> Any:
        try:
            function = getattr(self._cdll, f"rtlsdr_{name}")
        except AttributeError:
            raise errors.Unavailable(f"{self.name} is too old: it has no rtlsdr_{name}") from None
        if function.argtypes is None:
            function.restype, *function.argtypes = _PROTOTYPES[name]
        return function(*args)

    def names(self) -> list[tuple[str, str]]:
        """(model, serial) of each dongle; the serial is empty where it may not be read."""
        found = []
        for index in range(self("get_device_count")):
            maker, product, serial = _TEXT(), _TEXT(), _TEXT()
            self("get_device_usb_strings", index, maker, product, serial)
            model = self("get_device_name", index) or b"RTL-SDR"
            found.append((model.decode("utf-8", "replace"), serial.value.decode("utf-8", "replace")))
        return found

    def open(self, index: int) -> Device:
        pointer = c_void_p()
        code = self("open", ctypes.byref(pointer), index)
        if code < 0 or not pointer:
            raise errors.Unavailable(f"cannot open rtlsdr:{index}: {_WHY.get(code, f'librtlsdr says {code}')}")
        return Device(self, pointer, index)


class Device:
    """An open dongle."""

    def __init__(self, lib: Library, pointer: c_void_p, index: int):
        self._lib, self._pointer, self._index = lib, pointer, index

    def __call__(self, name: str, *args: Any) -> int:
        """rtlsdr_<name>(device, …), whatever it returns."""
        return self._lib(name, self._pointer, *args)

    def set(self, name: str, value: int) -> None:
        """rtlsdr_set_<name>(device, value). errors.Usage if the value is refused, errors.Unavailable if USB fails."""
        code = self(f"set_{name}", value)
        if code >= 0:
            return
        who = f"rtlsdr:{self._index}"
        if code in _WHY:
            raise errors.Unavailable(f"{who}: {_WHY[code]}")
        # -1 is both libusb's I/O error and a tuner's answer to a frequency beyond its reach
        if code in _REFUSED or (name == "center_freq" and not REACH[0] <= value <= REACH[1]):
            raise errors.Usage(f"{who} refuses {name} {value} (librtlsdr says {code})")
        raise errors.Unavailable(
            f"{who}: USB fails while setting {name} (librtlsdr says {code}): try another port or cable"
        )

    def gains(self) -> tuple[int, ...]:
        """What the tuner can amplify by, in tenths of a dB."""
        count = self("get_tuner_gains", None)
        if count <= 0:
            return ()
        values = (c_int * count)()
        return tuple(values[: self("get_tuner_gains", values)])


def load() -> ctypes.CDLL | None:
    """The system's librtlsdr."""
    for name in NAMES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None

"""Programme audio: a WAV file or a made-up voice, repeated for ever, as modulation on a slow grid."""

import wave
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from sptools.errors import BadData, NoInput, NoPermission, Usage

TAPS = 24
PHASES = 512  # places between two samples of audio; the error of time lies 79 dB below a 1 kHz tone
PASS = 0.47  # of the audio's rate: what lies above is damped
BETA = 6.0  # of the Kaiser window over the taps


def read_wav(path: str) -> tuple[np.ndarray, float]:
    """float64 (channels ≤ 2, n) within ±1, and the rate."""
    try:
        with wave.open(path, "rb") as file:
            channels, width, rate, count = file.getparams()[:4]
            raw = file.readframes(count)
    except FileNotFoundError:
        raise NoInput(f"audio={path}: no such file") from None
    except PermissionError:
        raise NoPermission(f"audio={path}: not readable") from None
    except (wave.Error, EOFError, OSError) as error:
        raise BadData(f"audio={path}: not a PCM WAV file ({error})") from None
    if width != 2:
        raise Usage(f"audio={path}: {8 * width}-bit samples; 16-bit PCM is what it takes")
    samples = np.frombuffer(raw[: len(raw) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels).T / 32768
    if samples.shape[1] < TAPS:
        raise NoInput(f"audio={path}: no sound in it")
    return samples[:2], float(rate)


def voice(seed: int, rate: float = 16000.0, length: float = 4.0) -> np.ndarray:
    """float64 (n,), peak 1: harmonics of a gliding pitch under formants that change with each syllable."""
    random = np.random.Generator(np.random.SFC64([seed, 30]))
    n = int(rate * length)
    t = np.arange(n) / rate
    syllables = int(length * 4)
    knots = np.linspace(0, length, syllables + 1)
    pitch = np.interp(t, knots, random.uniform(95, 150, syllables + 1))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    first = np.interp(t, knots, random.uniform(300, 800, syllables + 1))
    second = np.interp(t, knots, random.uniform(900, 2300, syllables + 1))
    sound = np.zeros(n)
    for k in range(3, 28):  # 300 Hz to 3 kHz: what a voice channel passes
        line = pitch * k
        strength = np.exp(-(((line - first) / 150) ** 2)) + 0.5 * np.exp(-(((line - second) / 250) ** 2)) + 0.03
        sound += strength * (line < 3000) * np.sin(k * phase)
    sound *= np.sin(np.pi * t * syllables / length) ** 2  # each syllable swells and fades, so the repeat has no click
    return sound / np.abs(sound).max()


def preemphasised(sound: np.ndarray, rate: float, tau: float) -> np.ndarray:
    """H(f) = 1 + 2πjfτ, over the repeated sound; the peak stays where it was, as a station's limiter sees to."""
    spectrum = np.fft.rfft(sound, axis=-1)
    spectrum *= 1 + 2j * np.pi * tau * np.fft.rfftfreq(sound.shape[-1], 1 / rate)
    loud = np.fft.irfft(spectrum, sound.shape[-1], axis=-1)
    return loud * (np.abs(sound).max() / max(np.abs(loud).max(), 1e-9))


def limited(sound: np.ndarray, rate: float, width: float) -> np.ndarray:
    """Only what lies below `width` Hz of a repeated sound, peak 1."""
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / rate) > width] = 0
    spectrum[0] = 0
    quiet = np.fft.irfft(spectrum, len(sound))
    return quiet / max(np.abs(quiet).max(), 1e-9)


def kernel(response: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """float32 (PHASES, TAPS): interpolation with the frequency response `response(f)`, f in cycles per audio sample."""
    lines = 96  # of the response: the taps repeat after lines / (2 · PASS) samples, four times their length
    f = (np.arange(lines) + 0.5 - lines / 2) / lines * 2 * PASS
    t = np.arange(TAPS)[None, :] - TAPS // 2 + 1 - (np.arange(PHASES)[:, None] + 0.5) / PHASES
    taps = np.empty((PHASES, TAPS))
    for i in range(PHASES):  # by rows: the whole cube would take 20 MB
        taps[i] = (np.exp(-2j * np.pi * np.outer(t[i], f)) @ response(f)).real
    window = np.i0(BETA * np.sqrt(np.clip(1 - (t / (TAPS / 2)) ** 2, 0, 1))) / np.i0(BETA)
    return (taps * window * (2 * PASS / lines)).astype(np.float32)


class Loop:
    """A repeated sound, sampled at any grid `rate`: `count` samples from any index, without state."""

    def __init__(self, sound: np.ndarray, audio_rate: float, rate: float, count: int):
        """`sound`: float64 (n,)."""
        self.n = len(sound)
        self.mean = sound.mean()
        self.sound = np.concatenate([sound, sound[:TAPS]]) - self.mean
        self.total: np.ndarray | None = None
        self.audio_rate = audio_rate
        self.pace = Fraction(audio_rate) / Fraction(rate) * 2**32
        self.inside = (np.arange(count) * float(self.pace)).astype(np.int64)

    def places(self, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Where each grid sample lies: the audio sample at or before it, and the place behind that (0 … PHASES − 1)."""
        position = self.inside + int(first * self.pace) % (self.n << 32)
        return (position >> 32) % self.n, position >> 23 & (PHASES - 1)

    def apply(self, source: np.ndarray, first: int, taps: np.ndarray) -> np.ndarray:
        """float32 (count,): `source` through one of the kernels."""
        start, phase = self.places(first)
        windows = np.lib.stride_tricks.sliding_window_view(source, TAPS)[start]
        return np.einsum("ij,ij->i", windows, taps[phase], dtype=np.float32, casting="unsafe")

    def values(self, first: int) -> np.ndarray:
        """The sound itself."""
        if self.total is None:
            self.total = self.sound.astype(np.float32)
            self.taps = kernel(lambda f: np.ones_like(f))
        return self.apply(self.total, first, self.taps)

    def phase(self, first: int) -> np.ndarray:
        """The sound's integral over time (s): the turns of an oscillator that follows it.

        Sums of samples are the integral but for the factor (x/2)/sin(x/2), x = 2πf/rate, which the kernel takes out.
        """
        if self.total is None:
            total = np.cumsum(self.sound[: self.n]) / self.audio_rate
            self.total = np.concatenate([total, total[:TAPS]])
            self.taps = kernel(lambda f: np.sinc(f) * np.exp(-1j * np.pi * f))
        start, phase = self.places(first)
        windows = np.lib.stride_tricks.sliding_window_view(self.total, TAPS)[start]
        return np.einsum("ij,ij->i", windows, self.taps[phase])

    def carried(self, freq: float, first: int, cosine: np.ndarray, sine: np.ndarray) -> np.ndarray:
        """∫ sound(t) · sin(2π freq t) dt: exact over the band, where integration by parts would not converge.

        Each frequency f of the sound is divided by 2πj (freq + f): an even and an odd kernel.
        """
        if self.total is None:
            self.total = self.sound.astype(np.float32)
            ratio = self.audio_rate / freq
            self.even = kernel(lambda f: 1 / (1 - (f * ratio) ** 2))
            self.odd = kernel(lambda f: 1j * (f * ratio) / (1 - (f * ratio) ** 2))
        even = self.apply(self.total, first, self.even)
        odd = self.apply(self.total, first, self.odd)
        return (odd * sine - even * cosine) / (2 * np.pi * freq)

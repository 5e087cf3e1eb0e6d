"""The demo clip's sound: soft wind and plucked strings, so that one hears that a video keeps its sound."""

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

SAMPLE_RATE = 48_000
"""Samples a second."""

_NOTES = (293.66, 440.0, 369.99, 587.33, 493.88, 440.0, 659.26, 587.33, 369.99, 440.0, 493.88, 587.33)
_BEAT = 0.5
_CHORD = (146.83, 220.0, 293.66, 369.99)


def soundtrack(seconds: float) -> Sound:
    """Return ``seconds`` of sound, (2, N) float32 in -1..1 at ``SAMPLE_RATE``; the same every time."""
    count = round(seconds * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float64) / SAMPLE_RATE
    mix = 0.10 * _wind(count) + 0.05 * _chord(time) + 0.16 * _melody(time)
    fade = np.clip(np.minimum(time / 0.4, (seconds - time) / 0.8), 0, 1)
    return np.asarray(np.clip(mix * fade, -1, 1), np.float32)


def _wind(count: int) -> NDArray[np.float64]:
    """Return (2, count) noise without its high tones, swelling slowly, different left and right."""
    random = np.random.default_rng(3)
    spectrum = np.fft.rfft(random.standard_normal((2, count)), axis=1)
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    spectrum *= (frequency / (frequency + 60)) / (1 + (frequency / 320) ** 2)
    noise = np.fft.irfft(spectrum, count, axis=1)
    swell = 0.65 + 0.35 * np.sin(2 * np.pi * 0.22 * np.arange(count) / SAMPLE_RATE)
    return np.asarray(noise / noise.std() * swell / 3)


def _chord(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a held chord, (2, N), whose two sides are slightly out of tune with each other."""
    sides = [sum(np.sin(2 * np.pi * tone * detune * time) for tone in _CHORD) for detune in (0.9985, 1.0015)]
    return np.asarray(sides) / 2


def _melody(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return plucked notes of a pentatonic scale, one a beat, (2, N), wandering from side to side."""
    sound = np.zeros((2, time.size))
    for index in range(int(time[-1] / _BEAT) + 1 if time.size else 0):
        since = np.maximum(time - index * _BEAT, 0)
        tone = _NOTES[index % len(_NOTES)]
        pluck = sum(
            np.sin(2 * np.pi * tone * harmonic * since) * np.exp(-(2.0 + harmonic) * since) / harmonic**1.5
            for harmonic in range(1, 6)
        )
        pan = 0.5 + 0.3 * np.sin(1.3 * index)
        sound += np.outer((pan, 1 - pan), pluck * (1 - np.exp(-since / 0.004)))
    return sound

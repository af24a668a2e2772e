"""How a ventricle's volume and a vessel's area run over the cardiac cycle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from semiqc.phantom.draws import Normal, Uniform


@dataclass(frozen=True)
class CardiacTiming:
    """When the phases of a cycle happen, as shares of the cycle from end-diastole.

    Args:
        end_systole: Time of the smallest volume.
        filling_end: Time at which rapid filling ends.
        kick_start: Time at which the atria contract.
        kick_share: Share of the stroke volume that enters after rapid filling.
    """

    end_systole: float
    filling_end: float
    kick_start: float
    kick_share: float


def draw_timing(rng: np.random.Generator) -> CardiacTiming:
    """Timing of one heart; the distributions stand in ``docs/phantom.md``."""
    end_systole = Normal(0.37, 0.02, 0.32, 0.42).draw(rng)
    return CardiacTiming(
        end_systole=end_systole,
        filling_end=end_systole + Normal(0.25, 0.02, 0.20, 0.30).draw(rng),
        kick_start=Normal(0.82, 0.02, 0.77, 0.87).draw(rng),
        kick_share=Normal(0.24, 0.06, 0.10, 0.40).draw(rng),
    )


def filling(frames: int, timing: CardiacTiming) -> NDArray[np.float64]:
    """How full the ventricle is: 1 at end-diastole, 0 at end-systole.

    Ejection, isovolumic relaxation, rapid filling, diastasis and atrial kick, joined by a
    monotone cubic. Frame 0 is end-diastole; the cycle closes after the last frame.

    Args:
        frames: Number of frames, ``T``.
        timing: Of the phases.

    Returns:
        Share of the stroke volume in the ventricle, ``[T]``. Where no frame falls on
        end-systole, the smallest value is a little above 0.
    """
    times, values = zip(*_volume_knots(timing), strict=True)
    return np.asarray(PchipInterpolator(times, values)(np.arange(frames) / frames))


def _volume_knots(timing: CardiacTiming) -> list[tuple[float, float]]:
    """Time, as a share of the cycle, and filling at the ends of the phases."""
    systole, rapid, kick = timing.end_systole, timing.filling_end, timing.kick_start
    before_kick = 1 - timing.kick_share
    return [
        (0.0, 1.0),
        (0.04, 0.98),
        (0.04 + 0.42 * (systole - 0.04), 0.47),
        (systole, 0.0),
        (systole + 0.04, 0.02),
        (systole + 0.5 * (rapid - systole) + 0.01, 0.55 * before_kick),
        (rapid, 0.94 * before_kick),
        (kick, before_kick),
        (0.96, 1.0),
        (1.0, 1.0),
    ]


@dataclass(frozen=True)
class PulseTiming:
    """When the aorta is widest and how it recoils, as shares of the cycle.

    Args:
        foot: Time at which the pulse arrives.
        peak: Time of the largest area.
        recoil: Time constant of the decay.
        notch: Height of the dicrotic notch as a share of the distension.
    """

    foot: float
    peak: float
    recoil: float
    notch: float


def draw_pulse(rng: np.random.Generator) -> PulseTiming:
    """Pulse of one aorta; the distributions stand in ``docs/phantom.md``."""
    return PulseTiming(
        foot=Uniform(0.03, 0.08).draw(rng),
        peak=Normal(0.26, 0.025, 0.20, 0.32).draw(rng),
        recoil=Uniform(0.22, 0.40).draw(rng),
        notch=Uniform(0.02, 0.08).draw(rng),
    )


def distension(frames: int, timing: PulseTiming) -> NDArray[np.float64]:
    """How far the aorta is distended: 0 at its smallest, 1 at its largest.

    Args:
        frames: Number of frames, ``T``.
        timing: Of the pulse.

    Returns:
        Share of the largest distension, ``[T]``.
    """
    # A grid finer than any cine, so that the extremes do not depend on the number of frames.
    grid = np.linspace(0, 1, 1001)
    pulse = _pulse(grid, timing)
    pulse = (pulse - pulse.min()) / (pulse.max() - pulse.min())
    return np.asarray(np.interp(np.arange(frames) / frames, grid, pulse))


def _pulse(time: NDArray[np.float64], timing: PulseTiming) -> NDArray[np.float64]:
    """Rise, recoil and dicrotic notch of the aorta's wall, in any unit."""
    rise = np.clip((time - timing.foot) / (timing.peak - timing.foot), 0, 1)
    recoil = np.exp(-((np.maximum(time - timing.peak, 0) / timing.recoil) ** 1.3))
    pulse = np.where(time < timing.peak, np.sin(0.5 * np.pi * rise) ** 2, recoil)
    pulse = pulse - timing.notch * np.exp(-(((time - timing.peak - 0.14) / 0.025) ** 2))
    # The last of the recoil runs on into the next beat, until its pulse arrives.
    carried = np.exp(-(((1 + time - timing.peak) / timing.recoil) ** 1.3))
    return np.asarray(np.maximum(pulse, carried * (time < timing.peak)))

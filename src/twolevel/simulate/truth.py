"""What is planted: regions, amplitudes, contrasts, and how people and runs differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONDITIONS = ("pumps_demean", "control_pumps_demean", "cash_demean", "explode_demean")

# weights in the order of CONDITIONS; the labels are those of the balloon preset
CONTRASTS: dict[str, tuple[int, int, int, int]] = {
    "pumpsMinusControl": (1, -1, 0, 0),
    "controlMinusPumps": (-1, 1, 0, 0),
    "pumps": (1, 0, 0, 0),
    "cash": (0, 0, 1, 0),
    "explode": (0, 0, 0, 1),
}

SD_BETWEEN_SUBJECTS = 0.25  # of the response to any inflation, to cash and to explosions
SD_BETWEEN_SUBJECTS_RISK = 0.15  # of what pumps add to control pumps
SD_BETWEEN_RUNS = 0.05  # of a subject's amplitude


@dataclass(frozen=True)
class Region:
    """A planted sphere; amplitudes in percent signal change per unit of the regressor.

    Attributes
    ----------
    name : str
        Anatomical name.
    hemisphere : str
        ``L``, ``R`` or ``both`` (on the midline).
    center_mm : tuple of 3 float
        MNI coordinates of the centre, mm.
    radius_mm : float
        Radius, mm.
    inflation : float
        Response to any inflation, control balloons included.
    risk : float
        What an inflation with risk adds: the true pumps-minus-control effect.
    cash, explode : float
        Responses to the two outcomes.
    """

    name: str
    hemisphere: str
    center_mm: tuple[float, float, float]
    radius_mm: float
    inflation: float
    risk: float
    cash: float
    explode: float

    @property
    def amplitudes(self) -> tuple[float, float, float, float]:
        """Group-mean amplitudes in the order of ``CONDITIONS``."""
        return (self.inflation + self.risk, self.inflation, self.cash, self.explode)


REGIONS = (
    Region("anterior insula", "L", (-34, 22, -2), 10, 2.0, 4.0, 0.0, 6.0),
    Region("anterior insula", "R", (36, 22, -2), 10, 2.0, 4.0, 0.0, 6.0),
    Region("dorsal anterior cingulate", "both", (0, 26, 34), 10, 2.0, 4.0, 0.0, 4.0),
    Region("ventral striatum", "L", (-12, 10, -6), 9, 1.0, 4.0, 6.0, 0.0),
    Region("ventral striatum", "R", (12, 10, -6), 9, 1.0, 4.0, 6.0, 0.0),
    Region("dorsolateral prefrontal cortex", "R", (40, 36, 26), 10, 1.0, 3.5, 0.0, 0.0),
    Region("ventromedial prefrontal cortex", "both", (0, 46, -10), 10, -0.5, -4.0, 3.0, 0.0),
    Region("visual cortex", "both", (0, -84, 4), 12, 6.0, 0.0, 4.0, 6.0),
    Region("motor cortex", "L", (-38, -24, 54), 9, 4.0, 0.0, 4.0, 0.0),
)


def draw_amplitudes(
    subject_rng: np.random.Generator, run_rngs: list[np.random.Generator]
) -> list[NDArray[np.float64]]:
    """Draw one subject's amplitudes, run by run.

    The response to inflation (shared by pumps and control pumps), the addition by risk and the
    two outcomes have a gain of their own in each region; each run then varies a little around it.

    Parameters
    ----------
    subject_rng : numpy.random.Generator
        Stream of the subject.
    run_rngs : list of numpy.random.Generator
        Streams of the runs.

    Returns
    -------
    list of ndarray of shape (n_regions, n_conditions)
        Percent signal change per unit of each condition's regressor; one array per run.
    """
    spread = (SD_BETWEEN_SUBJECTS, SD_BETWEEN_SUBJECTS_RISK, *2 * (SD_BETWEEN_SUBJECTS,))
    gains = 1 + subject_rng.standard_normal((len(REGIONS), 4)) * spread
    parts = np.array([(r.inflation, r.risk, r.cash, r.explode) for r in REGIONS]) * gains
    subject = np.column_stack([parts[:, 0] + parts[:, 1], parts[:, 0], parts[:, 2], parts[:, 3]])
    return [
        subject * (1 + SD_BETWEEN_RUNS * rng.standard_normal((len(REGIONS), 1)))
        for rng in run_rngs
    ]


def effect_map(labels: NDArray[np.int16], contrast: str) -> NDArray[np.float32]:
    """Return the true group-mean effect of a contrast.

    Parameters
    ----------
    labels : ndarray of shape (x, y, z)
        0, or 1 + the region's place in ``REGIONS``.
    contrast : str
        A key of ``CONTRASTS``.

    Returns
    -------
    ndarray of shape (x, y, z), float32
        Percent signal change; 0 outside the regions.
    """
    weights = np.array(CONTRASTS[contrast])
    effects = [0.0, *(float((weights * region.amplitudes).sum()) for region in REGIONS)]
    return np.array(effects, dtype=np.float32)[labels]

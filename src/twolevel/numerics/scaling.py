"""From stored numbers to values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def scaled_values(
    stored: NDArray[np.generic], slope: float, intercept: float
) -> NDArray[np.float32]:
    """Compute ``slope * stored + intercept`` in single precision.

    Parameters
    ----------
    stored : ndarray
        Of any type of number, in any order of bytes.

    Returns
    -------
    ndarray of the same shape, float32
        Always a copy; what is too large for float32 is infinite.
    """
    with np.errstate(over="ignore"):
        values = stored.astype(np.float32)
        if slope != 1:
            values *= np.float32(slope)
        if intercept != 0:
            values += np.float32(intercept)
    return values

"""Finding time courses in which nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Unchanging:
    """Time courses that hold one number only, found row by row.

    Few of them are looked at more than twice. Threads may show rows beside each other once the
    first one was seen: a time course is only ever taken out.

    Parameters
    ----------
    n : int
        Time courses.
    """

    def __init__(self, n: int) -> None:
        self.so_far = np.ones(n, bool)
        self._candidates = np.arange(n)
        self._first: NDArray[np.floating] | None = None

    def see(self, values_of: Callable[[NDArray[np.intp]], NDArray[np.floating]]) -> None:
        """Look at a row.

        Parameters
        ----------
        values_of : callable
            Returns the values of some of the time courses, given by their index.
        """
        candidates = self._candidates
        values = values_of(candidates)
        if self._first is None:
            self._first = values.copy()
            return
        same = values == self._first[candidates]
        self.so_far[candidates[~same]] = False
        # Where threads overtake each other, some are looked at once more: `so_far` is what counts.
        self._candidates = candidates[same]


def unchanging(data: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which time courses hold one number only.

    Parameters
    ----------
    data : ndarray of shape (n_rows, n_series)

    Returns
    -------
    ndarray of shape (n_series,), bool
    """
    found = Unchanging(data.shape[1])
    for row in data:
        found.see(row.__getitem__)
    return found.so_far

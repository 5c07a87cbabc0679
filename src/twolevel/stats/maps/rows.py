"""The data of a model over maps: a value per row and point, with what is known of its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Maps(Protocol):
    """A value per row and point: an array, or a file that is read a block of points at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, number of points."""

    def __getitem__(self, index: Any, /) -> Any:
        """Return ``[:, start:stop]``."""


class Rows(NamedTuple):
    """Maps of runs or subjects, one a row.

    Attributes
    ----------
    effects : ndarray of shape (n_rows, n_points), float64
    variances : ndarray of shape (n_rows, n_points), float64, or None
        Sampling variances of the effects; None where the estimator takes none.
    dofs : ndarray of shape (n_rows,), float64, or None
        Degrees of freedom of the variances.
    """

    effects: NDArray[np.float64]
    variances: NDArray[np.float64] | None = None
    dofs: NDArray[np.float64] | None = None

"""The subjects' maps of a contrast in one file, of which blocks of voxels are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

DTYPE = np.dtype("<f4")
VOXELS_PER_BLOCK = 16_384


class StackedMaps:
    """Maps of many subjects, without holding them: ``maps[:, start:stop]`` reads a block.

    Parameters
    ----------
    path : Path or str
        A ``.npy`` file of `stack_maps`.

    Attributes
    ----------
    shape : (int, int)
        Number of subjects, number of voxels.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self.path.open("rb") as stream:
            np.lib.format.read_magic(stream)
            shape, _, _ = np.lib.format.read_array_header_1_0(stream)
            self.shape: tuple[int, ...] = shape
            self._offset = stream.tell()

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[np.float32]:
        """Read a block of voxels of all subjects; memory for the block only."""
        n_subjects, n_voxels = self.shape
        start, stop, _ = index[1].indices(n_voxels)
        block = np.empty((n_subjects, max(stop - start, 0)), DTYPE)
        with self.path.open("rb", buffering=0) as stream:
            for subject in range(n_subjects):
                stream.seek(self._offset + (subject * n_voxels + start) * DTYPE.itemsize)
                stream.readinto(block[subject].data)
        return block

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Read all voxels, a block of them after the other."""
        for start in range(0, self.shape[1], VOXELS_PER_BLOCK):
            yield self[:, start : start + VOXELS_PER_BLOCK]


def stack_maps(path: Path, maps: Iterable[NDArray[np.floating]], shape: tuple[int, int]) -> None:
    """Write maps one after the other.

    Parameters
    ----------
    path : Path
        Ends in ``.npy``.
    maps : iterable of ndarray of shape (n_voxels,)
        Stored as float32.
    shape : (int, int)
        Number of subjects, number of voxels.
    """
    header = {"descr": DTYPE.str, "fortran_order": False, "shape": shape}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for values in maps:
            stream.write(np.ascontiguousarray(values, DTYPE).data)

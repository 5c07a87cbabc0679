"""NIfTI images: headers, volumes one after the other as they are stored, reproducible writing."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import deflate
import nibabel as nib
import numpy as np
from isal import igzip
from isal.igzip_lib import IsalError
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, HeaderTypeError
from nibabel.wrapstruct import WrapStructError

from twolevel.errors import InputError, Problem
from twolevel.files.annex import require_content
from twolevel.files.atomic import write_bytes
from twolevel.space.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# By libdeflate, in a quarter of gzip's time. igzip takes half of that, but was seen to give two
# different streams for the same content.
LEVEL = 1
SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}  # units of time in headers
DAMAGED = "fetch or copy the file again; it was cut short or altered on its way here"


@dataclass(frozen=True)
class ImageHeader:
    """What the header of an image says.

    Attributes
    ----------
    shape : tuple of int
        Voxels along x, y, z (and volumes).
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.
    repetition_time : float or None
        Seconds between volumes as the header states it; None where it says 0 or the image is 3-D.
    time_unit_is_known : bool
        The header names the unit of time; otherwise seconds are supposed.
    n_bytes : int
        Length that the decompressed file must have at least.
    """

    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    repetition_time: float | None
    time_unit_is_known: bool
    n_bytes: int

    @property
    def grid(self) -> Grid:
        """Of its volumes."""
        x, y, z = (*self.shape, 1, 1)[:3]
        return Grid((x, y, z), self.affine)


def read_header(path: Path | str) -> ImageHeader:
    """Read the header of an image, no data.

    Parameters
    ----------
    path : Path or str
        ``.nii``, ``.nii.gz`` or ``.img``/``.hdr``.

    Raises
    ------
    InputError
        The file is no image, or its header is damaged.
    """
    with _header_damage_reported(path):
        image = _open_image(path)
        proxy = image.dataobj
        unit = image.header.get_xyzt_units()[1] if hasattr(image.header, "get_xyzt_units") else ""
        zooms = image.header.get_zooms()
        if min(image.shape) < 1:
            raise ValueError(f"a shape of {image.shape}")
    seconds = SECONDS.get(unit, 1.0)
    repetition_time = float(zooms[3]) * seconds if len(zooms) > 3 and zooms[3] > 0 else None
    n_bytes = proxy.offset + int(np.prod(proxy.shape, dtype=np.int64)) * proxy.dtype.itemsize
    return ImageHeader(tuple(image.shape), image.affine, repetition_time, unit in SECONDS, n_bytes)


def check_length(path: Path | str) -> None:
    """Compare the length of a file's content with what its header promises.

    A gzip file states the length of its (last) member in its last four bytes, so that nothing has
    to be decompressed; only where that number does not fit, which several members also cause, is
    the content counted.

    Parameters
    ----------
    path : Path or str
        The image.

    Raises
    ------
    InputError
        The content is shorter than the header promises, or damaged.
    """
    path = Path(path)
    promised = read_header(path).n_bytes
    data_file = _data_file(path)
    if not _is_gzip(data_file):
        found = data_file.stat().st_size
    else:
        with data_file.open("rb") as stream:
            stream.seek(-4, 2)
            if int.from_bytes(stream.read(4), "little") == promised % 2**32:
                return
        found = _count_decompressed(data_file)
    if found < promised:
        raise InputError(
            Problem(
                str(path),
                f"{found} bytes of content",
                f"{promised} bytes, which the header promises",
                DAMAGED,
            )
        )


@dataclass(frozen=True)
class StoredVolumes:
    """The volumes of an image as they are stored.

    Attributes
    ----------
    volumes : iterator of ndarray of shape (x, y, z)
        Of the stored type; Fortran order, as in the file.
    slope, intercept : float
        ``slope * number + intercept`` is the value.
    compressed : bool
        Taking a volume costs time.
    """

    volumes: Iterator[NDArray[np.generic]]
    slope: float
    intercept: float
    compressed: bool


def open_volumes(path: Path | str) -> StoredVolumes:
    """Open an image to be streamed volume by volume, so that no 4-D array ever exists.

    The file is read to its very end, so that the checksum of a gzip file is always verified.

    Parameters
    ----------
    path : Path or str
        A 3-D or 4-D image.

    Raises
    ------
    InputError
        The file is damaged; from the iterator too: volumes taken before must then be thrown away.
    """
    path = Path(path)
    read_header(path)  # refuses a damaged one
    proxy = _open_image(path).dataobj
    compressed = _is_gzip(_data_file(path))
    return StoredVolumes(_stream(path, proxy), float(proxy.slope), float(proxy.inter), compressed)


def _stream(path: Path, proxy: Any) -> Iterator[NDArray[np.generic]]:
    shape = proxy.shape[:3]
    n_volumes = int(np.prod(proxy.shape[3:], dtype=np.int64))
    n_bytes = int(np.prod(shape, dtype=np.int64)) * proxy.dtype.itemsize
    with _damage_reported(path), _open_data(_data_file(path)) as stream:
        stream.read(proxy.offset)
        for index in range(n_volumes):
            content = stream.read(n_bytes)
            if len(content) < n_bytes:
                raise InputError(
                    Problem(
                        str(path),
                        f"the file ends in volume {index}",
                        f"{n_volumes} volumes",
                        DAMAGED,
                    )
                )
            yield np.frombuffer(content, proxy.dtype).reshape(shape, order="F")
        while stream.read(1 << 20):
            pass  # to the end: only there is the checksum compared


def write_image(
    path: Path | str,
    data: NDArray[np.generic],
    affine: NDArray[np.float64],
    *,
    repetition_time: float | None = None,
) -> Path:
    """Write a NIfTI-1 image whose bytes depend on its content alone.

    Parameters
    ----------
    path : Path or str
        ``.nii.gz`` or ``.nii``; missing folders are made.
    data : ndarray of 3 or 4 dimensions
        Written in its own type (bool as uint8), unscaled.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.
    repetition_time : float, optional
        Seconds between the volumes of a 4-D image.

    Returns
    -------
    Path
        The file written.
    """
    if data.dtype == np.bool_:
        data = data.astype(np.uint8)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    if repetition_time is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], repetition_time))
    content = image.to_bytes()
    if str(path).endswith(".gz"):
        content = bytes(deflate.gzip_compress(content, LEVEL))
    return write_bytes(path, content)


def _open_image(path: Path | str) -> nib.Nifti1Image:
    require_content(path)
    return nib.load(path)


@contextmanager
def _header_damage_reported(path: Path | str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (
        ImageFileError,
        WrapStructError,
        HeaderDataError,
        HeaderTypeError,
        EOFError,
        OSError,
        zlib.error,
        ValueError,
        KeyError,
        OverflowError,
    ) as error:
        raise InputError(
            Problem(
                str(path),
                f"no readable image: its header is damaged or cut short ({error})",
                "a NIfTI image",
                DAMAGED,
            )
        ) from error


def _data_file(path: Path | str) -> Path:
    """Return the file that holds the data: the .img beside a .hdr, otherwise the file itself."""
    return Path(_open_image(path).file_map["image"].filename)


def _is_gzip(path: Path) -> bool:
    # By its name, as nibabel: damaged data may begin with anything.
    return path.suffix.lower() == ".gz"


def _open_data(path: Path) -> BinaryIO:
    return igzip.open(path, "rb") if _is_gzip(path) else path.open("rb")


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, IsalError) as error:  # type: ignore[misc]  # its stub errs
        raise InputError(
            Problem(str(path), f"damaged gzip data ({error})", "an intact file", DAMAGED)
        ) from error


def _count_decompressed(path: Path) -> int:
    with _damage_reported(path), igzip.open(path, "rb") as stream:
        return sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 22), b""))

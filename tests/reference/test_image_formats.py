"""Images in every container, byte order and type of number are read as nibabel reads them."""

from __future__ import annotations

import gzip
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest

from twolevel.files.maps import read_volumes
from twolevel.files.nifti import check_length, open_volumes, read_header, write_image
from twolevel.files.run_data import read_run

if TYPE_CHECKING:
    from pathlib import Path

SHAPE, N_VOLUMES = (6, 7, 5), 9
AFFINE = np.array([[-2.0, 0.1, 0, 90], [0, 2.5, 0.2, -126], [0.3, 0, 3.0, -72], [0, 0, 0, 1]])
TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
SINGLE = {"nifti1": nib.Nifti1Image, "nifti2": nib.Nifti2Image}
PAIR = {"nifti1": nib.Nifti1Pair, "nifti2": nib.Nifti2Pair}
HALF_STEP = 2.0**-24  # largest relative error of one rounding to float32


def numbers(dtype: str) -> np.ndarray:
    """Return stored numbers over the whole range of the type, or as in a BOLD image."""
    rng = np.random.default_rng(TYPES.index(dtype))
    if np.dtype(dtype).kind == "f":
        return rng.normal(5000, 80, (*SHAPE, N_VOLUMES)).astype(dtype)
    limits = np.iinfo(dtype)
    stored = rng.integers(limits.min, limits.max, (*SHAPE, N_VOLUMES), dtype, endpoint=True)
    stored[0, 0, 0, :2] = limits.min, limits.max
    return stored


def image_of(stored: np.ndarray, version: str, ending: str, endian: Any) -> Any:
    kind = (PAIR if ending.startswith(".img") else SINGLE)[version]
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(stored.dtype.newbyteorder(endian))
    return kind(stored, AFFINE, header)


def set_scaling(path: Path, version: str, slope: float, intercept: float) -> None:
    """Change the header alone, so that the stored numbers are known."""
    name = path.name.replace(".img", ".hdr")
    header_file = path.with_name(name)
    packed = header_file.read_bytes()
    content = bytearray(gzip.decompress(packed) if name.endswith(".gz") else packed)
    size, first, kind = (348, 112, "f") if version == "nifti1" else (540, 176, "d")
    endian = "<" if content[:4] == size.to_bytes(4, "little") else ">"
    struct.pack_into(f"{endian}2{kind}", content, first, slope, intercept)
    packed = gzip.compress(content) if name.endswith(".gz") else bytes(content)
    header_file.write_bytes(packed)


@pytest.fixture
def mask(tmp_path):
    mask = np.random.default_rng(99).random(SHAPE) > 0.3
    mask[0, 0, 0] = True
    return mask, write_image(tmp_path / "mask.nii.gz", mask, AFFINE)


def rounding(path: Path) -> np.ndarray:
    """Bound the error of scaling in float32: of number, slope and product; intercept; sum."""
    proxy = nib.load(path).dataobj
    products = np.abs(np.asarray(proxy.get_unscaled(), np.float64) * proxy.slope)
    values = np.abs(nib.load(path).get_fdata())
    bound: np.ndarray = HALF_STEP * (3 * products + abs(proxy.inter) + values) * (1 + 1e-6)
    return bound


def assert_read_as_nibabel(path: Path, mask: tuple[np.ndarray, Path]) -> None:
    expected, bound = nib.load(path).get_fdata(), rounding(path)
    # Not only are the files alike: there is something to be read in every one of them.
    assert expected.std() > 1
    run = read_run(path, mask[1])
    np.testing.assert_array_equal(run.mask.inside, mask[0])
    assert (np.abs(run.data - expected[mask[0]].T) <= bound[mask[0]].T).all()
    assert run.data.shape == (N_VOLUMES, mask[0].sum())
    np.testing.assert_allclose(run.mask.space.affine, nib.load(path).affine, rtol=0, atol=0)
    volumes = np.stack(list(read_volumes(path)), axis=-1)
    assert volumes.dtype == np.float32
    assert (np.abs(volumes - expected) <= bound).all()
    check_length(path)


CONTAINERS = [
    *((version, ".nii.gz", endian) for version in SINGLE for endian in "<>"),
    ("nifti1", ".nii", ">"),
    ("nifti2", ".nii", "<"),
    ("nifti1", ".img", "<"),
    ("nifti2", ".img", ">"),
    ("nifti1", ".img.gz", ">"),
    ("nifti2", ".img.gz", "<"),
]


@pytest.mark.parametrize(("version", "ending", "endian"), CONTAINERS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_format_with_slope_and_intercept_is_read_as_nibabel_reads_it(
    tmp_path, mask, dtype, version, ending, endian
):
    path, stored = tmp_path / f"bold{ending}", numbers(dtype)
    image_of(stored, version, ending, endian).to_filename(path)
    set_scaling(path, version, 0.037, -12.5)
    read = nib.load(path)
    assert read.header.endianness == endian
    assert (read.dataobj.slope, read.dataobj.inter) == pytest.approx((0.037, -12.5), rel=1e-7)
    assert_read_as_nibabel(path, mask)
    opened = open_volumes(path)
    assert (opened.slope, opened.intercept) == (read.dataobj.slope, read.dataobj.inter)
    np.testing.assert_array_equal(np.stack(list(opened.volumes), axis=-1), stored)


@pytest.mark.parametrize("endian", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("dtype", TYPES)
def test_without_scaling_numbers_are_only_rounded_to_single_precision(
    tmp_path, mask, dtype, endian
):
    path, stored = tmp_path / "bold.nii.gz", numbers(dtype)
    image_of(stored, "nifti1", ".nii.gz", endian).to_filename(path)
    assert_read_as_nibabel(path, mask)
    data = read_run(path, mask[1]).data
    np.testing.assert_array_equal(data, stored[mask[0]].T.astype(np.float32))


@pytest.mark.parametrize("scaling", [(0.0, 3.0), (np.nan, 3.0), (1.0, 3.0), (-0.5, 0.0)])
def test_unusual_scaling_means_what_it_means_to_nibabel(tmp_path, mask, scaling):
    """A slope of 0 or none means that nothing is to be scaled, whatever the intercept says."""
    path = tmp_path / "bold.nii.gz"
    image_of(numbers("int16"), "nifti1", ".nii.gz", "<").to_filename(path)
    set_scaling(path, "nifti1", *scaling)
    assert_read_as_nibabel(path, mask)


@pytest.mark.parametrize("name", ["bold.img", "bold.hdr", "bold.img.gz", "bold.hdr.gz"])
def test_either_file_of_a_pair_names_it(tmp_path, mask, name):
    ending = name.removeprefix("bold").replace("hdr", "img")
    image_of(numbers("uint16"), "nifti1", ending, "<").to_filename(tmp_path / name)
    assert_read_as_nibabel(tmp_path / name, mask)


def test_data_of_a_pair_that_begin_like_gzip_are_not_taken_for_it(tmp_path, mask):
    stored = numbers("uint8")
    stored[:2, 0, 0, 0] = 0x1F, 0x8B
    path = tmp_path / "bold.img"
    image_of(stored, "nifti1", ".img", "<").to_filename(path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert_read_as_nibabel(path, mask)


# --- extensions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("version", "usual"), [("nifti1", 352), ("nifti2", 544)])
@pytest.mark.parametrize("length", [1, 1000, 200_000])
def test_the_data_begin_after_the_extensions(tmp_path, mask, version, usual, ending, length):
    path = tmp_path / f"bold{ending}"
    image = image_of(numbers("int16"), version, ending, "<")
    for code in (4, 6):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, b"x" * length))
    image.to_filename(path)
    assert nib.load(path).dataobj.offset >= usual + 2 * length
    assert_read_as_nibabel(path, mask)


def test_the_data_may_begin_after_a_gap(tmp_path, mask):
    path = tmp_path / "bold.nii"
    image = image_of(numbers("int16"), "nifti1", ".nii", "<")
    image.header["vox_offset"] = 4096
    image.to_filename(path)
    assert nib.load(path).dataobj.offset == 4096
    assert_read_as_nibabel(path, mask)


# --- gzip ---------------------------------------------------------------------------------------


def content_of(path: Path, dtype: str = "float32") -> bytes:
    image_of(numbers(dtype), "nifti1", ".nii", "<").to_filename(path.with_suffix(".plain.nii"))
    return path.with_suffix(".plain.nii").read_bytes()


def members(content: bytes, cuts: list[int]) -> bytes:
    edges = [0, *cuts, len(content)]
    return b"".join(gzip.compress(content[a:b], 4) for a, b in pairwise(edges))


@pytest.mark.parametrize("dtype", ["int16", "float64"])
@pytest.mark.parametrize("seed", range(8))
def test_gzip_members_may_be_cut_anywhere(tmp_path, mask, dtype, seed):
    path = tmp_path / "bold.nii.gz"
    content = content_of(path, dtype)
    rng = np.random.default_rng(seed)
    cuts = sorted(rng.integers(1, len(content), rng.integers(1, 30)).tolist())
    path.write_bytes(members(content, cuts))
    assert gzip.decompress(path.read_bytes()) == content
    assert_read_as_nibabel(path, mask)


@pytest.mark.parametrize(
    "cuts", [[1], [100, 348, 352], [0], [352], [352, 352, 352 + 840]], ids=str
)
def test_gzip_members_may_be_cut_in_the_header_and_may_be_empty(tmp_path, mask, cuts):
    path = tmp_path / "bold.nii.gz"
    path.write_bytes(members(content_of(path), cuts))
    assert_read_as_nibabel(path, mask)


def test_the_last_gzip_members_may_be_empty(tmp_path, mask):
    path = tmp_path / "bold.nii.gz"
    content = content_of(path)
    path.write_bytes(members(content, [5000]) + 2 * gzip.compress(b""))
    assert_read_as_nibabel(path, mask)


@pytest.mark.parametrize("ending", [".nii.gz", ".img.gz"])
@pytest.mark.parametrize("n_zeros", [1, 7, 8, 512, 300_000])
def test_zeros_after_the_last_gzip_member_are_padding(tmp_path, mask, n_zeros, ending):
    """Tapes and block devices fill files up with zeros; gzip and Python skip them."""
    path = tmp_path / f"bold{ending}"
    image_of(numbers("float32"), "nifti1", ending, "<").to_filename(path)
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(path.read_bytes() + bytes(n_zeros))
    assert gzip.decompress(path.read_bytes()) == whole
    assert_read_as_nibabel(path, mask)


def test_zeros_between_gzip_members_are_padding_too(tmp_path, mask):
    path = tmp_path / "bold.nii.gz"
    content = content_of(path)
    path.write_bytes(gzip.compress(content[:5000]) + bytes(9) + gzip.compress(content[5000:]))
    assert gzip.decompress(path.read_bytes()) == content
    assert_read_as_nibabel(path, mask)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzip_of_every_level_is_read(tmp_path, mask, level):
    path = tmp_path / "bold.nii.gz"
    path.write_bytes(gzip.compress(content_of(path), level))
    assert_read_as_nibabel(path, mask)


def test_a_gzip_header_may_hold_a_name_a_comment_and_more(tmp_path, mask):
    path = tmp_path / "bold.nii.gz"
    plain = gzip.compress(content_of(path))
    extra, name, comment = b"\x05\x00extra", b"bold.nii\x00", b"a comment\x00"
    header = plain[:3] + b"\x1c" + plain[4:10]
    path.write_bytes(header + extra + name + comment + plain[10:])
    assert gzip.decompress(path.read_bytes()) == content_of(path)
    assert_read_as_nibabel(path, mask)


def test_data_after_the_last_volume_are_ignored(tmp_path, mask):
    path = tmp_path / "bold.nii.gz"
    path.write_bytes(gzip.compress(content_of(path) + b"more" * 1000))
    assert_read_as_nibabel(path, mask)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_run_larger_than_any_buffer_is_read_as_nibabel_reads_it(tmp_path, n_threads):
    """Its volumes do not end where the blocks of decompression end."""
    rng = np.random.default_rng(7)
    stored = rng.integers(-3000, 3000, (41, 37, 23, 31), np.int16)
    path = tmp_path / "bold.nii.gz"
    content = nib.Nifti1Image(stored, AFFINE).to_bytes()
    path.write_bytes(members(content, [10, 700_001, 1_500_003]))
    assert read_header(path).n_bytes == len(content)
    mask = write_image(tmp_path / "mask.nii", np.ones(stored.shape[:3], bool), AFFINE)
    run = read_run(path, mask, n_threads=n_threads)
    np.testing.assert_array_equal(run.data, nib.load(path).get_fdata().reshape(-1, 31).T)

from __future__ import annotations

import gzip
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.masking import load_mask_img

from twolevel.errors import InputError
from twolevel.files.maps import read_map, read_mask, read_volumes
from twolevel.files.nifti import check_length, read_header, write_image

AFFINE = np.array([[-2.0, 0.1, 0, 90], [0, 2.5, 0.2, -126], [0.3, 0, 3.0, -72], [0, 0, 0, 1]])
SHAPE = (5, 4, 3, 7)
RNG_SEED = 3


def numbers(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(RNG_SEED)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(SHAPE).astype(dtype) * 1000
    return rng.integers(0, 200, SHAPE).astype(dtype)


def nifti(dtype: str, cls: Any = nib.Nifti1Image) -> nib.Nifti1Image:
    image = cls(numbers(dtype), AFFINE)
    image.header.set_data_dtype(dtype)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((*image.header.get_zooms()[:3], 2.5))
    return image


def scaled() -> nib.Nifti1Image:
    image = nifti("int16")
    image.header.set_slope_inter(0.37, -12.5)
    return image


def big_endian(dtype: str) -> nib.Nifti1Image:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.dtype(dtype).newbyteorder(">"))
    image = nib.Nifti1Image(numbers(dtype), AFFINE, header)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((*image.header.get_zooms()[:3], 2.5))
    assert image.header.endianness == ">"
    return image


IMAGES: dict[str, Any] = {
    "float32": lambda: nifti("float32"),
    "float64": lambda: nifti("float64"),
    "int16": lambda: nifti("int16"),
    "int16 with slope and intercept": scaled,
    "uint8": lambda: nifti("uint8"),
    "uint16": lambda: nifti("uint16"),
    "big-endian int16": lambda: big_endian("int16"),
    "big-endian float32": lambda: big_endian("float32"),
    "NIfTI-2": lambda: nifti("float32", nib.Nifti2Image),
}


def save(kind: str, folder: Path, ending: str) -> Path:
    image = IMAGES[kind]()
    if ending == ".hdr":
        pair: Any = nib.Nifti2Pair if isinstance(image, nib.Nifti2Image) else nib.Nifti1Pair
        image = pair(image.dataobj, image.affine, image.header)
    nib.save(image, folder / f"image{ending}")
    return folder / f"image{ending}"


def assert_as_nibabel_reads_it(path: Path) -> None:
    image = nib.load(path)
    expected = image.get_fdata()
    header = read_header(path)
    assert header.shape == expected.shape
    np.testing.assert_array_equal(header.affine, image.affine)
    assert header.repetition_time == pytest.approx(2.5, abs=1e-6)
    volumes = list(read_volumes(path))
    assert len(volumes) == expected.shape[3]
    for index, volume in enumerate(volumes):
        assert volume.dtype == np.float32
        np.testing.assert_allclose(volume, expected[..., index], rtol=2e-6, atol=2e-6)
    check_length(path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".hdr"])
@pytest.mark.parametrize("kind", IMAGES)
def test_images_of_every_kind_are_read_as_nibabel_reads_them(tmp_path, kind, ending):
    assert_as_nibabel_reads_it(save(kind, tmp_path, ending))


def test_a_scaled_image_really_is_scaled(tmp_path):
    image = nib.load(save("int16 with slope and intercept", tmp_path, ".nii.gz"))
    assert (image.dataobj.slope, image.dataobj.inter) == pytest.approx((0.37, -12.5))


def test_a_pair_can_be_opened_by_either_name(tmp_path):
    path = save("int16", tmp_path, ".hdr")
    for a, b in zip(read_volumes(path), read_volumes(path.with_suffix(".img")), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("parts", [2, 3, 10])
def test_gzip_with_several_members_is_read_to_its_end(tmp_path, parts):
    content = nifti("float32").to_bytes()
    path = tmp_path / "image.nii.gz"
    edges = np.linspace(0, len(content), parts + 1).astype(int)
    pieces = (content[a:b] for a, b in pairwise(edges))
    path.write_bytes(b"".join(gzip.compress(piece) for piece in pieces))
    assert_as_nibabel_reads_it(path)


def test_the_data_may_begin_after_an_extension(tmp_path):
    image = nifti("int16")
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 1000))
    nib.save(image, tmp_path / "image.nii.gz")
    assert nib.load(tmp_path / "image.nii.gz").dataobj.offset > 352
    assert_as_nibabel_reads_it(tmp_path / "image.nii.gz")


def test_volumes_stream_one_after_the_other(tmp_path):
    path = save("float32", tmp_path, ".nii.gz")
    content = path.read_bytes()
    stream = read_volumes(path)
    first = next(stream)
    np.testing.assert_array_equal(first, nib.load(path).dataobj[..., 0])
    assert path.read_bytes() == content
    assert sum(1 for _ in stream) == SHAPE[3] - 1


@pytest.mark.parametrize(
    ("units", "stated", "seconds"),
    [("sec", 2.5, 2.5), ("msec", 2500.0, 2.5), ("usec", 2.5e6, 2.5), ("unknown", 2.5, 2.5)],
)
def test_the_repetition_time_comes_in_seconds_whatever_its_unit(tmp_path, units, stated, seconds):
    image = nifti("int16")
    image.header.set_xyzt_units("mm", units)
    image.header.set_zooms((*image.header.get_zooms()[:3], stated))
    nib.save(image, tmp_path / "image.nii")
    assert read_header(tmp_path / "image.nii").repetition_time == pytest.approx(seconds, rel=1e-6)


def test_a_header_that_says_0_states_no_repetition_time(tmp_path):
    image = nifti("int16")
    image.header.set_zooms((*image.header.get_zooms()[:3], 0))
    nib.save(image, tmp_path / "image.nii")
    assert read_header(tmp_path / "image.nii").repetition_time is None


def test_a_3d_image_states_no_repetition_time(tmp_path):
    write_image(tmp_path / "m.nii", np.ones((2, 2, 2), np.float32), AFFINE)
    assert read_header(tmp_path / "m.nii").repetition_time is None


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3, 2, 1)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_map_is_read_back_as_it_was_written(tmp_path, shape, ending):
    data = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    data[0, 0, 0] = np.nan
    path = write_image(tmp_path / f"map{ending}", data, AFFINE)
    back, grid = read_map(path)
    np.testing.assert_array_equal(back, data.reshape(4, 3, 2))
    np.testing.assert_allclose(grid.affine, AFFINE, rtol=1e-6)
    np.testing.assert_array_equal(nib.load(path).get_fdata(), data)


def test_an_image_of_several_volumes_is_no_map(tmp_path):
    path = save("int16", tmp_path, ".nii")
    with pytest.raises(InputError) as caught:
        read_map(path)
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected) == (str(path), "one volume")
    assert problem.found == "an image of shape (5, 4, 3, 7)"


@pytest.mark.parametrize("inside", [1.0, -1.0, 0.5, 255.0])
def test_a_mask_is_where_the_image_is_finite_and_not_zero(tmp_path, inside):
    data = np.array([0, 1, 1, 1, np.nan, np.inf, 1, 0], np.float32).reshape(2, 2, 2) * inside
    mask = read_mask(write_image(tmp_path / "m.nii.gz", data, AFFINE))
    assert mask.inside.dtype == np.bool_
    np.testing.assert_array_equal(mask.inside.ravel(), [0, 1, 1, 1, 0, 0, 1, 0])


def test_a_mask_of_one_volume_is_read(tmp_path):
    data = np.eye(3, dtype=np.float32)[:, :, None, None]
    mask = read_mask(write_image(tmp_path / "m.nii.gz", data, AFFINE))
    np.testing.assert_array_equal(mask.inside[..., 0], np.eye(3, dtype=bool))


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ([0, 0.25, 0.5, 1], "3 different numbers beside 0, from 0.25 to 1"),
        ([0, 1, 2, 3000], "3 different numbers beside 0, from 1 to 3000"),
        ([-1, 1, 1, 0], "2 different numbers beside 0, from -1 to 1"),
        ([0.9, 0.8, 0.9, 0.9], "2 different numbers beside 0, from 0.8 to 0.9"),
    ],
    ids=["probabilities", "labels", "signs", "no background"],
)
def test_an_image_of_several_numbers_is_no_mask(tmp_path, numbers, found):
    data = np.array(numbers, np.float32).reshape(2, 2, 1)
    path = write_image(tmp_path / "m.nii.gz", data, AFFINE)
    with pytest.raises(InputError) as caught:
        read_mask(path)
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected) == (str(path), "a mask: 0 and one other number")
    assert problem.found == f"{found}: probabilities or labels"
    assert "threshold=0.5" in problem.remedy
    with pytest.raises(ValueError, match="mask"):
        load_mask_img(str(path))  # nilearn's opinion


def test_a_mask_of_truth_values_is_stored_as_uint8(tmp_path):
    mask = np.random.default_rng(0).random((4, 3, 2)) > 0.5
    path = write_image(tmp_path / "m.nii.gz", mask, AFFINE)
    image = nib.load(path)
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj), mask)
    np.testing.assert_array_equal(read_mask(path).inside, mask)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8"])
def test_numbers_are_written_in_their_own_type_unscaled(tmp_path, dtype):
    data = numbers(dtype)
    image = nib.load(write_image(tmp_path / "i.nii.gz", data, AFFINE, repetition_time=1.5))
    assert image.get_data_dtype() == np.dtype(dtype)
    assert (image.dataobj.slope, image.dataobj.inter) == (1, 0)
    np.testing.assert_array_equal(np.asarray(image.dataobj), data)
    assert image.header.get_zooms()[3] == 1.5
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_bytes_do_not_depend_on_name_or_time(tmp_path, monkeypatch):
    data = numbers("float32")
    first = write_image(tmp_path / "a.nii.gz", data, AFFINE)
    monkeypatch.setattr("time.time", lambda: 1e9)
    second = write_image(tmp_path / "deep" / "other_name.nii.gz", data, AFFINE)
    content = first.read_bytes()
    assert second.read_bytes() == content
    assert content[3] == 0  # flags: no name
    assert content[4:8] == bytes(4)  # no time
    assert b"nii" not in content[:20]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "there.nii.gz").write_bytes(b"before")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, f"no space left: {self} to {target}")

    monkeypatch.setattr(Path, "replace", fail)
    for name in ("there.nii.gz", "new.nii.gz"):
        with pytest.raises(OSError, match="no space left"):
            write_image(tmp_path / name, numbers("int16"), AFFINE)
    assert [path.name for path in tmp_path.iterdir()] == ["there.nii.gz"]
    assert (tmp_path / "there.nii.gz").read_bytes() == b"before"


# --- damage -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("intact") / "image.nii.gz"
    nib.save(nifti("float32"), path)
    return path


def read_all(path: Path) -> None:
    for _ in read_volumes(path):
        pass


def refused(function, path: Path) -> str:
    with pytest.raises(InputError) as caught:
        function(path)
    (problem,) = caught.value.problems
    assert problem.where == str(path)
    assert "fetch or copy the file again" in problem.remedy
    return problem.found


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("function", [check_length, read_all])
def test_a_gzip_file_cut_short_is_refused_by_name(intact, tmp_path, share, function):
    content = intact.read_bytes()
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(content[: int(len(content) * share)])
    assert refused(function, path)


@pytest.mark.parametrize("missing", [1, 4, 7, 8, 9])
@pytest.mark.parametrize("function", [check_length, read_all])
def test_a_gzip_file_without_its_last_bytes_is_refused(intact, tmp_path, missing, function):
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(intact.read_bytes()[:-missing])
    assert "damaged gzip data" in refused(function, path)


@pytest.mark.parametrize("function", [check_length, read_all])
def test_an_uncompressed_file_cut_short_is_refused(tmp_path, function):
    path = save("int16", tmp_path, ".nii")
    path.write_bytes(path.read_bytes()[:-1])
    found = refused(function, path)
    assert found in {"1191 bytes of content", "the file ends in volume 6"}


def test_a_pair_whose_image_is_cut_short_is_refused(tmp_path):
    path = save("int16", tmp_path, ".hdr")
    image = path.with_suffix(".img")
    image.write_bytes(image.read_bytes()[:100])
    assert refused(check_length, path) == "100 bytes of content"
    assert refused(read_all, path) == "the file ends in volume 0"


def test_a_whole_gzip_file_of_too_few_volumes_is_refused(tmp_path):
    path = tmp_path / "short.nii.gz"
    path.write_bytes(gzip.compress(nifti("int16").to_bytes()[:-200]))
    assert refused(check_length, path) == "992 bytes of content"
    assert refused(read_all, path) == "the file ends in volume 5"


def test_a_checksum_that_does_not_fit_is_found_by_reading(intact, tmp_path):
    content = bytearray(intact.read_bytes())
    content[-8] ^= 0xFF
    path = tmp_path / "crc.nii.gz"
    path.write_bytes(content)
    assert "CRC" in refused(read_all, path)


@pytest.mark.parametrize("function", [check_length, read_all])
def test_a_length_that_does_not_fit_is_refused(intact, tmp_path, function):
    content = bytearray(intact.read_bytes())
    content[-4] ^= 0xFF
    path = tmp_path / "isize.nii.gz"
    path.write_bytes(content)
    assert "length" in refused(function, path).lower()


@settings(deadline=None)
@given(st.data())
def test_a_flipped_byte_in_the_data_is_found_by_reading_or_does_no_harm(intact, data):
    content = bytearray(intact.read_bytes())
    place = data.draw(st.integers(len(content) // 2, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = intact.with_name("flipped.nii.gz")
    path.write_bytes(content)
    try:
        volumes = list(read_volumes(path))
    except InputError as error:
        assert error.problems[0].where == str(path)  # noqa: PT017  # both ways are right
    else:  # bits that mean nothing, or a copy taken from another place with the same bytes
        expected = np.asarray(nib.load(intact).dataobj)
        np.testing.assert_array_equal(np.stack(volumes, axis=-1), expected)


def test_damage_in_the_middle_of_the_data_is_found_by_reading(intact, tmp_path):
    content = bytearray(intact.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 16] = bytes(byte ^ 0xFF for byte in content[middle : middle + 16])
    path = tmp_path / "damaged.nii.gz"
    path.write_bytes(content)
    assert "damaged gzip data" in refused(read_all, path)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x1f\x8b", b"\x00" * 400])
def test_what_is_no_image_is_refused_by_name(tmp_path, content):
    for name in ("image.nii", "image.nii.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        assert "no readable image" in refused(read_header, path)


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_header(tmp_path / "nowhere.nii.gz")


def test_a_damaged_member_among_several_is_found_by_reading(tmp_path):
    content = nifti("float32").to_bytes()
    first, second = gzip.compress(content[:1000]), bytearray(gzip.compress(content[1000:]))
    second[len(second) // 2] ^= 0x55
    path = tmp_path / "members.nii.gz"
    path.write_bytes(first + bytes(second))
    assert "damaged gzip data" in refused(read_all, path)


def test_check_length_does_not_decompress_a_file_whose_trailer_fits(intact, tmp_path):
    content = bytearray(intact.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "inside.nii.gz"
    path.write_bytes(content)
    check_length(path)
    refused(read_all, path)


def test_copies_are_read_alike(intact, tmp_path):
    copy = Path(shutil.copy(intact, tmp_path / "copy.nii.gz"))
    for a, b in zip(read_volumes(intact), read_volumes(copy), strict=True):
        np.testing.assert_array_equal(a, b)

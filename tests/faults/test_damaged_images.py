"""Damaged images: refused by name, or read whole; half a run is never taken for a run."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from twolevel.errors import InputError
from twolevel.files.nifti import write_image
from twolevel.files.run_data import read_run, run_blocks
from twolevel.numerics.resources import Resources
from twolevel.stats.run.fit import fit_blocks
from twolevel.stats.run.unit import unit_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from twolevel.files.series import RunBlocks
    from twolevel.stats.run.unit import VoxelBlock

    Use = Callable[[Path, "Intact", int], None]

SHAPE, N_VOLUMES = (16, 18, 16), 12
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])
CONTRASTS = {"task": "task"}
SMALLEST_BLOCKS = 1  # byte of memory: blocks of one unit


@dataclass(frozen=True)
class Intact:
    """A sound image, and what reading and fitting it gives."""

    content: bytes
    packed: bytes
    mask: Path
    data: np.ndarray
    effect: np.ndarray


def design() -> pd.DataFrame:
    return pd.DataFrame({"task": np.arange(N_VOLUMES) % 4 < 2, "constant": 1.0}).astype(float)


def blocks_of(bold: Path, mask: Path, n_threads: int) -> RunBlocks:
    return run_blocks(bold, mask, resources=Resources(n_threads, SMALLEST_BLOCKS))


def fitted(blocks: Any, n_threads: int, noise_model: str = "ar1") -> np.ndarray:
    fit = fit_blocks(
        blocks, design(), CONTRASTS, noise_model=noise_model, percent=True, n_threads=n_threads
    )
    effect: np.ndarray = fit.estimates["task"].effect
    return effect


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> Intact:
    folder = tmp_path_factory.mktemp("intact")
    stored = np.random.default_rng(1).normal(900, 40, (*SHAPE, N_VOLUMES)).astype(np.int16)
    content = nib.Nifti1Image(stored, AFFINE).to_bytes()
    bold = folder / "bold.nii"
    bold.write_bytes(content)
    mask = write_image(folder / "mask.nii", np.ones(SHAPE, bool), AFFINE)
    data = stored.reshape(-1, N_VOLUMES).T.astype(np.float32)
    effect = fitted(blocks_of(bold, mask, 1), 1)
    return Intact(content, gzip.compress(content, 6, mtime=0), mask, data, effect)


def read_whole(bold: Path, intact: Intact, n_threads: int) -> None:
    run = read_run(bold, intact.mask, n_threads=n_threads)
    np.testing.assert_array_equal(run.data, intact.data)
    assert run.mask.inside.all()


def fit_whole(bold: Path, intact: Intact, n_threads: int) -> None:
    blocks = blocks_of(bold, intact.mask, n_threads)
    assert len(blocks) == 2
    np.testing.assert_array_equal(fitted(blocks, n_threads), intact.effect)


USES = pytest.mark.parametrize("use", [read_whole, fit_whole])
THREADS = pytest.mark.parametrize("n_threads", [1, 3])


def refused(use: Use, bold: Path, intact: Intact, n_threads: int) -> str:
    with pytest.raises(InputError) as caught:
        use(bold, intact, n_threads)
    (problem,) = caught.value.problems
    assert problem.where == str(bold)
    return problem.found


def is_refused_or_whole(use: Use, bold: Path, intact: Intact, n_threads: int) -> bool:
    """Tell whether a file is refused; `use` itself fails where it reads something else."""
    try:
        use(bold, intact, n_threads)
    except InputError as error:
        return [problem.where for problem in error.problems] == [str(bold)]
    return False


@THREADS
@USES
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_sound_image_is_read_whole(intact, tmp_path, use, n_threads, ending):
    bold = tmp_path / f"bold.{ending}"
    bold.write_bytes(intact.packed if ending == "nii.gz" else intact.content)
    use(bold, intact, n_threads)


# --- cut short ----------------------------------------------------------------------------------


@THREADS
@USES
@pytest.mark.parametrize("n_bytes", [0, 9, 100])
def test_gzip_cut_in_the_header_is_refused(intact, tmp_path, use, n_threads, n_bytes):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed[:n_bytes])
    assert "no readable image" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_gzip_cut_in_the_data_is_refused(intact, tmp_path, use, n_threads, share):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed[: int(len(intact.packed) * share)])
    assert "damaged gzip data" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("missing", [1, 4, 5, 8, 9])
def test_gzip_cut_in_the_trailer_or_just_before_it_is_refused(
    intact, tmp_path, use, n_threads, missing
):
    """All the volumes may be there by then: only the trailer tells that they are as they were."""
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed[:-missing])
    assert "damaged gzip data" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("missing", [1, 60_000])
def test_an_uncompressed_image_cut_short_is_refused(intact, tmp_path, use, n_threads, missing):
    bold = tmp_path / "bold.nii"
    bold.write_bytes(intact.content[:-missing])
    assert "the file ends in volume" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("n_bytes", [0, 347])
def test_an_uncompressed_header_cut_short_is_refused(intact, tmp_path, use, n_threads, n_bytes):
    bold = tmp_path / "bold.nii"
    bold.write_bytes(intact.content[:n_bytes])
    assert "no readable image" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("cut", [352, 60_000])
@pytest.mark.parametrize("missing", [1, 9, 20_000])
def test_a_second_gzip_member_cut_short_is_refused(intact, tmp_path, use, n_threads, cut, missing):
    bold = tmp_path / "bold.nii.gz"
    members = gzip.compress(intact.content[:cut]) + gzip.compress(intact.content[cut:])
    bold.write_bytes(members[:-missing])
    assert "damaged gzip data" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("cut", [352, 60_000])
def test_a_second_gzip_member_that_is_missing_is_refused(intact, tmp_path, use, n_threads, cut):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(gzip.compress(intact.content[:cut]))
    assert "the file ends in volume" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("n_bytes", [1, 2, 10])
def test_the_beginning_of_one_more_gzip_member_is_refused(
    intact, tmp_path, use, n_threads, n_bytes
):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed + gzip.compress(b"more")[:n_bytes])
    assert "damaged gzip data" in refused(use, bold, intact, n_threads)


# --- altered ------------------------------------------------------------------------------------


@THREADS
@USES
@pytest.mark.parametrize("place", [-8, -5], ids="CRC byte {}".format)
def test_a_wrong_checksum_is_refused(intact, tmp_path, use, n_threads, place):
    bold, content = tmp_path / "bold.nii.gz", bytearray(intact.packed)
    content[place] ^= 0x80
    bold.write_bytes(content)
    assert "CRC" in refused(use, bold, intact, n_threads)


@THREADS
@USES
def test_the_checksum_counts_even_if_much_follows_the_last_volume(
    intact, tmp_path, use, n_threads
):
    """The volumes are complete long before the checksum is read."""
    bold = tmp_path / "bold.nii.gz"
    packed = bytearray(gzip.compress(intact.content + bytes(3_000_000), 1))
    bold.write_bytes(packed)
    use(bold, intact, n_threads)
    packed[-8] ^= 0x01
    bold.write_bytes(packed)
    assert "CRC" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize("place", [-4, -1], ids="ISIZE byte {}".format)
def test_a_wrong_length_is_refused(intact, tmp_path, use, n_threads, place):
    bold, content = tmp_path / "bold.nii.gz", bytearray(intact.packed)
    content[place] ^= 0x01
    bold.write_bytes(content)
    assert "length" in refused(use, bold, intact, n_threads).lower()


@pytest.mark.parametrize(("use", "n_threads"), [(read_whole, 1), (read_whole, 3), (fit_whole, 3)])
def test_a_flipped_bit_anywhere_is_refused_or_does_no_harm(intact, tmp_path, use, n_threads):
    bold = tmp_path / "bold.nii.gz"
    rng = np.random.default_rng(2)
    in_the_data = rng.integers(200, len(intact.packed) - 8, 16).tolist()
    n_refused = 0
    for place in [*range(12), *in_the_data, *range(-10, 0)]:
        content = bytearray(intact.packed)
        content[place] ^= 1 << int(rng.integers(8))
        bold.write_bytes(content)
        n_refused += is_refused_or_whole(use, bold, intact, n_threads)
    # Bits of the date and of the system in the gzip header mean nothing.
    assert 38 - 8 <= n_refused < 38


@THREADS
@USES
def test_every_bit_flipped_in_the_middle_is_refused(intact, tmp_path, use, n_threads):
    bold = tmp_path / "bold.nii.gz"
    for bit in range(8):
        content = bytearray(intact.packed)
        content[len(content) // 2] ^= 1 << bit
        bold.write_bytes(content)
        assert "damaged gzip data" in refused(use, bold, intact, n_threads)


@THREADS
@USES
def test_a_flipped_bit_in_a_later_gzip_member_is_refused(intact, tmp_path, use, n_threads):
    bold, cut = tmp_path / "bold.nii.gz", 60_000
    second = bytearray(gzip.compress(intact.content[cut:]))
    second[len(second) // 2] ^= 0x10
    bold.write_bytes(gzip.compress(intact.content[:cut]) + second)
    assert "damaged gzip data" in refused(use, bold, intact, n_threads)


@THREADS
@USES
@pytest.mark.parametrize(
    "garbage",
    [b"x", b"garbage" * 20, b"\x00\x00x", bytes(600) + b"junk", b"\x1f\x8b\x08junkjunkjunkjunk"],
)
def test_what_follows_the_end_of_gzip_is_refused_or_does_no_harm(
    intact, tmp_path, use, n_threads, garbage
):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed + garbage)
    assert is_refused_or_whole(use, bold, intact, n_threads)


@THREADS
@USES
def test_a_stretch_of_zeros_where_a_block_was_lost_is_refused(intact, tmp_path, use, n_threads):
    bold, content = tmp_path / "bold.nii.gz", bytearray(intact.packed)
    content[8192:16384] = bytes(8192)
    bold.write_bytes(content)
    assert "damaged gzip data" in refused(use, bold, intact, n_threads)


@pytest.fixture
def pair(intact, tmp_path) -> Path:
    """A compressed pair of random bytes: compressed, they are longer than they were."""
    stored = np.random.default_rng(3).integers(0, 256, (*SHAPE, N_VOLUMES), np.uint8)
    bold: Path = tmp_path / "bold.img.gz"
    nib.Nifti1Pair(stored, AFFINE).to_filename(bold)
    assert bold.stat().st_size > stored.size
    np.testing.assert_array_equal(
        read_run(bold, intact.mask).data, stored.reshape(-1, N_VOLUMES).T
    )
    return bold


@THREADS
@pytest.mark.parametrize("place", [0, 1, 2, 5000, -8, -1])
def test_a_compressed_pair_whose_data_are_altered_is_refused(pair, intact, n_threads, place):
    content = bytearray(pair.read_bytes())
    content[place] ^= 0x40
    pair.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_run(pair, intact.mask, n_threads=n_threads)
    assert [problem.where for problem in caught.value.problems] == [str(pair)]


# --- from one pass to the next ------------------------------------------------------------------


@dataclass
class SpoiledBetween:
    """Blocks whose file changes after a number of them; then goes on."""

    blocks: RunBlocks
    remaining: int
    spoil: Callable[[], object]

    def __len__(self) -> int:
        return len(self.blocks)

    def __iter__(self) -> Iterator[VoxelBlock]:
        for block in self.blocks:
            self.remaining -= 1
            if self.remaining == 0:
                self.spoil()
            yield block

    def means(self, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
        return self.blocks.means(counted)


def cut_short(bold: Path, intact: Intact) -> None:
    bold.write_bytes(intact.packed[:-5000])


def without_its_last_byte(bold: Path, intact: Intact) -> None:
    bold.write_bytes(intact.packed[:-1])


def altered(bold: Path, intact: Intact) -> None:
    content = bytearray(intact.packed)
    content[len(content) // 2] ^= 0x04
    bold.write_bytes(content)


def wrong_checksum(bold: Path, intact: Intact) -> None:
    content = bytearray(intact.packed)
    content[-8] ^= 0x04
    bold.write_bytes(content)


def emptied(bold: Path, intact: Intact) -> None:
    assert intact.packed
    bold.write_bytes(b"")


def replaced_by_a_shorter_one(bold: Path, intact: Intact) -> None:
    volumes = np.asarray(nib.Nifti1Image.from_bytes(intact.content).dataobj)
    write_image(bold, volumes[..., : N_VOLUMES // 2], AFFINE)


DAMAGES = [cut_short, without_its_last_byte, altered, wrong_checksum, emptied]


@THREADS
@pytest.mark.parametrize(
    ("noise_model", "n_passes", "damage"),
    [
        *(("ar1", 1, damage) for damage in (*DAMAGES, replaced_by_a_shorter_one)),
        *(("ar2", 3, damage) for damage in (cut_short, wrong_checksum)),
    ],
)
def test_damage_that_comes_between_two_passes_is_refused(
    intact, tmp_path, damage, noise_model, n_passes, n_threads
):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed)
    blocks = blocks_of(bold, intact.mask, n_threads)
    spoiled = SpoiledBetween(blocks, n_passes, lambda: damage(bold, intact))
    with pytest.raises(InputError) as caught:
        fitted(spoiled, n_threads, noise_model)
    assert [problem.where for problem in caught.value.problems] == [str(bold)]
    assert spoiled.remaining == 0


@THREADS
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_after_the_last_pass_does_not_matter(intact, tmp_path, damage, n_threads):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed)
    blocks = blocks_of(bold, intact.mask, n_threads)
    spoiled = SpoiledBetween(blocks, 2, lambda: damage(bold, intact))
    np.testing.assert_array_equal(fitted(spoiled, n_threads), intact.effect)
    assert spoiled.remaining == 0


@pytest.mark.parametrize("n_threads", [1, 3])
def test_blocks_can_be_gone_through_again_after_damage_is_repaired(intact, tmp_path, n_threads):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed)
    blocks = blocks_of(bold, intact.mask, n_threads)
    cut_short(bold, intact)
    with pytest.raises(InputError):
        fitted(blocks, n_threads)
    bold.write_bytes(intact.packed)
    np.testing.assert_array_equal(fitted(blocks, n_threads), intact.effect)
    assert blocks.usable.all()
    assert (blocks.n_not_finite, blocks.n_constant) == (0, 0)


def test_a_block_holds_less_than_these_images():
    """Otherwise there would be one pass only, and nothing to be damaged in between."""
    assert unit_width(N_VOLUMES) < np.prod(SHAPE) < 2 * unit_width(N_VOLUMES)


def test_rows_that_the_image_does_not_have_are_refused(intact, tmp_path):
    bold = tmp_path / "bold.nii.gz"
    bold.write_bytes(intact.packed)
    with pytest.raises(InputError) as caught:
        read_run(bold, intact.mask, kept=np.arange(N_VOLUMES + 3))
    assert [problem.where for problem in caught.value.problems] == [str(bold)]


# --- masks --------------------------------------------------------------------------------------


@USES
@pytest.mark.parametrize("missing", [1, 8, 20, 40])
def test_a_damaged_mask_is_refused_by_its_own_name(intact, tmp_path, use, missing):
    bold, mask = tmp_path / "bold.nii", tmp_path / "mask.nii.gz"
    bold.write_bytes(intact.content)
    whole = np.random.default_rng(4).random(SHAPE) > 0.5
    mask.write_bytes(write_image(mask, whole, AFFINE).read_bytes()[:-missing])
    spoiled = Intact(intact.content, intact.packed, mask, intact.data, intact.effect)
    with pytest.raises(InputError) as caught:
        use(bold, spoiled, 1)
    assert [problem.where for problem in caught.value.problems] == [str(mask)]

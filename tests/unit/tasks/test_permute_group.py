"""The steps around permutations: what they depend on, and how an interrupted one goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twolevel.files.checkpoint import Checkpoint, unfinished_shares
from twolevel.files.nifti import write_image
from twolevel.model.nodes import ContrastName
from twolevel.model.settings import GroupSettings, TestSettings
from twolevel.space.mask import Mask
from twolevel.stats.maps.design import make_map_design
from twolevel.stats.permute import loop as permutation
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import PermutationSettings
from twolevel.tasks.handoff import load_permuted, load_rows, save_permuted, stack_rows
from twolevel.tasks.permute_group import PermutationSpec, permutation_spec, permute_group_files
from twolevel.tasks.resources import keep_unfinished_in

CONTRAST = ContrastName("pumps", "pumps", "1*pumps")


@pytest.fixture
def data(tmp_path):
    """Sixteen maps of a small brain, as they are handed to the permutations."""
    rng = np.random.default_rng(3)
    mask = rng.random((6, 5, 4)) < 0.8
    paths = []
    for number in range(16):
        path = tmp_path / f"map-{number}.nii.gz"
        volume = rng.normal(0.4, 1, mask.shape).astype(np.float32)
        paths.append(write_image(path, volume, np.eye(4)))
    stack_rows(tmp_path / "maps", paths, Mask.of(mask), make_map_design(16))
    return tmp_path / "maps"


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(permutation, "ROWS_PER_BLOCK", 16)


def run(data: Path, folder: Path) -> Permuted:
    spec = PermutationSpec(PermutationSettings(cluster_forming_p=0.05), 200, 7)
    return load_permuted(permute_group_files(spec, CONTRAST, data, folder, "key"))


def assert_same(one: Permuted, other: Permuted) -> None:
    for name in one.observed:
        np.testing.assert_array_equal(one.observed[name], other.observed[name])
        np.testing.assert_array_equal(one.largest[name], other.largest[name])
    np.testing.assert_array_equal(one.n_reached, other.n_reached)
    none = np.empty(0, np.int64)
    rest = [replace(p, observed={}, largest={}, n_reached=none) for p in (one, other)]
    assert repr(rest[0]) == repr(rest[1])


@pytest.mark.usefixtures("small_blocks")
def test_an_interrupted_permutation_goes_on_from_its_last_block(data, tmp_path, monkeypatch):
    whole = run(data, tmp_path / "whole")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    monkeypatch.setenv("TWOLEVEL_UNFINISHED", "")
    keep_unfinished_in(unfinished)
    saved: list[int] = []
    original = Checkpoint.save

    def interrupt_the_third(self, state):
        if len(saved) == 3:
            raise KeyboardInterrupt
        original(self, state)
        saved.append(state.n_done)

    monkeypatch.setattr(Checkpoint, "save", interrupt_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "first")
    assert list(unfinished_shares(unfinished)) == [("pumps", 0.48)]
    monkeypatch.setattr(Checkpoint, "save", lambda _, state: saved.append(state.n_done))
    again = run(data, tmp_path / "second")
    assert saved == [16, 32, 48, 64, 80, 96, 100]
    assert_same(again, whole)
    assert list(unfinished.iterdir()) == []


def test_maps_in_a_file_give_the_same_as_an_array(data, tmp_path):
    from_file = run(data, tmp_path / "file")
    maps, mask, _ = load_rows(data)
    model = make_permutation_model(np.ones((16, 1)), np.ones(1), n_perm=200, seed=7)
    array = maps[:, : maps.shape[1]]
    assert array.shape == (16, mask.sum())
    assert_same(
        from_file, permute_group(array, mask, model, PermutationSettings(cluster_forming_p=0.05))
    )


def test_blocks_of_stacked_maps_are_those_of_the_array(data):
    maps, _, _ = load_rows(data)
    whole = np.load(data / "maps.npy")
    for start, stop in ((0, 1), (3, 50), (90, 10_000), (5, 5)):
        np.testing.assert_array_equal(maps[:, start:stop], whole[:, start:stop])


def test_what_is_saved_is_loaded(data, tmp_path):
    permuted = run(data, tmp_path / "one")
    save_permuted(tmp_path / "two", permuted)
    assert_same(load_permuted(tmp_path / "two"), permuted)


def test_without_a_test_that_needs_them_nothing_is_permuted(data, tmp_path):
    spec = permutation_spec(GroupSettings(tests=(TestSettings("fdr"),)), 0)
    folder = permute_group_files(spec, CONTRAST, data, tmp_path / "none", "key")
    assert list(folder.iterdir()) == []


def test_an_error_rate_changes_no_permutation():
    default = permutation_spec(GroupSettings(), 0)
    assert permutation_spec(GroupSettings(alpha=0.01, tail="gpd"), 0) == default
    assert permutation_spec(GroupSettings(sides=1), 0) != default
    assert permutation_spec(GroupSettings(), 1) != default


@pytest.mark.parametrize(
    ("tests", "statistics"),
    [
        (["permutationFDR"], ("voxel",)),
        (["tfceFWE"], ("voxel", "tfce")),
        (["clusterMassFWE", "fdr"], ("voxel", "clusterMass")),
        (["clusterExtent", "parametricFWE"], ()),
    ],
)
def test_only_what_the_tests_need_is_computed(tests, statistics):
    settings = GroupSettings(tests=tuple(TestSettings(test) for test in tests))
    assert permutation_spec(settings, 0).settings.statistics == statistics


@pytest.mark.parametrize("content", [b"", b"PK damaged"])
def test_a_damaged_state_is_started_over(data, tmp_path, monkeypatch, content):
    whole = run(data, tmp_path / "whole")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "key.npz").write_bytes(content)
    monkeypatch.setenv("TWOLEVEL_UNFINISHED", str(unfinished))
    assert_same(run(data, tmp_path / "again"), whole)
    assert list(unfinished.iterdir()) == []

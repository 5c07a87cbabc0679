from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from twolevel.errors import InputError
from twolevel.numerics.resources import Resources
from twolevel.space.grid import Grid
from twolevel.space.mask import Mask
from twolevel.stats.inference.permutation_fdr import permutation_fdr
from twolevel.stats.inference.permutation_fwe import permutation_fwe
from twolevel.stats.permute import loop as permutation
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import PermutationModel, make_permutation_model
from twolevel.stats.permute.result import Permuted
from twolevel.stats.permute.settings import STATISTICS, PermutationSettings
from twolevel.stats.permute.state import PermutationState

ONES = np.ones((6, 1))
GROUPS = np.repeat(np.eye(2), 3, axis=0)
AGE = np.array([[0.3], [-1.0], [2.0], [0.9], [1.4], [-0.2]])


@pytest.mark.parametrize(
    ("X", "C", "options", "message"),
    [
        (np.full((6, 1), np.nan), [1], {}, "missing or infinite"),
        (ONES * np.inf, [1], {}, "missing or infinite"),
        (ONES, [np.nan], {}, "missing or infinite"),
        (ONES, [1, 0], {}, r"shape \(1, 2\)(.|\n)*one weight for each column(.|\n)*\(6, 1\)"),
        (GROUPS, [1], {}, r"shape \(1, 1\)(.|\n)*one weight for each column(.|\n)*\(6, 2\)"),
        (np.ones(6), [1], {}, "a design of two dimensions"),
        (np.hstack([ONES, GROUPS]), [0, 1, 0], {}, "that the design determines"),
        (np.hstack([ONES, GROUPS]), [[0, 1, -1], [0, 1, 0]], {}, "that the design determines"),
        (GROUPS, [[1, -1], [-2, 2]], {}, "rows that depend on one another"),
        (GROUPS, [[1, 0], [0, 1], [1, 1]], {}, "rows that depend on one another"),
        (np.ones((1, 1)), [1], {}, r"1 rows(.|\n)*at least 2 for this design"),
        (np.eye(2), [1, -1], {}, r"2 rows(.|\n)*at least 3 for this design"),
        (np.vander([1.0, 2, 3], 3), [1, 0, 0], {}, r"3 rows(.|\n)*at least 4 for this design"),
        (GROUPS, [1, -1], {"variance_groups": [0, 0, 0, 1, 1, 1]}, "2 groups of unequal variance"),
        (ONES, [1], {"n_perm": 1}, r"number of permutations(.|\n)*from 2 to 1,000,000"),
        (ONES, [1], {"n_perm": -5}, r"found: +-5(.|\n)*from 2 to 1,000,000"),
        (ONES, [1], {"blocks": [0, 0, 1, 1, 2]}, r"shape \(5,\)(.|\n)*each of 6 rows"),
        (ONES, [1], {"blocks": np.zeros((6, 1), int)}, r"shape \(6, 1\)(.|\n)*each of 6 rows"),
        (ONES, [1], {"scheme": "permute"}, "no relabeling changes the statistic"),
        (GROUPS, [1, -1], {"blocks": [0, 1, 2, 3, 4, 5]}, "no relabeling changes"),
        (GROUPS, [1, -1], {"blocks": [0, 0, 0, 1, 1, 1]}, "no relabeling changes"),
        (
            np.hstack([ONES, AGE]),
            [0, 1],
            {"blocks": [0, 0, 0, 1, 1, 2], "whole_blocks": True},
            "no relabeling changes",
        ),
    ],
)  # fmt: skip
def test_a_test_that_cannot_be_done_is_refused_with_the_reason(X, C, options, message):
    options = {k: np.array(v) if isinstance(v, list) else v for k, v in options.items()}
    with pytest.raises(InputError, match=message):
        make_permutation_model(np.asarray(X), np.asarray(C, float), **options)


def test_groups_of_one_variance_are_accepted():
    model = make_permutation_model(GROUPS, np.array([1.0, -1]), variance_groups=np.zeros(6, int))
    assert (model.dof, model.relabelings.n_used) == (4, 20)


@pytest.mark.parametrize(
    ("X", "C", "mirrored"),
    [
        (ONES, [1], True),
        (3 * ONES, [2], True),
        (np.hstack([ONES, AGE]), [1, 0], True),
        (GROUPS, [1, 1], True),
        (np.hstack([ONES, AGE]), [0, 1], False),
        (GROUPS, [1, -1], False),
        (GROUPS, np.eye(2), False),
        (AGE, [1], False),
    ],
)
def test_signs_are_flipped_where_the_tested_part_is_a_mean(X, C, mirrored):
    model = make_permutation_model(X, np.array(C, float))
    assert model.relabelings.mirrored is mirrored
    np.testing.assert_array_equal(X[model.relabelings.rows[0]], X)
    np.testing.assert_array_equal(model.relabelings.signs[0], 1)


def test_the_bases_are_orthonormal_and_span_the_design():
    X = np.hstack([GROUPS, AGE, ONES])
    model = make_permutation_model(X, np.array([[1.0, -1, 0, 0], [0, 0, 1, 0]]))
    both = np.hstack([model.effects, model.nuisance])
    np.testing.assert_allclose(both.T @ both, np.eye(3), rtol=0, atol=1e-12)
    np.testing.assert_allclose(both @ (both.T @ X), X, rtol=0, atol=1e-12)
    assert (model.statistic, model.dof, model.n_subjects) == ("F", 3, 6)


@pytest.mark.parametrize(
    ("X", "C", "options", "one_side", "two_sides"),
    [
        (ONES, [1], {}, 1, 2),
        (np.hstack([ONES, AGE]), [1, 0], {}, 1, 2),
        (np.hstack([ONES, AGE]), [0, 1], {}, 1, 1),
        (GROUPS, [1, -1], {}, 1, 2),
        (np.hstack([GROUPS, AGE]), [1, -1, 0], {}, 1, 1),
        # A covariate that is the same in pairs: the members of a pair may be exchanged.
        (np.hstack([ONES, np.repeat([[0.0], [1], [5]], 2, axis=0)]), [0, 1], {}, 1, 1),
        # Symmetric about its mean: the reversed order gives -t.
        (np.hstack([ONES, np.arange(6.0)[:, None]]), [0, 1], {}, 1, 2),
        # Groups of one variance each are flipped as a whole: F is left alone by all 4 of 64.
        (GROUPS, np.eye(2), {"scheme": "flip"}, 4, 4),
        (np.repeat(np.eye(3), 2, axis=0), [[1, -1, 0], [0, 1, -1]], {}, 6, 6),
    ],
)
def test_relabelings_that_cannot_change_the_statistic_are_counted(
    X, C, options, one_side, two_sides
):
    model = make_permutation_model(X, np.array(C, float), **options)
    assert [model.n_equivalent(sides) for sides in (1, 2)] == [one_side, two_sides]


def test_a_block_of_weights_is_a_part_of_all_weights():
    model = make_permutation_model(np.hstack([GROUPS, AGE]), np.array([1.0, -1, 0]))
    whole = model.weights(0, 720)
    assert whole.shape == (2, 720, 6)
    np.testing.assert_array_equal(model.weights(100, 130), whole[:, 100:130])
    np.testing.assert_allclose((whole**2).sum(axis=2), 1.0, rtol=1e-12, atol=0)


MASK = np.ones((4, 4, 3), bool)
MASK[2] = False  # two pieces
N_VOXELS = int(MASK.sum())


def noise(n_subjects: int = 6, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0.3, 1, (n_subjects, N_VOXELS))


def mean_model(n_subjects: int, **options: Any) -> PermutationModel:
    return make_permutation_model(np.ones((n_subjects, 1)), np.ones(1), **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("X", "C"), [(ONES, [1]), (GROUPS, [1, -1])])
def test_a_value_that_is_not_finite_is_refused(X, C, value):
    maps = noise()
    maps[3, 7] = value
    with pytest.raises(InputError, match="1 voxels with values that are missing or infinite"):
        permute_group(maps, MASK, make_permutation_model(X, np.array(C, float)))


@pytest.mark.parametrize(
    ("X", "C", "flat"),
    [
        (ONES, [1], 0 * ONES),
        (ONES, [1], 0.1 * ONES),
        (ONES, [1], -1e6 * ONES),
        (GROUPS, [1, -1], ONES),
        (GROUPS, [1, -1], 0.1 * ONES),
        (GROUPS, [1, -1], GROUPS @ [[0.1], [0.7]]),
        (GROUPS, np.eye(2), GROUPS @ [[0.1], [0.7]]),
        (np.hstack([ONES, AGE]), [0, 1], 7 * ONES),
        (np.hstack([ONES, AGE]), [1, 0], 1e-5 * AGE),
        (np.hstack([GROUPS, AGE]), [1, -1, 0], 3 * AGE + 1e4),
    ],
)
def test_voxels_that_the_design_explains_are_refused_and_counted(X, C, flat):
    maps = noise()
    maps[:, [2, 5]] = flat
    with pytest.raises(InputError, match=r"0 voxels(.*) infinite, 2 that do not vary"):
        permute_group(maps, MASK, make_permutation_model(X, np.array(C, float)))


@pytest.mark.parametrize(
    ("maps", "mask"),
    [
        (noise(5), MASK),
        (noise()[:, 1:], MASK),
        (noise(), np.ones((4, 4, 3), bool)),
        (noise()[0], MASK),
    ],
)
def test_maps_that_fit_neither_mask_nor_design_are_refused(maps, mask):
    with pytest.raises(InputError, match="of the same subjects and voxels"):
        permute_group(maps, mask, mean_model(6))


def assert_identical(one: Permuted, two: Permuted) -> None:
    """Compare bit for bit."""
    assert set(one.observed) == set(two.observed) == set(STATISTICS)
    for name in STATISTICS:
        np.testing.assert_array_equal(one.observed[name], two.observed[name])
        np.testing.assert_array_equal(one.largest[name], two.largest[name])
    np.testing.assert_array_equal(one.n_reached, two.n_reached)
    assert (one.n_used, one.smallest_p, one.cluster_threshold) == (
        two.n_used, two.smallest_p, two.cluster_threshold,
    )  # fmt: skip


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut 40 relabelings into 6 blocks, the last of them partial, and 36 voxels into 4."""
    monkeypatch.setattr(permutation, "ROWS_PER_BLOCK", 7)
    monkeypatch.setattr(permutation, "VOXELS_PER_BLOCK", 10)


TWENTY = np.repeat(np.eye(2), 10, axis=0)
OLD = np.random.default_rng(4).normal(0, 1, (20, 1))
LONG: Any = {
    "flips": (np.ones((20, 1)), [1.0], 80),
    "flips with nuisance": (np.hstack([np.ones((20, 1)), OLD]), [1.0, 0], 80),
    "two samples": (TWENTY, [1.0, -1], 40),
    "two samples with nuisance": (np.hstack([TWENTY, OLD]), [1.0, -1, 0], 40),
    "F": (np.hstack([TWENTY, OLD]), [[1.0, -1, 0], [0, 0, 1]], 40),
}
SETTINGS = {sides: PermutationSettings(sides=sides, cluster_forming_p=0.1) for sides in (1, 2)}


def long_model(name: str) -> PermutationModel:
    X, C, n_perm = LONG[name]
    return make_permutation_model(X, np.array(C), n_perm=n_perm)


def keep_in(saved: list[PermutationState]) -> Callable[[PermutationState], None]:
    return lambda state: saved.append(copy.deepcopy(state))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("design", list(LONG))
def test_going_on_after_any_block_gives_the_same_bits(design, sides):
    maps, model = noise(20), long_model(design)
    saved: list[PermutationState] = []
    whole = permute_group(maps, MASK, model, SETTINGS[sides], after_block=keep_in(saved))
    assert [state.n_done for state in saved] == [7, 14, 21, 28, 35, 40]
    for state in saved:
        left: list[PermutationState] = []
        resumed = permute_group(
            maps,
            MASK,
            model,
            SETTINGS[sides],
            state=copy.deepcopy(state),
            after_block=keep_in(left),
        )
        assert_identical(whole, resumed)
        assert [s.n_done for s in left] == [n for n in (7, 14, 21, 28, 35, 40) if n > state.n_done]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("design", list(LONG))
@pytest.mark.parametrize("n_threads", [2, 4])
def test_any_number_of_threads_gives_the_same_bits(design, sides, n_threads):
    maps, model = noise(20), long_model(design)
    one, many = (
        permute_group(maps, MASK, model, SETTINGS[sides], resources=Resources(n_threads=n))
        for n in (1, n_threads)
    )
    assert_identical(one, many)


@pytest.mark.parametrize("design", list(LONG))
def test_the_size_of_blocks_decides_about_no_p(design, monkeypatch):
    maps, model = noise(20), long_model(design)
    plain = permute_group(maps, MASK, model, SETTINGS[2])
    monkeypatch.setattr(permutation, "ROWS_PER_BLOCK", 7)
    monkeypatch.setattr(permutation, "VOXELS_PER_BLOCK", 10)
    cut = permute_group(maps, MASK, model, SETTINGS[2])
    np.testing.assert_array_equal(plain.n_reached, cut.n_reached)
    for name in STATISTICS:
        np.testing.assert_array_equal(plain.p_corrected(name), cut.p_corrected(name))
        np.testing.assert_allclose(plain.largest[name], cut.largest[name], rtol=1e-6, atol=1e-9)


def test_maps_are_read_in_blocks_of_voxels_only(monkeypatch):
    """Whatever gives blocks ``[:, start:stop]`` will do, a file too."""
    monkeypatch.setattr(permutation, "VOXELS_PER_BLOCK", 10)
    maps = noise()

    class Blocks:
        shape = maps.shape

        def __getitem__(self, index: Any) -> Any:
            rows, columns = index
            assert rows == slice(None)
            assert columns.stop - columns.start == 10
            return maps[index]

    whole, blocks = (permute_group(m, MASK, mean_model(6)) for m in (maps, Blocks()))
    assert_identical(whole, blocks)


def test_the_maps_and_the_state_at_the_start_are_left_alone_or_filled():
    maps = noise()
    before = maps.copy()
    state = PermutationState.at_start(N_VOXELS, 32)
    permuted = permute_group(maps, MASK, mean_model(6), state=state)
    np.testing.assert_array_equal(maps, before)
    assert state.n_done == 32
    np.testing.assert_array_equal(permuted.n_reached, 2 * state.counts)


def test_statistics_that_are_not_asked_for_are_not_there():
    permuted = permute_group(
        noise(), MASK, mean_model(6), PermutationSettings(statistics=("clusterMass",))
    )
    assert set(permuted.observed) == set(permuted.largest) == {"voxel", "clusterMass"}
    everything = permute_group(noise(), MASK, mean_model(6))
    np.testing.assert_array_equal(
        permuted.largest["clusterMass"], everything.largest["clusterMass"]
    )


@pytest.mark.parametrize("sides", [1, 2])
def test_two_subjects_have_four_flips(sides):
    maps = np.abs(noise(2)) + 0.1
    permuted = permute_group(maps, MASK, mean_model(2), SETTINGS[sides])
    assert (permuted.n_used, permuted.smallest_p) == (4, sides / 4)
    np.testing.assert_allclose(
        permuted.observed["voxel"], maps.sum(0) / np.abs(maps[0] - maps[1]), rtol=1e-9, atol=0
    )
    np.testing.assert_array_equal(permuted.n_reached, sides)
    assert set(permuted.p_corrected("voxel")) <= {0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize("sides", [1, 2])
def test_one_voxel_is_its_own_largest(sides):
    maps = noise(6)[:, :1] + 1
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    permuted = permute_group(maps, mask, mean_model(6), SETTINGS[sides])
    p = permuted.p_uncorrected
    assert sides / 64 <= p[0] < 0.2
    np.testing.assert_array_equal(permuted.p_corrected("voxel"), p)
    np.testing.assert_array_equal(permuted.p_corrected("tfce"), p)
    np.testing.assert_array_equal(permuted.observed["clusterSize"], 1.0)
    # t > 0 gives t^3 / 3 for a single voxel.
    np.testing.assert_allclose(
        permuted.observed["tfce"], permuted.observed["voxel"] ** 3 / 3, rtol=1e-6, atol=0
    )


def test_clusters_do_not_reach_from_one_piece_of_the_mask_to_another():
    maps = noise(6) * 0.01 + 1
    permuted = permute_group(maps, MASK, mean_model(6), SETTINGS[2])
    sizes = np.zeros(MASK.shape)
    sizes[MASK] = permuted.observed["clusterSize"]
    np.testing.assert_array_equal(sizes[:2], 2 * 4 * 3)
    np.testing.assert_array_equal(sizes[2], 0)
    np.testing.assert_array_equal(sizes[3], 4 * 3)


@pytest.mark.parametrize("sides", [1, 2])
def test_data_that_are_all_positive_get_the_smallest_p_in_every_voxel(sides):
    maps = noise(6) * 0.01 + 1
    permuted = permute_group(maps, MASK, mean_model(6), SETTINGS[sides])
    np.testing.assert_array_equal(permuted.n_reached, sides)
    np.testing.assert_array_equal(permuted.p_uncorrected, permuted.smallest_p)
    result = permutation_fdr(permuted, alpha=0.05)
    np.testing.assert_allclose(10.0**-result.map_values, sides / 64, rtol=1e-12, atol=0)
    assert result.surviving.all()
    assert permutation_fwe(permuted).surviving.all()


@pytest.mark.parametrize("spread", [1e-2, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("sides", [1, 2])
def test_the_identity_and_its_equals_reach_the_observed_value_however_large_t_is(spread, sides):
    for X, C, n_used in ((np.ones((6, 1)), [1.0], 64), (GROUPS, [1.0, -1], 20)):
        model = make_permutation_model(X, np.array(C))
        maps = X[:, :1] + spread * noise(6)
        permuted = permute_group(maps, MASK, model, SETTINGS[sides])
        assert permuted.observed["voxel"].max() > 1 / spread
        np.testing.assert_array_equal(permuted.p_uncorrected, sides / n_used)


def test_the_false_discovery_rate_is_that_of_benjamini_and_hochberg():
    maps = noise(7, 3)
    maps[:, :6] += 2
    permuted = permute_group(maps, MASK, mean_model(7), SETTINGS[2])
    p = permuted.p_uncorrected
    result = permutation_fdr(permuted, alpha=0.1)
    order = np.argsort(p)
    adjusted = np.empty(N_VOXELS)
    smallest = 1.0
    for rank in range(N_VOXELS, 0, -1):
        smallest = min(smallest, p[order[rank - 1]] * N_VOXELS / rank)
        adjusted[order[rank - 1]] = smallest
    np.testing.assert_allclose(10.0**-result.map_values, adjusted, rtol=1e-10, atol=0)
    np.testing.assert_array_equal(result.surviving, adjusted <= 0.1)
    assert 0 < result.surviving.sum() < N_VOXELS
    assert "sign flips" in result.controls


@pytest.mark.parametrize("contrast", [[1, -1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
def test_the_units_of_covariates_do_not_matter(contrast):
    rng = np.random.default_rng(4)
    design = np.hstack([np.repeat(np.eye(2), 8, axis=0), rng.normal(size=(16, 2))])
    maps = rng.normal(size=(16, 36)) + 0.5 * design[:, [2]]
    units = np.array([1, 1, 1e-7, 1e8])
    found = [
        permute_group(maps, MASK, make_permutation_model(X, np.array(contrast), n_perm=50))
        for X in (design, design * units)
    ]
    assert found[0].exact is found[1].exact is False
    np.testing.assert_allclose(
        found[0].observed["voxel"], found[1].observed["voxel"], rtol=1e-7, atol=1e-9
    )
    np.testing.assert_allclose(
        found[0].largest["voxel"], found[1].largest["voxel"], rtol=1e-7, atol=0
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sides", 0),
        ("sides", 3),
        ("cluster_forming_p", 0.0),
        ("cluster_forming_p", -1.0),
        ("cluster_forming_p", 0.5),
        ("cluster_forming_p", np.nan),
        ("connectivity", 8),
        ("statistics", ("voxel", "peak")),
        ("extent_power", -0.1),
        ("extent_power", np.inf),
        ("height_power", -2.0),
        ("height_power", np.nan),
        ("height_power", 1000.0),
    ],
)
def test_settings_without_a_meaning_are_refused(name, value):
    with pytest.raises(InputError, match=f"permutation settings: {name}"):
        PermutationSettings(**{name: value})


@pytest.mark.parametrize("mask", [MASK.astype(float), MASK.astype(np.uint8), MASK.tolist()])
def test_a_mask_that_is_not_bool_is_refused(mask):
    with pytest.raises(InputError, match="an array of bool, True in the brain"):
        permute_group(noise(), mask, mean_model(6))


def test_a_mask_that_is_no_volume_is_refused():
    with pytest.raises(InputError, match="three numbers of voxels"):
        permute_group(noise(), MASK[MASK], mean_model(6))


def test_a_mask_in_space_gives_what_its_array_gives():
    mask = Mask(Grid(MASK.shape, np.diag([3.0, 3.0, 4.0, 1.0])), MASK)
    assert_identical(*(permute_group(noise(), m, mean_model(6)) for m in (mask, MASK)))


def test_a_state_of_something_else_is_refused():
    states: list[PermutationState] = []
    permute_group(noise(8), MASK, mean_model(8), after_block=states.append)
    other = make_permutation_model(np.repeat(np.eye(2), 4, axis=0), np.array([1.0, -1]))
    with pytest.raises(InputError, match="128 rows, 128 of them done") as caught:
        permute_group(noise(8), MASK, other, state=states[-1])
    assert f"{N_VOXELS} voxels and 70 rows" in str(caught.value)
    with pytest.raises(InputError, match="go on with the same maps"):
        permute_group(noise(8)[:, :5], np.ones((5, 1, 1), bool), mean_model(8), state=states[-1])


@pytest.mark.parametrize("scheme", ["flips", "sign flips", "bootstrap"])
def test_a_scheme_that_is_not_known_is_refused(scheme):
    with pytest.raises(InputError, match='"flip", "permute" or None'):
        mean_model(6, scheme=scheme)


def test_groups_of_variance_of_wrong_length_are_refused():
    with pytest.raises(InputError, match="one number for each of 6"):
        mean_model(6, variance_groups=np.zeros(5, int))


@pytest.mark.parametrize(
    "options",
    [{"alpha": 0.0}, {"alpha": 1.0}, {"alpha": np.nan}, {"test": "foo"}, {"test": "tfceFWE"},
     {"tail": "GPD"}],
)  # fmt: skip
def test_a_test_that_cannot_be_made_is_refused(options):
    permuted = permute_group(
        noise(), MASK, mean_model(6), PermutationSettings(statistics=("voxel", "clusterSize"))
    )
    with pytest.raises(InputError, match="a test of permutationFWE, clusterSizeFWE; alpha"):
        permutation_fwe(permuted, **options)
    with pytest.raises(InputError, match="between 0 and 1"):
        permutation_fdr(permuted, alpha=7)

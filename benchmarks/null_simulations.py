"""Family-wise error of the permutation tests, and their power beside nilearn's.

``python -m benchmarks.null_simulations``: every test is carried out on data without an effect; the
share of data sets in which anything survives must lie around the level that can be attained.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from benchmarks.first_level import say
from twolevel.stats.inference.permutation_fwe import STATISTIC_OF, permutation_fwe
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.settings import PermutationSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA, SHAPE, CLUSTER_FORMING_P = 0.05, (14, 14, 14), 0.01
N_PERM = 200


@dataclass(frozen=True)
class Design:
    """A design whose null hypothesis holds.

    Attributes
    ----------
    name : str
    matrix : ndarray of shape (n_subjects, n_columns)
    contrast : tuple of float
    """

    name: str
    matrix: NDArray[np.float64]
    contrast: tuple[float, ...]


def designs() -> list[Design]:
    """Return the designs: one- and two-sample, each with and without a nuisance covariate."""
    rng = np.random.default_rng(1)
    ages = rng.normal(size=(16, 1))
    ages -= ages.mean()
    groups = np.repeat(np.eye(2), [7, 9], axis=0)
    return [
        Design("one sample", np.ones((16, 1)), (1,)),
        Design("one sample, covariate", np.hstack([np.ones((16, 1)), ages]), (1, 0)),
        Design("two samples", groups, (1, -1)),
        Design("two samples, covariate", np.hstack([groups, ages]), (1, -1, 0)),
    ]


def noise(rng: np.random.Generator, n_subjects: int) -> NDArray[np.float32]:
    """Return smooth noise."""
    maps = rng.standard_normal((n_subjects, *SHAPE), np.float32)
    smooth: NDArray[np.float32] = gaussian_filter(maps, (0, 1, 1, 1)).reshape(n_subjects, -1)
    return smooth


def survivors(design: Design, sides: int, number: int) -> dict[str, int]:
    """Tell which tests find anything in one data set.

    Parameters
    ----------
    design : Design
    sides : {1, 2}
    number : int
        Of the data set; also the seed of the permutations.

    Returns
    -------
    dict of str to int
        By test: number of voxels that survive.
    """
    rng = np.random.default_rng([number, design.matrix.shape[1]])
    maps = noise(rng, len(design.matrix))
    model = make_permutation_model(
        design.matrix, np.array(design.contrast), n_perm=N_PERM, seed=number
    )
    settings = PermutationSettings(
        sides=sides,  # type: ignore[arg-type]
        cluster_forming_p=CLUSTER_FORMING_P,
    )
    permuted = permute_group(maps, np.ones(SHAPE, bool), model, settings)
    return {
        test: int(permutation_fwe(permuted, test=test, alpha=ALPHA).surviving.sum())
        for test in STATISTIC_OF
    }


def attainable(design: Design, sides: int) -> float:
    """Return the largest level up to alpha that p can take."""
    model = make_permutation_model(design.matrix, np.array(design.contrast), n_perm=N_PERM)
    n_used = model.relabelings.n_used
    step = 2 if sides == 2 and model.relabelings.mirrored else 1
    return float(np.floor(ALPHA * n_used / step + 1e-9) * step / n_used)


def main() -> None:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=1000, help="data sets of each design")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        _family_wise_error(pool, arguments.sets)
        _power(pool, min(arguments.sets, 100))


def _family_wise_error(pool: ProcessPoolExecutor, n_sets: int) -> None:
    say(f"{n_sets} null data sets of {'x'.join(map(str, SHAPE))} voxels, {N_PERM} permutations\n")
    say("| design | sides | level | 99.9 % interval | " + " | ".join(STATISTIC_OF) + " |")
    say("|---|---|---|---|" + "---|" * len(STATISTIC_OF))
    for design in designs():
        for sides in (1, 2):
            many = [design] * n_sets, [sides] * n_sets, range(n_sets)
            found = pool.map(survivors, *many, chunksize=25)
            counts = Counter(test for each in found for test, n in each.items() if n)
            level = attainable(design, sides)
            low, high = stats.binom.interval(0.999, n_sets, level)
            shares = [
                f"{counts[t] / n_sets:.3f}" + ("" if low <= counts[t] <= high else " (!)")
                for t in STATISTIC_OF
            ]
            say(
                f"| {design.name} | {sides} | {level:.3f} | {low / n_sets:.3f} - "
                f"{high / n_sets:.3f} | {' | '.join(shares)} |"
            )


def _power(pool: ProcessPoolExecutor, n_sets: int) -> None:
    say(f"\n{n_sets} data sets of 16 subjects with an effect in a ball of 3 voxels radius:\n")
    say("| test | voxels of the ball found | nilearn |")
    say("|---|---|---|")
    ours: Counter[str] = Counter()
    theirs: Counter[str] = Counter()
    for found, reference in pool.map(_found_in_ball, range(n_sets), chunksize=5):
        ours.update(found)
        theirs.update(reference)
    total = n_sets * int(_ball().sum())
    for test in STATISTIC_OF:
        say(f"| {test} | {ours[test] / total:.3f} | {theirs[test] / total:.3f} |")


def _ball() -> NDArray[np.bool_]:
    where = np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) // 2
    ball: NDArray[np.bool_] = ((where**2).sum(axis=0) <= 3**2).ravel()
    return ball


def _found_in_ball(number: int) -> tuple[dict[str, int], dict[str, int]]:
    """Count the voxels of the ball that ours and nilearn's tests find, two-sided."""
    import nibabel as nib
    from nilearn.maskers import NiftiMasker
    from nilearn.mass_univariate import permuted_ols

    maps = noise(np.random.default_rng([number, 99]), 16)
    ball = _ball()
    maps += 1.0 * maps.std() * ball
    model = make_permutation_model(np.ones((16, 1)), np.ones(1), n_perm=N_PERM, seed=number)
    settings = PermutationSettings(cluster_forming_p=CLUSTER_FORMING_P)
    permuted = permute_group(maps, np.ones(SHAPE, bool), model, settings)
    ours = {
        test: int(permutation_fwe(permuted, test=test, alpha=ALPHA).surviving[ball].sum())
        for test in STATISTIC_OF
    }
    masker = NiftiMasker(nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))).fit()
    result = permuted_ols(
        np.ones((16, 1)),
        maps,
        model_intercept=False,
        n_perm=N_PERM,
        random_state=number,
        masker=masker,
        threshold=CLUSTER_FORMING_P,
        tfce=True,
        output_type="dict",
    )
    least = -np.log10(ALPHA)
    names = {
        "permutationFWE": "logp_max_t",
        "clusterSizeFWE": "logp_max_size",
        "clusterMassFWE": "logp_max_mass",
        "tfceFWE": "logp_max_tfce",
    }
    theirs = {
        test: int((result[name].ravel()[ball] >= least).sum()) for test, name in names.items()
    }
    return ours, theirs


if __name__ == "__main__":
    main()

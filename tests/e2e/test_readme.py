"""What the README shows in Python gives the command's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest

if TYPE_CHECKING:
    from command import Analysis

README = Path(__file__).parents[2] / "README.md"
TOLERANCE = 1e-6  # of float32 maps in percent, and of their sums


@pytest.fixture(scope="module")
def shown(dataset: Path) -> dict[str, Any]:
    """All names that the snippet defines, run beside the dataset as it stands in the README."""
    (code,) = [part.partition("```")[0] for part in README.read_text().split("```python\n")[1:]]
    assert 'DATA = Path("DATA")' in code
    names: dict[str, Any] = {}
    exec(code.replace('Path("DATA")', f"Path({str(dataset)!r})"), names)  # noqa: S102  # our own
    return names


def values(analysed: Analysis, pattern: str, mask: Any) -> Any:
    (path,) = analysed.output_dir.glob(f"{pattern}_statmap.nii.gz")
    array = nib.load(path).get_fdata()
    np.testing.assert_array_equal(np.isfinite(array), mask.inside)
    return mask.take(array)


@pytest.mark.parametrize("run", [1, 2])
def test_the_runs_of_the_readme_are_those_of_the_command(shown, analysed, run):
    fit, mask = shown["fit_one"]("02", run)
    estimate = fit.estimates["pumpsMinusControl"]
    for stat in ("effect", "variance", "t"):
        pattern = f"sub-02/func/*_run-{run}_*_contrast-pumpsMinusControl_stat-{stat}"
        expected = values(analysed, pattern, mask)
        np.testing.assert_allclose(estimate.maps()[stat], expected, rtol=TOLERANCE, atol=TOLERANCE)


def test_the_subjects_of_the_readme_are_those_of_the_command(shown, analysed):
    for number, (estimate, mask) in enumerate(shown["subjects"], start=1):
        for stat in ("effect", "variance"):
            name = f"sub-{number:02d}_task-balloonanalogrisktask_space-*_res-2"
            pattern = f"sub-{number:02d}/func/{name}_contrast-pumpsMinusControl_stat-{stat}"
            expected = values(analysed, pattern, mask)
            np.testing.assert_allclose(
                estimate.maps()[stat], expected, rtol=TOLERANCE, atol=TOLERANCE
            )


def test_the_group_of_the_readme_is_that_of_the_command(shown, analysed):
    stem = "group/task-*_contrast-pumpsMinusControl"
    effect = values(analysed, f"{stem}_stat-effect", shown["mask"])
    np.testing.assert_allclose(
        shown["group"].estimate.effect, effect, rtol=TOLERANCE, atol=TOLERANCE
    )
    survivors = values(analysed, f"{stem}_stat-z_desc-fdr", shown["mask"])
    np.testing.assert_array_equal(shown["fdr"].surviving, survivors != 0)
    # Three subjects have 8 flips, all of which are used whatever n_perm is.
    logp = values(analysed, f"{stem}_stat-logp_desc-tfceFWE", shown["mask"])
    np.testing.assert_allclose(shown["tfce"].map_values, logp, rtol=1e-6, atol=0)

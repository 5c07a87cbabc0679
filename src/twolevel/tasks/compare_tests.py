"""The tests side by side, and everything that was excluded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from fileformats.generic import Directory
from pydra.compose import python

from twolevel.bids.units import Unit
from twolevel.derivatives.exclusions import Exclusion
from twolevel.derivatives.maps import model_record
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv
from twolevel.tasks.handoff import load_exclusions, load_row, save_exclusions

COLUMNS = {
    "contrast": "label of the contrast",
    "test": "label of the test",
    "controls": "what the threshold controls",
    "sides": "1 or 2",
    "alpha": "error rate; n/a where none is controlled",
    "statistic": "what the threshold is on: z, or -log10 of corrected p",
    "threshold": "of the statistic (absolute, for two sides); n/a where no value would survive",
    "n_voxels_tested": "voxels of the analysis mask",
    "n_voxels": "voxels that survive",
    "n_clusters": "clusters of these",
    "largest_abs_z": "largest |z| of the contrast",
    "n_permutations": "used, the identity included",
    "all_permutations": "true where there are no others",
    "smallest_attainable_p": "smallest corrected p that the permutations can give",
}


def compare_tests(
    unit: Unit,
    tests: Sequence[Path],
    fits: Sequence[Path],
    left_out: dict[str, dict[str, str]],
    folder: Path,
) -> Path:
    """Save the tests side by side, and what the group left out.

    `left_out` says by the label of a contrast which subjects are without it and why; those without
    any maps are under the empty label.
    """
    rows = [load_row(test) for test in tests]
    path = folder / unit.entities.path("tests", ".tsv")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    whole = ["sides", "n_voxels_tested", "n_voxels", "n_clusters", "n_permutations"]
    write_tsv(path, table.astype(dict.fromkeys(whole, "Int64")))
    write_json(
        path.with_suffix(".json"),
        {"Description": "The tests side by side", **COLUMNS, **model_record(unit.stage)},
    )
    exclusions = [
        Exclusion("subject", reason, subject=subject, contrast=label)
        for label, without in left_out.items()
        for subject, reason in without.items()
    ]
    exclusions.extend(e for fit in fits for e in load_exclusions(fit))
    save_exclusions(folder, exclusions)
    return folder


@python.define(outputs={"out": Directory})
def CompareTests(
    unit: Unit,
    tests: list[list[Directory]],
    fits: list[Directory],
    left_out: dict[str, dict[str, str]],
    software: str,
):
    """Put the tests side by side."""
    return compare_tests(
        unit,
        [Path(test) for of_contrast in tests for test in of_contrast],
        [Path(fit) for fit in fits],
        left_out,
        Path.cwd() / "out",
    )

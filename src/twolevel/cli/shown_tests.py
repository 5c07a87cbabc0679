"""What a user sees of the tests of the group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twolevel.files.tables import read_tsv
from twolevel.report.words import UNCORRECTED, hopeless_tests

if TYPE_CHECKING:
    from pathlib import Path

    from twolevel.cli.console import ReportConsole


def show_tests(console: ReportConsole, path: Path) -> None:
    """Print how many voxels survive each test."""
    table = read_tsv(path)
    if table.empty:
        console.print("No test was carried out: the model's Dataset node asks for none.")
        return
    table["survive"] = [f"{r.n_voxels} ({r.n_clusters})" for r in table.itertuples()]
    shown = table.pivot_table("survive", "test", "contrast", aggfunc="first", sort=False)
    shown = shown.rename_axis(index=None, columns="voxels (clusters)")
    console.print(f"\n{shown.to_string()}\n")
    uncorrected = [test for test in shown.index if test in UNCORRECTED]
    if uncorrected:
        console.print(f"{' and '.join(uncorrected)}: not corrected for the number of voxels")
    console.print(
        "names with FDR or fdr: the false discovery rate is controlled; with FWE, and bonferroni: "
        "the family-wise error",
    )
    for text in hopeless_tests(table):
        console.print(f"note: {text}")

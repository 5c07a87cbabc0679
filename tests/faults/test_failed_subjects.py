"""What only shows while it is computed: the others go on, and nothing half done is published."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from twolevel.derivatives.exclusions import read_exclusions

SUBJECT_MAP = "sub-{0}/func/sub-{0}_task-balloonanalogrisktask_space-MNI152NLin2009cAsym_res-2_{1}"


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def load(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_damage_that_no_check_sees_fails_one_subject_until_it_is_repaired(
    data, own_copy, analyse, tmp_path
):
    out = tmp_path / "out"
    bold = own_copy(data.bold(2, 1))
    intact = bold.read_bytes()
    damaged = bytearray(intact)
    middle = len(damaged) // 2
    damaged[middle : middle + 16] = bytes(b ^ 0xFF for b in damaged[middle : middle + 16])
    bold.write_bytes(damaged)

    first = analyse(data)
    assert first.status == 1, first
    assert "sub-02 failed:" in first.err
    assert str(bold) in first.err
    assert "fetch or copy the file again" in first.err
    assert "Traceback" not in first.err + first.out
    assert not (out / "sub-02").exists()
    of_sub_01 = files_of(out / "sub-01")
    assert sum("_statmap.nii.gz" in name for name in of_sub_01) == (2 + 1) * 2 * 4 + 2 * 3
    assert not list(out.rglob("*.part"))
    report = (out / "report.html").read_text()
    failed, _, rest = report.partition('id="summary"')
    assert "<h3>sub-02</h3>" in failed
    assert "fetch or copy the file again" in failed
    assert "sub-01: FitRun" not in rest

    bold.write_bytes(intact)
    second = analyse(data)
    assert second.status == 0, second
    assert second.err == ""
    assert 'id="errors"' not in (out / "report.html").read_text()
    assert files_of(out / "sub-01") == of_sub_01
    assert files_of(out / "sub-02") == {name.replace("sub-01", "sub-02") for name in of_sub_01}


def test_a_condition_that_one_run_lacks_comes_from_the_others_alone(
    data, own_copy, analyse, tmp_path
):
    out = tmp_path / "out"
    events = own_copy(data.events(1, 1))
    lines = events.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.split("\t")[2] != "cash_demean"]
    assert kept[0] == lines[0]
    assert len(kept) < len(lines)
    events.write_text("".join(kept))

    answer = analyse(data)
    assert answer.status == 0, answer
    assert "no trial_type.cash_demean: contrasts that need it leave the run out" in answer.out

    (left_out,) = [
        e for e in read_exclusions(out / "sub-01" / "excluded.tsv") if e.contrast == "cash"
    ]
    assert (left_out.kind, left_out.subject, left_out.run) == ("run", "01", "1")
    assert left_out.reason == "no trial_type.cash_demean in this run"
    func = out / "sub-01" / "func"
    runs_with_cash = {p.name.split("_run-")[1][0] for p in func.glob("*_run-*_contrast-cash_*")}
    assert runs_with_cash == {"2"}

    run_2 = str(out / SUBJECT_MAP.format("01", "")).replace("_space-", "_run-2_space-")
    mask = load(out / SUBJECT_MAP.format("01", "contrast-cash_desc-analysis_mask.nii.gz")) > 0
    np.testing.assert_array_equal(mask, load(Path(f"{run_2}desc-analysis_mask.nii.gz")) > 0)
    common = load(out / SUBJECT_MAP.format("01", "desc-analysis_mask.nii.gz")) > 0
    assert common.sum() < mask.sum()
    for stat in ("effect", "variance", "t", "z"):
        ending = f"contrast-cash_stat-{stat}_statmap.nii.gz"
        np.testing.assert_allclose(
            load(out / SUBJECT_MAP.format("01", ending)), load(Path(run_2 + ending)), rtol=1e-5
        )
    own_masks = {p.name.split("contrast-")[1] for p in out.rglob("*_contrast-*_mask.nii.gz")}
    assert own_masks == {"cash_desc-analysis_mask.nii.gz"}
    assert not list((out / "sub-02").rglob("*_contrast-*_mask.nii.gz"))

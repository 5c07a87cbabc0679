from __future__ import annotations

import hashlib
import os
from pathlib import Path

from twolevel.bids.entities import Entities
from twolevel.bids.index import find_sidecars
from twolevel.bids.runs import RunFiles
from twolevel.fetch.needed import (
    Content,
    content_of,
    identities,
    images_of,
    tables_of,
    to_download,
)

DIGEST = "d41d8cd98f00b204e9800998ecf8427e"
MNI = "space-MNI152NLin2009cAsym_res-2"


def key(n_bytes: int, digest: str = DIGEST) -> str:
    return f"MD5E-s{n_bytes}--{digest}.nii.gz"


def link(path: Path, name: str) -> Path:
    """Make a git-annex link without content."""
    path.symlink_to(f".git/annex/objects/aB/cD/{name}/{name}")
    return path


def touch(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_content_that_is_here_has_its_size_and_no_key(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_bytes(b"onset\n")
    assert content_of(path) == Content(path, None, 6)


def test_a_link_with_content_has_the_size_of_the_content(tmp_path):
    path = link(tmp_path / "bold.nii.gz", key(7))
    target = tmp_path / path.readlink()
    target.parent.mkdir(parents=True)
    target.write_bytes(bytes(7))
    assert content_of(path) == Content(path, None, 7)


def test_content_that_is_not_here_has_its_key_and_the_size_that_it_tells(tmp_path):
    path = link(tmp_path / "bold.nii.gz", key(452477862))
    assert content_of(path) == Content(path, key(452477862), 452477862)
    pointer = tmp_path / "mask.nii.gz"
    pointer.write_text(f"/annex/objects/{key(11131)}\n")
    assert content_of(pointer) == Content(pointer, key(11131), 11131)


def test_content_known_by_its_address_only_has_no_size(tmp_path):
    path = link(tmp_path / "bold.nii.gz", "URL--http&c%%example.org%bold.nii.gz")
    assert content_of(path) == Content(path, "URL--http://example.org/bold.nii.gz", None)


def test_a_link_to_nothing_is_content_without_a_name(tmp_path):
    path = tmp_path / "bold.nii.gz"
    path.symlink_to("nowhere")
    assert content_of(path) == Content(path, "", None)


def test_the_same_content_in_two_files_is_downloaded_once(tmp_path):
    (here,) = touch(tmp_path, "events.tsv")
    paths = [
        link(tmp_path / "a", key(5)),
        here,
        link(tmp_path / "b", key(5)),
        link(tmp_path / "c", key(5, "0" * 32)),
        link(tmp_path / "d", key(6)),
        link(tmp_path / "e", "URL--http&c%%example.org%e"),
    ]
    assert to_download(paths) == {
        key(5): 5,
        key(5, "0" * 32): 5,
        key(6): 6,
        "URL--http://example.org/e": 0,
    }


def test_images_are_bold_and_mask_of_every_run():
    first = RunFiles(
        Entities({"sub": "01"}), bold=Path("a_bold.nii.gz"), mask=Path("a_mask.nii.gz")
    )
    second = RunFiles(
        Entities({"sub": "02"}), bold=Path("b_bold.nii.gz"), events=Path("b_events.tsv")
    )
    assert images_of([first, RunFiles(Entities({"sub": "03"})), second]) == [
        Path("a_bold.nii.gz"),
        Path("a_mask.nii.gz"),
        Path("b_bold.nii.gz"),
    ]


def test_tables_are_all_but_the_images_and_each_comes_once(tmp_path):
    raw, prepared, func = tmp_path / "raw", tmp_path / "fmriprep", "sub-01/func"
    wanted = touch(
        raw,
        "dataset_description.json",
        "participants.tsv",
        "task-x_bold.json",
        "task-x_events.json",
        f"{func}/sub-01_task-x_run-2_events.json",
    )
    wanted.append(link(raw / "participants.json", key(90)))
    wanted += touch(prepared, "dataset_description.json")
    touch(raw, "README", "task-x_mask.json", "task-y_bold.json", "task-y_events.json")
    touch(prepared, "README", "task-x_events.json", f"{func}/sub-01_task-x_desc-confounds.tsv")
    runs = []
    for run in ("1", "2"):
        stem = f"{func}/sub-01_task-x_run-{run}"
        (events, _) = touch(raw, f"{stem}_events.tsv", f"{stem}_bold.nii.gz")
        bold, mask, _ = touch(
            prepared,
            f"{stem}_{MNI}_desc-preproc_bold.nii.gz",
            f"{stem}_{MNI}_desc-brain_mask.nii.gz",
            f"{stem}_space-T1w_desc-brain_mask.json",
        )
        sidecar, mask_sidecar, confounds, confounds_json = touch(
            prepared,
            f"{stem}_{MNI}_desc-preproc_bold.json",
            f"{stem}_{MNI}_desc-brain_mask.json",
            f"{stem}_desc-confounds_timeseries.tsv",
            f"{stem}_desc-confounds_timeseries.json",
        )
        entities = Entities({"sub": "01", "task": "x", "run": run})
        of_bold = [raw / "task-x_bold.json"]
        runs.append(
            RunFiles(entities, bold, mask, confounds, confounds_json, events, of_bold, [sidecar])
        )
        wanted += [events, sidecar, mask_sidecar, confounds, confounds_json]
    tables = tables_of(runs, raw, [tmp_path / "other", prepared])
    assert sorted(tables) == sorted(wanted)


def test_a_run_without_files_needs_no_tables_of_its_own(tmp_path):
    touch(tmp_path, "participants.tsv", "task-x_events.json")
    assert tables_of([RunFiles(Entities({"sub": "01"}))], tmp_path, []) == [
        tmp_path / "participants.tsv"
    ]
    assert tables_of([], tmp_path, []) == [tmp_path / "participants.tsv"]


def test_sidecars_of_any_file_are_listed_from_the_root_down(tmp_path):
    func = "sub-01/ses-1/func"
    wanted = touch(
        tmp_path,
        "events.json",
        "task-x_events.json",
        "sub-01/sub-01_task-x_events.json",
        f"{func}/sub-01_ses-1_task-x_run-1_events.json",
    )
    touch(
        tmp_path,
        "task-x_bold.json",
        "task-y_events.json",
        "task-x_dir-AP_events.json",
        "sub-01/ses-2/sub-01_ses-2_task-x_events.json",
        "sub-02/sub-02_task-x_events.json",
        f"{func}/sub-01_ses-1_task-x_run-2_events.json",
        f"{func}/sub-01_ses-1_task-x_run-01_events.tsv",
    )
    path = tmp_path / func / "sub-01_ses-1_task-x_run-01_events.tsv"
    assert find_sidecars(tmp_path, path) == wanted
    assert find_sidecars(tmp_path / "sub-01", path) == wanted[2:]


def test_a_file_without_a_name_of_the_standard_has_no_sidecars(tmp_path):
    touch(tmp_path, "README", "participants.json")
    assert find_sidecars(tmp_path, tmp_path / "README") == []


def test_what_git_annex_keeps_is_named_by_its_key(tmp_path):
    image = link(tmp_path / "bold.nii.gz", key(5))
    table = link(tmp_path / "confounds.tsv", key(6))
    keys = {image: key(5), table: key(6)}
    assert identities([image], [table], keys) == {str(image): key(5), str(table): key(6)}


def test_another_table_is_named_by_its_content(tmp_path):
    table = tmp_path / "events.tsv"
    table.write_bytes(b"onset\n")
    digest = hashlib.sha256(b"onset\n").hexdigest()
    assert identities([], [table], {}) == {str(table): digest}


def test_another_image_is_named_by_its_size_and_time(tmp_path):
    image = tmp_path / "bold.nii.gz"
    image.write_bytes(bytes(3))
    os.utime(image, ns=(5, 1_700_000_000_000_000_001))
    assert identities([image], [], {}) == {str(image): "3 1700000000000000001"}


def test_an_edited_table_has_another_name(tmp_path):
    table = tmp_path / "events.tsv"
    table.write_bytes(b"onset\n1\n")
    before = identities([], [table], {})
    table.write_bytes(b"onset\n2\n")
    assert identities([], [table], {}) != before
    table.write_bytes(b"onset\n1\n")
    assert identities([], [table], {}) == before

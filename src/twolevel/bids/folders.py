"""What is wrong with the folders given, rather than with the runs in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twolevel.bids.entities import parse_name
from twolevel.bids.wanted import PREPROCESSED
from twolevel.errors import Problem
from twolevel.files.annex import is_absent
from twolevel.files.sidecars import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

DEPTH = 2  # folders below the one given in which a dataset is looked for
SHOWN = 3
OLD_NAME = re.compile(r"_bold(_space-[A-Za-z0-9]+)?_(preproc|brainmask|confounds)\.")


def missing_folders(bids_dir: Path, derivatives: Sequence[Path]) -> list[Problem]:
    """Refuse folders that are not there or hold no subject; name those that may be meant."""
    problems = []
    if _has_no_subject(bids_dir) and not any(bids_dir.glob("*_events.tsv")):
        problems.append(
            Problem(
                str(bids_dir),
                _what_is_there(bids_dir),
                "the raw dataset, with folders sub-*",
                _instead("BIDS_DIR", _datasets_below(bids_dir))
                or "give the raw dataset as BIDS_DIR",
            )
        )
    elif _is_derivative(bids_dir):
        problems.append(
            Problem(
                str(bids_dir),
                "a derivative dataset (by its dataset_description.json) without any events",
                "the raw dataset, with sub-*/func/*_events.tsv",
                f"give the raw dataset as BIDS_DIR, and --derivatives {bids_dir}",
            )
        )
    for root in derivatives:
        if _has_no_subject(root):
            near = _datasets_below(root) if root.is_dir() else _datasets_below(root.parent)
            problems.append(
                Problem(
                    str(root),
                    _what_is_there(root),
                    "fMRIPrep derivatives, with folders sub-*",
                    _instead("--derivatives", near)
                    or "say where the fMRIPrep derivatives are: --derivatives PATH",
                )
            )
    return problems


def _has_no_subject(root: Path) -> bool:
    return not root.is_dir() or not any(path.is_dir() for path in root.glob("sub-*"))


def _what_is_there(root: Path) -> str:
    return "no folder sub-* in it" if root.is_dir() else "no such folder"


def _datasets_below(root: Path, depth: int = DEPTH) -> list[Path]:
    """List the folders below another that hold subjects."""
    if not root.is_dir() or depth == 0:
        return []
    found = []
    for folder in sorted(path for path in root.glob("[!.]*") if path.is_dir()):
        found += [folder] if not _has_no_subject(folder) else _datasets_below(folder, depth - 1)
    return found


def _instead(option: str, folders: Sequence[Path]) -> str:
    more = f", or another of {len(folders)}" if len(folders) > SHOWN else ""
    named = ", or ".join(f"{option} {folder}" for folder in folders[:SHOWN])
    return f"give the folder that holds them: {named}{more}" if folders else ""


def _is_derivative(root: Path) -> bool:
    description = root / "dataset_description.json"
    if not description.is_file() or is_absent(description):
        return False
    if read_json(description).get("DatasetType") != "derivative":
        return False
    return next(_files(root, "*_events.tsv"), None) is None


def _files(root: Path, pattern: str) -> Iterator[Path]:
    for place in ("", "sub-*/", "sub-*/func/", "sub-*/ses-*/", "sub-*/ses-*/func/"):
        yield from root.glob(place + pattern)


def no_images(derivatives: Iterable[Path], desc: str = PREPROCESSED) -> list[Problem]:
    """Say of each dataset why it holds no preprocessed image; nothing where one has some."""
    problems = []
    for root in derivatives:
        names = [path.name for path in _files(root, "*")]
        parsed = [name for name in map(parse_name, names) if name is not None]
        of_bold = [name for name in parsed if name.suffix in {"bold", "boldref"}]
        kinds = {n.entities.get("desc") for n in of_bold if n.suffix == "bold"}
        if desc in kinds:
            return []
        old = next((name for name in names if OLD_NAME.search(name)), None)
        expected = f"sub-*/func/*_desc-{desc}_bold.nii.gz"
        if old is not None:
            found = f"names of fMRIPrep before version 1.2, as {old}"
            remedy = "preprocess with a newer fMRIPrep: other tools no longer read these names"
        elif PREPROCESSED in kinds:
            found = "preprocessed images, none of them cleaned by ICA-AROMA"
            remedy = (
                "take another ConfoundStrategy than ica_aroma, or name aroma_motion_* in X; "
                "fMRIPrep before version 24 cleans with --use-aroma"
            )
        elif any(n.entities.get("desc") in {"coreg", "hmc"} for n in of_bold):
            found = "minimal derivatives: references and transforms, no preprocessed image"
            remedy = "run fMRIPrep with --level full"
        elif any(n.extension in {".dtseries.nii", ".func.gii"} for n in of_bold):
            found = "images on surfaces only"
            remedy = "run fMRIPrep with a volume among --output-spaces, as MNI152NLin2009cAsym"
        else:
            found = "no preprocessed BOLD image"
            remedy = "check --derivatives, and whether fMRIPrep came to its end"
        problems.append(Problem(str(root), found, expected, remedy))
    return problems

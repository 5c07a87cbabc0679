"""Names of confounds: as fMRIPrep writes them, and as it did before version 1.2."""

from __future__ import annotations

import re

OLD_NAMES = {
    "X": "trans_x",
    "Y": "trans_y",
    "Z": "trans_z",
    "RotX": "rot_x",
    "RotY": "rot_y",
    "RotZ": "rot_z",
    "CSF": "csf",
    "WhiteMatter": "white_matter",
    "GlobalSignal": "global_signal",
    "stdDVARS": "std_dvars",
    "non-stdDVARS": "dvars",
    "FramewiseDisplacement": "framewise_displacement",
}
OLD_NUMBERED = {
    "aCompCor": "a_comp_cor_",
    "tCompCor": "t_comp_cor_",
    "Cosine": "cosine",
    "NonSteadyStateOutlier": "non_steady_state_outlier",
    "AROMAAggrComp": "aroma_motion_",
}
NEW_NAMES = {new: old for old, new in OLD_NAMES.items()}
NEW_NUMBERED = {new: old for old, new in OLD_NUMBERED.items()}


def new_name(name: str) -> str:
    """Return the name of a column today; other names than those of old versions stay."""
    return _renamed(name, OLD_NAMES, OLD_NUMBERED) or name


def other_name(name: str) -> str | None:
    """Return what another version calls a column: the old name of a new one, or the new one."""
    old = _renamed(name, NEW_NAMES, NEW_NUMBERED)
    return old or _renamed(name, OLD_NAMES, OLD_NUMBERED)


def _renamed(name: str, names: dict[str, str], numbered: dict[str, str]) -> str | None:
    if name in names:
        return names[name]
    match = re.fullmatch(r"(.*?)(\d+)", name)
    return numbered[match[1]] + match[2] if match and match[1] in numbered else None

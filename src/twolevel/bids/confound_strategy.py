"""Confounds by a strategy of nilearn's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from twolevel.bids.confound_names import new_name
from twolevel.bids.wanted import BY_AROMA, PREPROCESSED
from twolevel.errors import InputError, Problem
from twolevel.files.tables import read_tsv, write_tsv
from twolevel.model.confound_options import OPTIONS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from twolevel.model.settings import RunSettings

STEM = "sub-1_task-t_desc-confounds_timeseries"


def image_of(settings: RunSettings) -> str:
    """Return the label of ``desc`` of the images that confounds by a strategy are for."""
    return BY_AROMA if settings.confound_strategy == "ica_aroma" else PREPROCESSED


def confounds_by_strategy(
    table: Path, metadata: Path | None, settings: RunSettings
) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    """Call nilearn's ``load_confounds_strategy`` on the confounds of fMRIPrep.

    Parameters
    ----------
    table : Path
    metadata : Path or None
        Its JSON; the strategy ``compcor`` needs it.
    settings : RunSettings
        They have a strategy, and what they say of its options.

    Returns
    -------
    regressors : pandas.DataFrame of shape (n_volumes, n_regressors)
    sample_mask : ndarray of shape (n_kept,), int, or None
        Indices of the volumes that stay; None where all do.

    Raises
    ------
    InputError
        The table lacks what the strategy takes.
    """
    # These imports take most of a second, and not every model has a strategy.
    from nilearn.interfaces.fmriprep import load_confounds_strategy  # noqa: PLC0415
    from nilearn.interfaces.fmriprep.load_confounds_utils import (  # noqa: PLC0415
        MissingConfoundError,
    )

    strategy = str(settings.confound_strategy)
    desc = image_of(settings)
    with tempfile.TemporaryDirectory() as folder:
        # It looks for files by name: lay them side by side for it.
        beside = Path(folder)
        _lay(table, beside / f"{STEM}.tsv")
        if metadata is not None:
            (beside / f"{STEM}.json").symlink_to(metadata.resolve())
        try:
            regressors, sample_mask = load_confounds_strategy(
                str(beside / f"sub-1_task-t_desc-{desc}_bold.nii.gz"),
                denoise_strategy=strategy,
                **_options(settings, strategy),
            )
        except (
            ValueError, KeyError, TypeError, RecursionError, MissingConfoundError
        ) as error:  # fmt: skip
            text = str(error).replace(str(beside / STEM), "")
            raise InputError(
                Problem(
                    f"confounds: {table}",
                    " ".join(text.split()),
                    f'the columns that the strategy "{strategy}" takes, as numbers',
                    'choose another strategy, or fewer columns (Motion "basic"), or name the '
                    "confounds in the model's X",
                )
            ) from error
    if settings.demean:
        regressors -= (regressors if sample_mask is None else regressors.iloc[sample_mask]).mean()
    return regressors, sample_mask


def _lay(table: Path, place: Path) -> None:
    """Put a table where nilearn finds it; under the names of today if it has those of old."""
    columns = read_tsv(table)
    renamed = columns.rename(columns=new_name)
    if list(renamed) == list(columns):
        place.symlink_to(table.resolve())
    else:  # nilearn refuses a table with any old name, also of what there is no more
        write_tsv(place, renamed[[c for c in renamed if str(c).islower()]])


def _options(settings: RunSettings, strategy: str) -> dict[str, object]:
    """Collect the options of a strategy as nilearn names them; what is None is its own to say."""
    options = {name: getattr(settings, name) for name in OPTIONS[strategy]}
    if strategy == "scrubbing":
        options["fd_threshold"] = settings.fd_threshold
        options["std_dvars_threshold"] = settings.dvars_threshold
    options["demean"] = False  # sklearn, which nilearn calls, warns of large values
    return {name: value for name, value in options.items() if value is not None}

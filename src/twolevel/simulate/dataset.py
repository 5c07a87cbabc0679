"""The whole data set: subjects, runs, files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.files.nifti import write_image
from twolevel.files.sidecars import write_json
from twolevel.files.tables import write_tsv
from twolevel.simulate.anatomy import Anatomy, build_anatomy, draw_mask, smooth_field
from twolevel.simulate.bold import (
    simulate_baseline,
    simulate_bold,
    task_regressors,
    task_signal,
)
from twolevel.simulate.confounds import build_confounds
from twolevel.simulate.events import format_events, simulate_events
from twolevel.simulate.layout import (
    FMRIPREP,
    SPACE,
    TASK,
    TASK_NAME,
    resolution_text,
    write_descriptions,
    write_participants,
    write_truth,
)
from twolevel.simulate.motion import simulate_motion
from twolevel.simulate.settings import Settings, check_settings
from twolevel.simulate.truth import draw_amplitudes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from numpy.typing import NDArray


def simulate_dataset(
    output_dir: Path | str,
    *,
    n_subjects: int = 8,
    n_runs: int = 3,
    voxel_size_mm: float = 4.0,
    n_volumes: int = 150,
    repetition_time: float = 2.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a synthetic BIDS data set, its derivatives in fMRIPrep layout, and the truth.

    The same arguments give the same bytes. A subject depends on the seed and on its own number,
    not on how many others there are; a run likewise. Fewer volumes than about 40 leave the
    ``simple`` confounds (about 30 columns) no degrees of freedom.

    Parameters
    ----------
    output_dir : Path or str
        New or empty directory.
    n_subjects, n_runs : int
        Subjects, and runs of each.
    voxel_size_mm : float
        Edge of the voxels, mm (2 to 6).
    n_volumes : int
        Volumes of a run, 30 or more.
    repetition_time : float
        Seconds between volumes.
    seed : int
        Fixes every random number.
    progress : callable, optional
        Called with the number of runs done and of all runs, after each run.

    Returns
    -------
    Path
        The data set's root; the derivatives lie in ``derivatives/fmriprep``, the truth in
        ``derivatives/truth``.

    Raises
    ------
    InputError
        An argument is out of its range, or the directory is not empty.
    """
    root = Path(output_dir)
    settings = Settings(n_subjects, n_runs, voxel_size_mm, n_volumes, repetition_time, seed)
    check_settings(settings, root)
    anatomy = build_anatomy(float(voxel_size_mm))
    write_descriptions(root, float(repetition_time))
    write_truth(root, anatomy)
    participants = []
    for subject in range(1, n_subjects + 1):
        rng, run_rngs = _streams(settings, subject)
        participants.append(_participant(rng, subject))
        runs = _simulate_runs(anatomy, settings, rng, run_rngs)
        for run, content in enumerate(runs, start=1):
            _write_run(root, anatomy, settings, f"sub-{subject:02d}", run, content)
            if progress is not None:
                progress((subject - 1) * n_runs + run, n_subjects * n_runs)
    write_participants(root, participants)
    return root


@dataclass(frozen=True)
class Run:
    """What is written of one run.

    Attributes
    ----------
    events : pandas.DataFrame
        Columns of the events file, as numbers.
    bold : ndarray of shape (n_volumes, n_support), int16
        Signal in scanner units.
    mask : ndarray of shape (x, y, z), bool
        The run's brain mask.
    confounds : pandas.DataFrame
        One row per volume.
    components : dict
        Sidecar of the confounds.
    """

    events: pd.DataFrame
    bold: NDArray[np.int16]
    mask: NDArray[np.bool_]
    confounds: pd.DataFrame
    components: dict[str, Any]


def _streams(
    settings: Settings, subject: int
) -> tuple[np.random.Generator, list[np.random.Generator]]:
    """Return the stream of a subject and of each of its runs; each depends on its own key only."""
    rngs = [
        np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(subject, run)))
        for run in range(settings.n_runs + 1)
    ]
    return rngs[0], rngs[1:]


def _participant(rng: np.random.Generator, subject: int) -> dict[str, Any]:
    return {
        "participant_id": f"sub-{subject:02d}",
        "sex": str(rng.choice(["F", "M"])),
        "age": int(rng.integers(19, 31)),
    }


def _simulate_runs(
    anatomy: Anatomy,
    settings: Settings,
    rng: np.random.Generator,
    run_rngs: list[np.random.Generator],
) -> Iterator[Run]:
    """Simulate the runs of one subject, one after the other."""
    baseline = simulate_baseline(anatomy, rng)
    border = smooth_field(rng, anatomy)
    amplitudes = draw_amplitudes(rng, run_rngs)
    n_volumes, repetition_time = settings.n_volumes, settings.repetition_time
    for run, run_rng in enumerate(run_rngs):
        # the real task outlasts the scan in about half of the runs; here always in the first one
        late = int(run_rng.integers(2, 4)) * (run == 0 or run_rng.random() < 0.5)
        events = simulate_events(run_rng, settings.scan_duration, n_late=late)
        motion = simulate_motion(run_rng, n_volumes)
        mask = draw_mask(anatomy, border, run_rng)
        regressors = task_regressors(events, n_volumes, repetition_time)
        task = task_signal(amplitudes[run], regressors)
        bold = simulate_bold(anatomy, baseline, task, motion, repetition_time, run_rng)
        confounds, components = build_confounds(
            bold, mask[anatomy.support], anatomy, motion, repetition_time
        )
        yield Run(events, bold, mask, confounds, components)


def _write_run(
    root: Path, anatomy: Anatomy, settings: Settings, subject: str, run: int, content: Run
) -> None:
    # as in ds000001: run-01 in the raw data, run-1 in its derivatives
    raw = root / subject / "func" / f"{subject}_task-{TASK}_run-{run:02d}"
    write_tsv(f"{raw}_events.tsv", format_events(content.events))
    placeholder = np.full((2, 2, 2, settings.n_volumes), 1000, dtype=np.int16)
    repetition_time = float(settings.repetition_time)
    write_image(f"{raw}_bold.nii.gz", placeholder, anatomy.affine, repetition_time=repetition_time)
    derived = root / FMRIPREP / subject / "func" / f"{subject}_task-{TASK}_run-{run}"
    write_tsv(f"{derived}_desc-confounds_timeseries.tsv", content.confounds)
    write_json(f"{derived}_desc-confounds_timeseries.json", content.components)
    source = f"{raw.relative_to(root).as_posix()}_bold.nii.gz"
    resolution = resolution_text(anatomy.voxel_size_mm)
    write_image(f"{derived}_{SPACE}_desc-brain_mask.nii.gz", content.mask, anatomy.affine)
    write_json(
        f"{derived}_{SPACE}_desc-brain_mask.json",
        {
            "Description": "Brain of this run; its border differs from run to run",
            "RawSources": [source],
            "Sources": [f"bids:raw:{source}"],
            "Type": "Brain",
            "Resolution": resolution,
        },
    )
    write_image(
        f"{derived}_{SPACE}_desc-preproc_bold.nii.gz",
        _volumes(content.bold, anatomy.support),
        anatomy.affine,
        repetition_time=repetition_time,
    )
    write_json(
        f"{derived}_{SPACE}_desc-preproc_bold.json",
        {
            "Description": "Simulated BOLD series, 0 outside the brain",
            "Sources": [f"bids:raw:{source}"],
            "RepetitionTime": repetition_time,
            "SkullStripped": True,
            "SliceTimingCorrected": False,
            "TaskName": TASK_NAME,
            "Resolution": resolution,
        },
    )


def _volumes(bold: NDArray[np.int16], support: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Put the series (n_volumes, n_support) into a 4-D image that is 0 outside the support."""
    image = np.zeros((*support.shape, len(bold)), dtype=np.int16, order="F")
    for volume, values in enumerate(bold):
        image[..., volume][support] = values
    return image

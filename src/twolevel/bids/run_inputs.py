"""What one run contributes to the analysis: its description, its files, its timing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.bids.entities import RUN_ENTITIES, Entities
from twolevel.errors import InputError, Problem
from twolevel.files.annex import is_absent, real_path
from twolevel.files.nifti import read_header
from twolevel.files.sidecars import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.runs import RunFiles

HIGHEST = 1e12  # no number of seconds is larger, and every int below it is a float
SHOWN = 60  # characters
TOLERANCE_S = 1e-3
SPARE_S = 1e-6  # 1.501 - 1.5 is more than 0.001 in binary numbers
LONGEST_S = 100.0  # no scan of a brain takes as long: such numbers are milliseconds
STATED, ASSUMED, UNKNOWN = "stated", "assumed", "unknown"
START_TIMES = {
    STATED: "the sidecar of the image",
    ASSUMED: "half a repetition time, fMRIPrep's default reference: slice timing was corrected "
    "and no StartTime is stated",
    UNKNOWN: "0: neither a StartTime is stated nor that slice timing was corrected",
}


@dataclass(frozen=True)
class RunSpec:
    """A run, without its files.

    Attributes
    ----------
    entities : Entities
        Of the names of its outputs.
    repetition_time, start_time : float
        Seconds.
    sources : tuple of str
        BIDS URIs of the files it is computed from.
    start_time_from : str
        What the start time comes from: a key of `START_TIMES`.
    """

    entities: Entities
    repetition_time: float
    start_time: float
    n_volumes: int
    sources: tuple[str, ...]
    start_time_from: str = STATED

    @property
    def name(self) -> str:
        """The run in words: ``sub-01 run-1``."""
        keys = [key for key in ("sub", *RUN_ENTITIES) if key != "task"]
        return self.entities.in_words(keys)


@dataclass(frozen=True)
class RunInputs:
    """A run with its files.

    Attributes
    ----------
    files : dict of str to Path
        ``bold``, ``mask``, ``events`` and, where the model takes them, those of
        `RunFiles.confound_files`; links followed to their content.
    """

    spec: RunSpec
    files: dict[str, Path]


def dataset_links(bids_dir: Path, derivatives: Sequence[Path]) -> dict[str, Path]:
    """Name the datasets of BIDS URIs: ``raw``, and derivatives by the name of their folder."""
    links = {"raw": bids_dir}
    for root in derivatives:
        name = "".join(c for c in root.name if c.isalnum()) or "derivatives"
        number = 2
        unique = name
        while unique in links:
            unique, number = f"{name}{number}", number + 1
        links[unique] = root
    return links


def source_uri(path: Path, links: Mapping[str, Path]) -> str:
    """Write the BIDS URI of a file by the innermost dataset around it: ``bids:raw:sub-01/...``."""
    holding = [(name, root) for name, root in links.items() if root in path.parents]
    name, root = max(holding, key=lambda item: len(item[1].parts))
    return f"bids:{name}:{path.relative_to(root).as_posix()}"


def read_timing(files: RunFiles) -> tuple[float, float]:
    """Read repetition time and start time of a run from its sidecars.

    Returns
    -------
    repetition_time, start_time : float
        Seconds. Where no sidecar of the derivatives states the start time, it is 0, or half a
        repetition time if slice timing was corrected: see `start_time_source`.

    Raises
    ------
    InputError
        No sidecar states the repetition time, two sources disagree, or the volumes are not
        equally spaced in time.
    """
    _refuse_volume_timing(files)
    repetition_time = _repetition_time(files)
    start_time = repetition_time / 2 if start_time_source(files) == ASSUMED else 0.0
    for path in files.derivative_sidecars:
        if "StartTime" in (content := read_json(path)):
            start_time = _seconds(content["StartTime"], "StartTime", path)
    return repetition_time, start_time


def _repetition_time(files: RunFiles) -> float:
    """Return the repetition time on which sidecars and header agree."""
    where = f"repetition time of {files.name}"
    raw, prepared = _stated(files.raw_sidecars), _stated(files.derivative_sidecars)
    stated = [s for s in (raw, prepared) if s is not None]
    if not stated:
        raise InputError(
            Problem(
                where,
                "no sidecar with RepetitionTime",
                "RepetitionTime in seconds in a "
                "*_bold.json of the raw dataset or of the derivatives",
                "write it into a *_bold.json at the root of the raw dataset, for example",
            )
        )
    if impossible := [(v, path) for v, path in stated if not 0 < v < LONGEST_S]:
        in_ms = any(value >= LONGEST_S for value, _ in impossible)
        raise InputError(
            Problem(
                where,
                "; ".join(f"{value:g} s in {path}" for value, path in impossible),
                f"seconds, more than 0 and less than {LONGEST_S:g}",
                f"write {impossible[-1][0] / 1000:g}, if these are milliseconds"
                if in_ms
                else "correct it",
            )
        )
    repetition_time, _ = stated[-1]
    if (in_header := _in_header(files)) is not None:
        stated.append((in_header, f"the header of {files.bold}"))
    difference = max(s[0] for s in stated) - min(s[0] for s in stated)
    if difference > TOLERANCE_S + SPARE_S:
        listed = "; ".join(f"{value:g} s in {path}" for value, path in stated)
        raise InputError(
            Problem(
                where,
                listed,
                f"statements that agree within {TOLERANCE_S:g} s",
                "find out which is right and correct the others",
            )
        )
    return repetition_time


def start_time_source(files: RunFiles) -> str:
    """Say what the start time of a run comes from: `STATED`, `ASSUMED` or `UNKNOWN`.

    fMRIPrep shifts slices to the middle of the repetition time unless told otherwise, and older
    versions of it do not say so in StartTime.
    """
    contents = {path: read_json(path) for path in files.derivative_sidecars}
    if any("StartTime" in content for content in contents.values()):
        return STATED
    corrected: object = None
    for path, content in contents.items():
        corrected = content.get("SliceTimingCorrected", corrected)
        if corrected not in (None, True, False):
            raise InputError(
                Problem(
                    f"{path}: SliceTimingCorrected",
                    repr(corrected),
                    "true or false",
                    "correct the sidecar",
                )
            )
    return ASSUMED if corrected else UNKNOWN


def _refuse_volume_timing(files: RunFiles) -> None:
    """Refuse runs whose volumes have times of their own."""
    stating = [
        str(path)
        for path in (*files.raw_sidecars, *files.derivative_sidecars)
        if "VolumeTiming" in read_json(path)
    ]
    if stating:
        raise InputError(
            Problem(
                f"timing of {files.name}",
                f"VolumeTiming, a time for each volume, in {', '.join(stating)}",
                "volumes at equal distances in time",
                "leave the run out: sparse and irregular acquisitions are not modelled",
            )
        )


def _in_header(files: RunFiles) -> float | None:
    """Return the repetition time that the image's header states, if it states any."""
    if files.bold is None or is_absent(files.bold):
        return None
    header = read_header(files.bold)
    value = header.repetition_time or 0.0
    if value >= LONGEST_S and not header.time_unit_is_known:
        value /= 1000
    # Converters leave 0 or 1 where they do not know; anything else is a statement.
    return None if value in {0.0, 1.0} else value


def _stated(sidecars: Sequence[Path]) -> tuple[float, str] | None:
    """Return the repetition time and the sidecar that states it, the last one that does."""
    for path in reversed(sidecars):
        if "RepetitionTime" in (content := read_json(path)):
            return _seconds(content["RepetitionTime"], "RepetitionTime", path), str(path)
    return None


def _seconds(value: object, key: str, path: Path) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < HIGHEST:
        return float(value)
    raise InputError(
        Problem(
            f"{path}: {key}", repr(value)[:SHOWN], "a number of seconds", "correct the sidecar"
        )
    )


def output_entities(files: RunFiles, downsample: int) -> Entities:
    """Return the entities of the names of a run's outputs; down-sampling changes ``res``."""
    if downsample == 1:
        return files.entities
    return files.entities.with_(res=f"{files.entities.get('res', '')}down{downsample}")


def gather(
    files: RunFiles,
    repetition_time: float,
    start_time: float,
    links: Mapping[str, Path],
    *,
    confounds: bool,
    downsample: int,
) -> RunInputs:
    """Describe a run whose files have passed the checks: nothing that the model needs is missing.

    Times are in seconds; down-sampling changes ``res`` in the names of outputs.
    """
    own = {"bold": files.bold, "mask": files.mask, "events": files.events}
    there = {kind: path for kind, path in own.items() if path is not None}
    there |= files.confound_files if confounds else {}
    sidecars = [*files.raw_sidecars, *files.derivative_sidecars]
    spec = RunSpec(
        entities=output_entities(files, downsample),
        repetition_time=repetition_time,
        start_time=start_time,
        n_volumes=read_header(there["bold"]).shape[3],
        sources=tuple(source_uri(path, links) for path in (*there.values(), *sidecars)),
        start_time_from=start_time_source(files),
    )
    return RunInputs(spec, {kind: real_path(path) for kind, path in there.items()})

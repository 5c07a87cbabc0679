"""What one run contributes to the analysis: its description, its files, its timing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.bids.annex import is_absent, real_path
from twolevel.bids.images import read_header
from twolevel.bids.sidecars import read_json
from twolevel.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.layout import RunFiles

__all__ = [
    "RunInputs",
    "RunSpec",
    "dataset_links",
    "gather",
    "output_entities",
    "read_timing",
    "source_uri",
]

HIGHEST = 1e12  # no number of seconds is larger, and every int below it is a float
SHOWN = 60  # characters
TOLERANCE_S = 1e-3


@dataclass(frozen=True)
class RunSpec:
    """A run, without its files.

    Attributes
    ----------
    entities : tuple of (str, str)
        Of the names of its outputs.
    repetition_time, start_time : float
        Seconds.
    n_volumes : int
    sources : tuple of str
        BIDS URIs of the files it is computed from.
    """

    entities: tuple[tuple[str, str], ...]
    repetition_time: float
    start_time: float
    n_volumes: int
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """The run in words: ``sub-01 run-1``."""
        keys = ("sub", "ses", "run")
        return " ".join(f"{k}-{v}" for k, v in self.entities if k in keys)


@dataclass(frozen=True)
class RunInputs:
    """A run with its files.

    Attributes
    ----------
    spec : RunSpec
    files : dict of str to Path
        ``bold``, ``mask``, ``events`` and, where the model takes them, ``confounds`` and
        ``confounds_json``; links followed to their content.
    """

    spec: RunSpec
    files: dict[str, Path]


def dataset_links(bids_dir: Path, derivatives: Sequence[Path]) -> dict[str, Path]:
    """Name the datasets that BIDS URIs refer to.

    Parameters
    ----------
    bids_dir : Path
    derivatives : sequence of Path

    Returns
    -------
    dict of str to Path
        ``raw``, and each derivative dataset under the name of its folder.
    """
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
    """Write the BIDS URI of a file.

    Parameters
    ----------
    path : Path
    links : mapping of str to Path
        See `dataset_links`.

    Returns
    -------
    str
        ``bids:raw:sub-01/func/...``: the innermost dataset that holds the file.
    """
    holding = [(name, root) for name, root in links.items() if root in path.parents]
    name, root = max(holding, key=lambda item: len(item[1].parts))
    return f"bids:{name}:{path.relative_to(root).as_posix()}"


def read_timing(files: RunFiles) -> tuple[float, float]:
    """Read repetition time and start time of a run from its sidecars.

    Parameters
    ----------
    files : RunFiles

    Returns
    -------
    repetition_time, start_time : float
        Seconds. The start time is 0 where no sidecar of the derivatives states it.

    Raises
    ------
    InputError
        No sidecar states the repetition time, or two sources disagree.
    """
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
    repetition_time, source = stated[-1]
    here = files.bold is not None and not is_absent(files.bold)
    in_header = read_header(files.bold).repetition_time if files.bold and here else None
    # Converters leave 0 or 1 where they do not know; anything else is a statement.
    if in_header is not None and in_header != 1.0:
        stated.append((in_header, f"the header of {files.bold}"))
    if max(s[0] for s in stated) - min(s[0] for s in stated) > TOLERANCE_S:
        listed = "; ".join(f"{value:g} s in {path}" for value, path in stated)
        raise InputError(
            Problem(
                where,
                listed,
                f"statements that agree within {TOLERANCE_S:g} s",
                "find out which is right and correct the others",
            )
        )
    if repetition_time <= 0:
        raise InputError(
            Problem(
                where, f"{repetition_time:g} s in {source}", "seconds, more than 0", "correct it"
            )
        )
    start_time = 0.0
    for path in files.derivative_sidecars:
        if "StartTime" in (content := read_json(path)):
            start_time = _seconds(content["StartTime"], "StartTime", path)
    return repetition_time, start_time


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


def output_entities(files: RunFiles, downsample: int) -> dict[str, str]:
    """Return the entities of the names of a run's outputs.

    Parameters
    ----------
    files : RunFiles
    downsample : int
        Changes ``res``.

    Returns
    -------
    dict of str to str
    """
    entities = dict(files.entities)
    if downsample > 1:
        entities["res"] = f"{entities.get('res', '')}down{downsample}"
    return entities


def gather(
    files: RunFiles,
    repetition_time: float,
    start_time: float,
    links: Mapping[str, Path],
    *,
    confounds: bool,
    downsample: int,
) -> RunInputs:
    """Describe a run whose files have passed the checks.

    Parameters
    ----------
    files : RunFiles
        Nothing that the model needs is missing.
    repetition_time, start_time : float
        Seconds.
    links : mapping of str to Path
        See `dataset_links`.
    confounds : bool
        Whether the model takes confounds.
    downsample : int
        Changes ``res`` in the names of outputs.

    Returns
    -------
    RunInputs
    """
    kinds = ["bold", "mask", "events", *(["confounds", "confounds_json"] if confounds else [])]
    there = {kind: path for kind in kinds if (path := getattr(files, kind)) is not None}
    entities = output_entities(files, downsample)
    sidecars = [*files.raw_sidecars, *files.derivative_sidecars]
    spec = RunSpec(
        entities=tuple(entities.items()),
        repetition_time=repetition_time,
        start_time=start_time,
        n_volumes=read_header(there["bold"]).shape[3],
        sources=tuple(source_uri(path, links) for path in (*there.values(), *sidecars)),
    )
    return RunInputs(spec, {kind: real_path(path) for kind, path in there.items()})

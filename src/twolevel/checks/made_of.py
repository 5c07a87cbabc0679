"""That maps were made as they are asked for: by this version, with these settings, of one grid."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from twolevel.bids.entities import is_common_space
from twolevel.checks.output import selection_in_words
from twolevel.errors import Problem
from twolevel.files.nifti import read_header
from twolevel.files.sidecars import read_json, sidecar_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twolevel.bids.entities import Entities
    from twolevel.files.nifti import ImageHeader
    from twolevel.model.nodes import StatsModel


def check_maps(
    maps: Mapping[str, Sequence[Path]], first: Path, model: StatsModel, digests: Sequence[str]
) -> list[Problem]:
    """Refuse maps that the nodes of a model did not make, or that lie on another grid.

    Parameters
    ----------
    maps : mapping of str to sequence of Path
        By subject.
    first : Path
        The one whose grid, and whose derivatives where none are asked for, the others must have.
    digests : sequence of str
        Of the nodes over the maps of participants.

    Returns
    -------
    list of Problem
        The first one of each subject, with the number of the others.
    """
    reference, asked = read_header(first), model.scope.record
    if not asked["Derivatives"]:  # then those of the first subject are those of all
        asked["Derivatives"] = made_of(first).get("derivatives", [])
    problems = []
    for paths in maps.values():
        own = [_check_map(path, asked, model, digests, first, reference) for path in paths]
        wrong = [problem for problem in own if problem is not None]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            problems.append(replace(wrong[0], where=f"{wrong[0].where}{more}"))
    return problems


def _check_map(
    path: Path,
    asked: Mapping[str, Any],
    model: StatsModel,
    digests: Sequence[str],
    first: Path,
    reference: ImageHeader,
) -> Problem | None:
    """Say in what a map differs from what is asked for."""
    made = made_of(path)
    if not made:
        return Problem(
            str(path),
            "no sidecar, or one without Software, Model and Selection",
            "the JSON file that twolevel wrote beside it",
            "run the participant level again for this subject",
        )
    differences = []
    if made["version"] != version("twolevel"):
        there = f"made by twolevel {made['version']}"
        differences.append((there, f"twolevel {version('twolevel')}"))
    if made["digest"] not in digests:
        there = (
            f'made with other settings of model "{made["model"]}" '
            f"(digest {made['digest']}{made['smoothing']})"
        )
        now = ", ".join(digests)
        differences.append((there, f'those of model "{model.name}" now (digest {now})'))
    if not is_same_selection(made["selection"], asked):
        there = f"made of {selection_in_words(made['selection'])}"
        differences.append((there, f"maps of {selection_in_words(asked)}"))
    header = read_header(path)
    if header.shape != reference.shape or not header.grid.matches(reference.grid):
        there = f"grid {header.shape}, origin {header.affine[:3, 3].round(3).tolist()}"
        differences.append((there, f"that of {first.name}: {reference.shape}"))
    if not differences:
        return None
    return Problem(
        str(path),
        "; ".join(found for found, _ in differences),
        "; ".join(expected for _, expected in differences),
        "run the participant level again for this subject with these options",
    )


def made_of(path: Path) -> dict[str, Any]:
    """Return what the sidecar of a map says of its making; nothing where it is not one of ours."""
    beside = sidecar_of(path)
    sidecar = read_json(beside) if beside.is_file() else {}
    try:
        selection = {
            "Asked": dict(sidecar["Selection"]["Asked"]),
            "Derivatives": list(sidecar["Selection"]["Derivatives"]),
        }
        smoothing = sidecar.get("SmoothingFWHM")
        return {
            "version": str(sidecar["Software"]["Version"]),
            "model": str(sidecar["Model"]["Name"]),
            "level": str(sidecar["Model"]["Level"]),
            "n_runs": int(sidecar.get("NumberOfRuns", 1)),
            "digest": str(sidecar["Model"]["Digest"]),
            "smoothing": "" if smoothing is None else f", smoothing {float(smoothing):g} mm",
            "selection": selection,
            "derivatives": selection["Derivatives"],
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def is_same_selection(made_of: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Tell whether something was made of what is asked for.

    A task that is not asked for is chosen by the names; derivatives that are not known may be any.
    """
    there, wanted = dict(made_of.get("Asked", {})), dict(asked["Asked"])
    if "task" not in wanted:
        there.pop("task", None)
    same = not asked["Derivatives"] or made_of.get("Derivatives") == asked["Derivatives"]
    return same and there == wanted


def check_space(names: Sequence[Entities], *, without_space: bool) -> list[Problem]:
    """Refuse maps that lie in the space of single heads."""
    spaces = {
        entities.get("space", "")
        for entities in names
        if not is_common_space(entities) and not (without_space and "space" not in entities)
    }
    return [
        Problem(
            "group",
            f"maps in the space {space} of single heads" if space else "maps without a space",
            "maps in a common space, as MNI152NLin2009cAsym",
            "analyse images in a template's space (--space)"
            + ("" if space else ", or give --space none if all heads are in one space"),
        )
        for space in sorted(spaces)
    ]

"""Relabeling the subjects of one contrast, for all tests that need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fileformats.generic import Directory
from pydra.compose import python

from twolevel.errors import AnalysisError
from twolevel.files.checkpoint import Checkpoint
from twolevel.model.nodes import ContrastName
from twolevel.model.settings import GroupSettings
from twolevel.stats.inference.permutation_fwe import STATISTIC_OF
from twolevel.stats.permute.loop import permute_group
from twolevel.stats.permute.model import make_permutation_model
from twolevel.stats.permute.settings import STATISTICS, PermutationSettings
from twolevel.tasks.design_maps import weights_of
from twolevel.tasks.handoff import load_rows, save_permuted
from twolevel.tasks.resources import allowed, unfinished_folder

BY_PERMUTATION = {*STATISTIC_OF, "permutationFDR"}
"""Tests that need relabelings."""


@dataclass(frozen=True)
class PermutationSpec:
    """What the relabelings depend on, of all settings of the group.

    Attributes
    ----------
    settings : PermutationSettings
        Without any statistic where no test needs relabelings.
    """

    settings: PermutationSettings
    n_perm: int
    seed: int


def permutation_spec(group: GroupSettings, seed: int) -> PermutationSpec:
    """Cut what relabelings depend on from the settings of the group.

    Another error rate, say, then leaves them valid.
    """
    tests = {test.test for test in group.tests} & BY_PERMUTATION
    wanted = {STATISTIC_OF.get(test, "voxel") for test in tests} | ({"voxel"} if tests else set())
    settings = PermutationSettings(
        sides=group.sides,
        statistics=tuple(name for name in STATISTICS if name in wanted),
        cluster_forming_p=group.cluster_forming_p,
        connectivity=group.connectivity,
        extent_power=group.tfce_extent_power,
        height_power=group.tfce_height_power,
    )
    return PermutationSpec(settings, group.n_perm, seed)


def permute_group_files(
    spec: PermutationSpec, contrast: ContrastName, data: Path, folder: Path, key: str
) -> Path:
    """Relabel the subjects, whose maps `stack_rows` wrote, and save what that tells.

    The folder stays empty where no test needs relabelings; the unfinished state is kept under the
    key of this computation.
    """
    if not spec.settings.statistics:
        folder.mkdir(parents=True)
        return folder
    maps, mask, design = load_rows(data)
    if (weights := weights_of(design, contrast)) is None:
        raise AnalysisError(f'contrast "{contrast.name}": the design does not determine it')
    model = make_permutation_model(
        design.matrix,
        weights,
        scheme=design.exchange.scheme,
        n_perm=spec.n_perm,
        seed=spec.seed,
    )
    unfinished = unfinished_folder()
    checkpoint = Checkpoint(unfinished, key, contrast.label) if unfinished else None
    permuted = permute_group(
        maps,
        mask,
        model,
        spec.settings,
        resources=allowed(),
        state=checkpoint.load() if checkpoint else None,
        after_block=checkpoint.save if checkpoint else None,
    )
    save_permuted(folder, permuted)
    if checkpoint:
        checkpoint.remove()
    return folder


@python.define(outputs={"out": Directory})
def PermuteGroup(spec: PermutationSpec, contrast: ContrastName, data: Directory, software: str):
    """Relabel the subjects of one contrast."""
    # The folder's name is the digest of the inputs, the same when an interrupted run goes on.
    here = Path.cwd()
    return permute_group_files(spec, contrast, Path(data), here / "out", here.name)

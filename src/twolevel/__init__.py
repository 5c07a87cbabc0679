"""Task fMRI from runs to a group: which brain regions respond, and how sure we are.

The stages as plain functions, usable without the command line and without the workflow engine::

    data = twolevel.read_run(bold, mask, smoothing_fwhm_mm=5)
    design = twolevel.make_design_matrix(events, frame_times, high_pass_hz=1 / 128)
    fit = twolevel.fit_run(data.data, design, {"faces": "face - house"}, percent=True)
    subject = twolevel.combine_runs([fit.estimates["faces"], ...])
    group = twolevel.GroupContrast(twolevel.fit_group(maps), mask)
    result = twolevel.height_control(group, method="fdr")
    relabeled = twolevel.make_permutation_model(design, contrast, n_perm=5000)
    permuted = twolevel.permute_group(maps, mask, relabeled)
    result = twolevel.permutation_fwe(permuted, test="tfceFWE")

Everything is imported when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twolevel.bids.confounds import read_confounds
    from twolevel.bids.events import events_within_scan, read_events
    from twolevel.bids.run_data import read_run
    from twolevel.model.read import read_model
    from twolevel.report.view import ViewerPage, view
    from twolevel.simulate import simulate_dataset
    from twolevel.stats.cluster_table import cluster_table
    from twolevel.stats.design import frame_times_of, make_design_matrix
    from twolevel.stats.estimates import ContrastEstimate, p_from_t, z_from_t
    from twolevel.stats.fixed_effects import combine_runs
    from twolevel.stats.group_fit import fit_group
    from twolevel.stats.inference.cluster_extent import cluster_extent
    from twolevel.stats.inference.height_control import height_control
    from twolevel.stats.inference.parametric_fwe import parametric_fwe
    from twolevel.stats.inference.permutation_fdr import permutation_fdr
    from twolevel.stats.inference.permutation_fwe import permutation_fwe
    from twolevel.stats.inference.result import GroupContrast, GroupTest
    from twolevel.stats.permutation import PermutationSettings, Permuted, permute_group
    from twolevel.stats.permutation_model import PermutationModel, make_permutation_model
    from twolevel.stats.run_fit import RunFit, fit_run, percent_signal_change

__all__ = [
    "ContrastEstimate",
    "GroupContrast",
    "GroupTest",
    "PermutationModel",
    "PermutationSettings",
    "Permuted",
    "RunFit",
    "ViewerPage",
    "cluster_extent",
    "cluster_table",
    "combine_runs",
    "events_within_scan",
    "fit_group",
    "fit_run",
    "frame_times_of",
    "height_control",
    "make_design_matrix",
    "make_permutation_model",
    "p_from_t",
    "parametric_fwe",
    "percent_signal_change",
    "permutation_fdr",
    "permutation_fwe",
    "permute_group",
    "read_confounds",
    "read_events",
    "read_model",
    "read_run",
    "simulate_dataset",
    "view",
    "z_from_t",
]

_HOMES = {
    "twolevel.bids.confounds": ("read_confounds",),
    "twolevel.bids.events": ("events_within_scan", "read_events"),
    "twolevel.bids.run_data": ("read_run",),
    "twolevel.model.read": ("read_model",),
    "twolevel.simulate": ("simulate_dataset",),
    "twolevel.stats.cluster_table": ("cluster_table",),
    "twolevel.stats.design": ("frame_times_of", "make_design_matrix"),
    "twolevel.stats.estimates": ("ContrastEstimate", "p_from_t", "z_from_t"),
    "twolevel.stats.fixed_effects": ("combine_runs",),
    "twolevel.stats.group_fit": ("fit_group",),
    "twolevel.stats.inference.cluster_extent": ("cluster_extent",),
    "twolevel.stats.inference.height_control": ("height_control",),
    "twolevel.stats.inference.parametric_fwe": ("parametric_fwe",),
    "twolevel.stats.inference.permutation_fdr": ("permutation_fdr",),
    "twolevel.stats.inference.permutation_fwe": ("permutation_fwe",),
    "twolevel.stats.inference.result": ("GroupContrast", "GroupTest"),
    "twolevel.stats.permutation": ("Permuted", "PermutationSettings", "permute_group"),
    "twolevel.stats.permutation_model": ("PermutationModel", "make_permutation_model"),
    "twolevel.report.view": ("ViewerPage", "view"),
    "twolevel.stats.run_fit": ("RunFit", "fit_run", "percent_signal_change"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'twolevel' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__

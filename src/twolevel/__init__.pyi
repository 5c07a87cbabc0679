"""The public names, and where they live: imported when they are first used."""

from .bids.confounds import read_confounds
from .bids.events import events_within_scan, read_events
from .cli.options import RunOptions
from .cli.run_command import RunOutcome, run
from .files.run_data import read_run
from .model.read import read_model
from .report.view import ViewerPage, view
from .simulate.dataset import simulate_dataset
from .space.grid import Grid
from .space.mask import Mask
from .stats.estimates import (
    Estimate,
    FEstimate,
    TEstimate,
    p_from_f,
    p_from_t,
    z_from_f,
    z_from_t,
)
from .stats.inference.cluster_extent import cluster_extent
from .stats.inference.cluster_table import cluster_table
from .stats.inference.height_control import height_control
from .stats.inference.parametric_fwe import parametric_fwe
from .stats.inference.permutation_fdr import permutation_fdr
from .stats.inference.permutation_fwe import permutation_fwe
from .stats.inference.result import GroupContrast, GroupTest
from .stats.maps.design import MapDesign, make_map_design
from .stats.maps.fit import fit_maps
from .stats.permute.loop import permute_group
from .stats.permute.model import PermutationModel, make_permutation_model
from .stats.permute.result import Permuted
from .stats.permute.settings import PermutationSettings
from .stats.run.design import frame_times_of, make_design_matrix
from .stats.run.fit import fit_run
from .stats.run.percent import percent_signal_change
from .stats.run.result import RunFit

__all__ = [
    "Estimate",
    "FEstimate",
    "Grid",
    "GroupContrast",
    "GroupTest",
    "MapDesign",
    "Mask",
    "PermutationModel",
    "PermutationSettings",
    "Permuted",
    "RunFit",
    "RunOptions",
    "RunOutcome",
    "TEstimate",
    "ViewerPage",
    "cluster_extent",
    "cluster_table",
    "events_within_scan",
    "fit_maps",
    "fit_run",
    "frame_times_of",
    "height_control",
    "make_design_matrix",
    "make_map_design",
    "make_permutation_model",
    "p_from_f",
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
    "run",
    "simulate_dataset",
    "view",
    "z_from_f",
    "z_from_t",
]

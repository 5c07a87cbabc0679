"""Task fMRI from runs to a group: which brain regions respond, and how sure we are.

The stages as plain functions, usable without the command line and without the workflow engine::

    data = twolevel.read_run(bold, mask, smoothing_fwhm_mm=5)
    design = twolevel.make_design_matrix(events, frame_times, high_pass_hz=1 / 128)
    fit = twolevel.fit_run(data.data, design, {"faces": "face - house"}, percent=True)
    subject = twolevel.fit_maps(effects, variances=variances, dofs=dofs, estimator="fixed")
    group = twolevel.GroupContrast(twolevel.fit_maps(maps), data.mask)
    result = twolevel.height_control(group, method="fdr")
    design = twolevel.make_map_design(subjects, ["1", "age"], table)
    older = twolevel.fit_maps(maps, design, "age")
    relabeled = twolevel.make_permutation_model(design.matrix, design.weights("age"), n_perm=5000)
    permuted = twolevel.permute_group(maps, data.mask, relabeled)
    result = twolevel.permutation_fwe(permuted, test="tfceFWE")

The command from Python, the same bytes::

    outcome = twolevel.run(twolevel.RunOptions(data, results, "all", model="balloon"))

Everything is imported when it is first used, so that importing the package costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""What the processes of a pool have from the start: imported once, before they are forked."""

from __future__ import annotations

import gc

gc.disable()  # nothing of what imports make is garbage, and looking for it takes a fifth

import nilearn.glm.first_level  # noqa: E402
import nilearn.interfaces.fmriprep  # noqa: E402, F401

import twolevel.tasks.apply_test  # noqa: E402
import twolevel.tasks.fit_maps  # noqa: E402
import twolevel.tasks.fit_run  # noqa: E402
import twolevel.tasks.permute_group  # noqa: E402
import twolevel.tasks.subject_maps  # noqa: E402
import twolevel.workflow.group  # noqa: E402, F401
from twolevel.numerics.kernels import compile_kernels, kernels_are_compiled  # noqa: E402

if kernels_are_compiled():  # otherwise the command compiles them, and says so
    compile_kernels()
# What is here stays: processes that are forked share its pages for as long as no search for
# garbage writes to them, and the end of the server, which tears all down, is a second shorter.
gc.freeze()
gc.enable()

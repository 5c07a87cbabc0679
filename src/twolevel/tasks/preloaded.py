"""What the processes of a pool have from the start: imported once, before they are forked."""

from __future__ import annotations

import twolevel.report.figures
import twolevel.tasks.apply_test
import twolevel.tasks.combine_runs
import twolevel.tasks.fit_group
import twolevel.tasks.fit_run
import twolevel.tasks.fit_subject  # noqa: F401
from twolevel.numerics.kernels import compile_kernels, kernels_are_compiled

if kernels_are_compiled():  # otherwise the command compiles them, and says so
    compile_kernels()

"""What the processes of a pool that draws have from the start, before `preloaded` comes."""

from __future__ import annotations

import gc

gc.disable()  # as `preloaded` does, which turns it on again

import twolevel.report.carpet  # noqa: E402
import twolevel.report.figures  # noqa: E402, F401

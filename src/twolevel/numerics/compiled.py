"""Compiling kernels, and finding out whether that has been done before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays when it is first called.

    Without the interpreter lock, so that threads run beside each other, and without ``fastmath``,
    which would make ``isnan`` false and let the compiler reorder sums. The code is cached beside
    the module, in the user's cache or in ``NUMBA_CACHE_DIR``; where none of them can be written it
    is compiled anew by every process.
    """
    try:
        return numba.njit(function, nogil=True, error_model="numpy", cache=True)
    except RuntimeError:  # nowhere to write
        return numba.njit(function, nogil=True, error_model="numpy")


def is_cached(function: Any) -> bool:
    """Tell whether code of a kernel is in the cache.

    Parameters
    ----------
    function : numba.core.dispatcher.Dispatcher
        What `kernel` returned.

    Returns
    -------
    bool
        Code for an older version of the function or of numba counts too.
    """
    folder = function.stats.cache_path
    name = function.py_func.__qualname__
    return folder is not None and any(Path(folder).glob(f"*.{name}-*.nbi"))

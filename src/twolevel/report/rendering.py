"""Filling the templates: how numbers are written, and what the viewer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
import pandas as pd

from twolevel.report.viewer import niivue_module, pack_atlas, pack_background
from twolevel.report.words import format_p

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from twolevel.bids.atlas import Atlas

__all__ = ["make_environment", "viewer_data"]

DIGITS = 4  # of numbers that the viewer reads


def make_environment() -> jinja2.Environment:
    """Make what fills the templates.

    Returns
    -------
    jinja2.Environment
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("twolevel.report"),
        autoescape=True,  # labels and trial types come from files
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": _number,
        "p": _p,
        "records": _records,
    }
    environment.filters.update(filters)
    return environment


def viewer_data(
    maps: Sequence[dict[str, Any]],
    mask: NDArray[np.bool_],
    affine: NDArray[np.float64],
    space: str | None,
    atlas: Atlas | None,
) -> dict[str, Any]:
    """Collect what the viewer's script reads.

    Parameters
    ----------
    maps : sequence of dict
        What `viewer_map` returns.
    mask : ndarray of shape (x, y, z), bool
    affine : ndarray of shape (4, 4)
        Of the grid that all maps share.
    space : str or None
    atlas : Atlas or None

    Returns
    -------
    dict
        To be written as JSON.
    """
    return {
        "niivue": niivue_module(),
        "background": pack_background(mask, affine, space),
        "atlas": pack_atlas(atlas, mask.shape, affine) if atlas else None,
        "contrasts": [_shortened(one) for one in maps],
    }


def _number(value: Any) -> str:
    """Write a number of a table; text as it is; nothing where it is missing."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _p(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else format_p(value)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _shortened(item: Any) -> Any:
    """Write numbers with few digits: they are for eyes, and there are many."""
    if isinstance(item, (float, np.floating)):
        return float(f"{item:.{DIGITS}g}")
    if isinstance(item, dict):
        return {key: _shortened(value) for key, value in item.items()}
    if isinstance(item, (list, tuple, np.ndarray)):
        return [_shortened(value) for value in item]
    return item

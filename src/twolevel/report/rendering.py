"""Filling the templates: how numbers are written, and what the viewer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import jinja2
import numpy as np
import pandas as pd

from twolevel.report.viewer import niivue_module, pack_atlas, pack_background
from twolevel.report.words import format_p

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twolevel.report.atlas import Atlas
    from twolevel.space.grid import Grid
    from twolevel.space.mask import Mask

DIGITS = 4  # of numbers that the viewer reads

# The browser refuses every request, whatever a script or a text from a file would like. The viewer
# is a script that is made while the page is shown (blob:), as are what it unpacks.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' blob:; img-src data: blob:; connect-src data: blob:"
)


def make_environment() -> jinja2.Environment:
    """Make what fills the templates."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("twolevel.report"),
        autoescape=True,  # labels and trial types come from files
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": _number,
        "mm": _millimetres,
        "p": _p,
        "records": _records,
    }
    environment.filters.update(filters)
    environment.globals["policy"] = POLICY
    return environment


class Shown(Protocol):
    """A map that the viewer shows."""

    @property
    def atlas(self) -> Atlas | None:
        """Names the regions."""

    @property
    def viewer(self) -> dict[str, Any]:
        """What `viewer_map` returns, and more."""

    @property
    def ground(self) -> tuple[Mask, str | None]:
        """Mask and template."""


def viewer_data(shown: Sequence[Shown]) -> dict[str, Any]:
    """Collect what the viewer's script reads as JSON; ``grids`` is what maps on a grid share."""
    grids: dict[tuple[Grid, str | None], dict[str, Any]] = {}
    maps = []
    for one in shown:
        mask, space = one.ground
        key = (mask.space, space)
        if key not in grids:
            grids[key] = {
                "background": pack_background(mask, space),
                "atlas": pack_atlas(one.atlas, mask.space) if one.atlas else None,
            }
        maps.append({**_shortened(one.viewer), "grid": list(grids).index(key)})
    return {"niivue": niivue_module(), "maps": {"grids": list(grids.values()), "contrasts": maps}}


def _number(value: Any) -> str:
    """Write a number of a table; text as it is; nothing where it is missing."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    whole = float(value).is_integer() or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def _millimetres(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _p(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else format_p(value)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _shortened(item: Any) -> Any:
    """Write numbers with few digits: they are for eyes, and there are many."""
    if isinstance(item, (float, np.floating)):
        return float(f"{item:.{DIGITS}g}") if np.isfinite(item) else None
    if isinstance(item, dict):
        return {key: _shortened(value) for key, value in item.items()}
    if isinstance(item, (list, tuple, np.ndarray)):
        return [_shortened(value) for value in item]
    return item

"""The viewer by itself, for notebooks."""

from __future__ import annotations

import html
import tempfile
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twolevel.bids.entities import parse_name
from twolevel.errors import InputError, Problem, did_you_mean
from twolevel.files.atomic import write_bytes
from twolevel.files.maps import read_map
from twolevel.report.atlas import read_atlas
from twolevel.report.contrast_view import make_contrast_view
from twolevel.report.derivatives import read_derivatives
from twolevel.report.regions import atlas_for, name_region
from twolevel.report.rendering import make_environment, viewer_data
from twolevel.report.viewer import viewer_map
from twolevel.space.mask import Mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twolevel.report.atlas import Atlas
    from twolevel.report.rendering import Shown

HEIGHT = 460  # pixels


@dataclass(frozen=True)
class ViewerPage:
    """A page with the viewer; a notebook shows it where it is the value of a cell.

    Attributes
    ----------
    html : str
        The whole page.
    """

    html: str

    def _repr_html_(self) -> str:
        source = html.escape(self.html)
        return (
            f'<iframe srcdoc="{source}" width="100%" height="{HEIGHT}" style="border:0"></iframe>'
        )

    def save(self, path: Path | str) -> Path:
        """Write the page to a file.

        Parameters
        ----------
        path : Path or str
            ``.html``.

        Returns
        -------
        Path
        """
        return write_bytes(path, self.html.encode())

    def open(self) -> Path:
        """Show the page in the browser.

        Returns
        -------
        Path
            The temporary file that holds it.
        """
        path = self.save(Path(tempfile.mkdtemp(prefix="twolevel-")) / "view.html")
        webbrowser.open(path.as_uri())
        return path


def view(
    source: Path | str, contrast: str | None = None, *, atlas: Path | str | None = None
) -> ViewerPage:
    """Look at a map in three planes.

    Parameters
    ----------
    source : Path or str
        The output directory of a run, whose group contrasts are shown with what survives each
        test and with every subject at the strongest peak; or one image.
    contrast : str, optional
        Name or label of the contrast; default all of them.
    atlas : Path or str, optional
        As for `read_atlas`; default the one that is shipped, for maps in MNI152 space.

    Returns
    -------
    ViewerPage

    Raises
    ------
    InputError
        There is no such file, contrast or atlas.
    """
    source = Path(source)
    given = None if atlas is None else read_atlas(Path(atlas))
    if not source.exists():
        raise InputError(
            Problem(
                str(source),
                "no such file or folder",
                "the output directory of a run, or an image",
                "correct the path",
            )
        )
    if source.is_dir():
        return _view_contrasts(source, contrast, given)
    if contrast is not None:
        raise InputError(
            Problem(
                f"contrast {contrast}",
                f"{source}, which is no folder",
                "a contrast of an output directory, or an image by itself",
                "give the output directory, or leave out the contrast",
            )
        )
    return _view_map(source, given)


def _view_contrasts(root: Path, wanted: str | None, atlas: Atlas | None) -> ViewerPage:
    contrasts = read_derivatives(root).contrasts
    names = {c.label: c.sidecar["Contrast"]["Name"] for c in contrasts}
    chosen = [c for c in contrasts if wanted in (None, c.label, names[c.label])]
    if not chosen:
        found = f'no contrast "{wanted}"' if contrasts else "no group results"
        raise InputError(
            Problem(
                f"OUTPUT_DIR {root}",
                found,
                f"contrasts: {', '.join(names.values())}" if names else "a folder group/",
                did_you_mean(wanted or "", names.values())
                or "run the group level, or correct the name",
            )
        )
    return _page([make_contrast_view(root, contrast, atlas) for contrast in chosen])


@dataclass(frozen=True)
class _Map:
    """An image by itself, as the viewer takes it."""

    atlas: Atlas | None
    viewer: dict[str, Any]
    ground: tuple[Mask, str | None]


def _view_map(path: Path, atlas: Atlas | None) -> ViewerPage:
    volume, grid = read_map(path)
    name = parse_name(path)
    space = name.entities.get("space") if name else None
    atlas = atlas or atlas_for(space)
    values = np.nan_to_num(np.abs(volume))
    peak = grid.coordinates(np.array([values.argmax()]))[0]
    region = name_region(atlas, peak.tolist()) if atlas else ""
    viewer = {
        **viewer_map(volume, grid, {}),
        "name": path.name,
        "quantity": "value",
        "units": "",
        "peaks": [{"at": peak, "region": region}],
    }
    return _page([_Map(atlas, viewer, (Mask(grid, values > 0), space))])


def _page(shown: Sequence[Shown]) -> ViewerPage:
    template = make_environment().get_template("view.html")
    return ViewerPage(template.render(viewer=viewer_data(shown)))

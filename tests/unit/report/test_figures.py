from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from twolevel.bids.entities import Entities
from twolevel.report.carpet import plot_carpet
from twolevel.report.figures import plot_coverage, plot_glass_brain, plot_slices
from twolevel.report.paper import figure_path
from twolevel.space.grid import Grid

if TYPE_CHECKING:
    from pathlib import Path

AFFINE = np.array([[8.0, 0, 0, -76], [0, 8, 0, -112], [0, 0, 8, -72], [0, 0, 0, 1]])
SHAPE = (20, 24, 20)
MNI = "MNI152NLin2009cAsym"


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.5, SHAPE)
    values[8:12, 8:12, 9:14] = 5
    values[3:6, 14:18, 9:14] = -4
    grid = np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) / 2
    values[np.sqrt((grid**2).sum(axis=0)) > 9] = np.nan
    return values


def survivors(volume: np.ndarray, least: float) -> np.ndarray:
    return np.where(np.isnan(volume) | (np.abs(volume) >= least), volume, 0)


def plot(path: Path, volume: np.ndarray, **options: Any) -> np.ndarray:
    defaults: dict[str, Any] = {"title": "pumps: z", "label": "z", "top": 8.0, "space": MNI}
    written = plot_slices(path, volume, Grid(volume.shape, AFFINE), **{**defaults, **options})
    assert written == path
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    image: np.ndarray = plt.imread(path)
    return image


def coloured(image: np.ndarray) -> tuple[int, int]:
    """Count reddish and bluish pixels, without the colour bar."""
    brains = image[:, : int(image.shape[1] * 0.9)]
    red, blue = brains[..., 0] - brains[..., 2], brains[..., 2] - brains[..., 0]
    return int((red > 0.3).sum()), int((blue > 0.3).sum())


def test_a_thresholded_map_shows_both_signs(tmp_path, volume):
    red, blue = coloured(plot(tmp_path / "figures" / "a.png", survivors(volume, 3)))
    assert red > 500
    assert blue > 500


def test_what_does_not_survive_has_no_colour(tmp_path, volume):
    red, blue = coloured(plot(tmp_path / "high.png", survivors(volume, 4.5)))
    assert red > 500
    assert blue == 0


def test_an_unthresholded_map_covers_the_brain(tmp_path, volume):
    thresholded = plot(tmp_path / "thresholded.png", survivors(volume, 3))
    everything = plot(tmp_path / "everything.png", volume)
    assert thresholded.shape == everything.shape
    assert (np.ptp(everything[..., :3], axis=-1) > 0.02).sum() > 2 * (
        np.ptp(thresholded[..., :3], axis=-1) > 0.02
    ).sum()


def test_a_larger_scale_makes_the_same_value_paler(tmp_path, volume):
    strong = coloured(plot(tmp_path / "a.png", survivors(volume, 3), top=8))
    pale = coloured(plot(tmp_path / "b.png", survivors(volume, 3), top=80))
    assert strong[0] > 500
    assert pale == (0, 0)


@pytest.mark.parametrize("space", [MNI, "T1w", None])
def test_a_map_in_which_nothing_survives_has_no_colour(tmp_path, volume, space):
    image = plot(tmp_path / "a.png", survivors(volume, 99), space=space)
    assert coloured(image) == (0, 0)
    brains = image[:, : int(image.shape[1] * 0.9), :3]
    assert brains.min() < 0.5  # a brain, and the words
    assert (brains.mean(axis=-1) < 0.95).mean() > 0.1


@pytest.mark.parametrize("space", ["T1w", None])
def test_a_map_in_another_space_needs_no_template(tmp_path, volume, space, monkeypatch):
    def refuse(**_options: object) -> None:
        raise AssertionError("the template was loaded")

    monkeypatch.setattr("twolevel.report.figures.load_mni152_template", refuse)
    red, blue = coloured(plot(tmp_path / "a.png", survivors(volume, 3), space=space))
    assert red > 500
    assert blue > 500


def test_figures_are_as_wide_as_two_columns_at_300_dots_per_inch(tmp_path, volume):
    plot(tmp_path / "a.png", volume)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 2160  # 7.2 inches
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    svg = (tmp_path / "a.svg").read_text()
    assert 'width="518.4pt"' in svg
    assert ">pumps: z</text>" in svg  # text, not outlines


def test_a_title_with_dollars_is_no_formula(tmp_path, volume):
    title = r"win_$10 - win_$5: gain 5% \alpha_$1"
    plot(tmp_path / "a.png", volume, title=title)
    assert title in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("least", [0, 3, 99])
def test_the_same_map_gives_the_same_bytes(tmp_path, volume, least):
    plot(tmp_path / "a.png", survivors(volume, least))
    plot(tmp_path / "elsewhere" / "b.png", survivors(volume.copy(), least))
    for ending in (".png", ".svg"):
        content = (tmp_path / f"a{ending}").read_bytes()
        assert (tmp_path / "elsewhere" / f"b{ending}").read_bytes() == content
        assert b"Software" not in content
        assert b"dc:date" not in content


def test_title_and_label_are_in_the_picture(tmp_path, volume):
    a = plot(tmp_path / "a.png", volume, title="pumps: z", label="z")
    b = plot(tmp_path / "b.png", volume, title="cash: z", label="z")
    c = plot(tmp_path / "c.png", volume, title="pumps: z", label="percent")
    height, width = a.shape[:2]
    assert not np.array_equal(a[: height // 6], b[: height // 6])
    np.testing.assert_array_equal(a[height // 5 :], b[height // 5 :])
    right = int(width * 0.9)
    assert not np.array_equal(a[:, right:], c[:, right:])
    np.testing.assert_array_equal(a[:, :right], c[:, :right])


def test_a_long_title_stays_in_the_figure(tmp_path, volume):
    image = plot(tmp_path / "a.png", volume, title="a title without an end " * 12)
    assert image[: image.shape[0] // 6, -20:, :3].min() == 1.0


def test_no_figure_stays_open(tmp_path, volume):
    before = plt.get_fignums()
    plot(tmp_path / "a.png", volume)
    plot_glass_brain(
        tmp_path / "b.png", volume, Grid(volume.shape, AFFINE), top=5, label="z", title="pumps"
    )
    with pytest.raises(TypeError, match="Invalid shape"):
        plot_carpet(tmp_path / "c.png", np.zeros(3), ["sub-01"], label="", title="")
    assert plt.get_fignums() == before


def test_a_map_without_one_finite_value_is_drawn_as_nothing(tmp_path):
    assert coloured(plot(tmp_path / "a.png", np.full(SHAPE, np.nan))) == (0, 0)


def test_the_glass_brain_shows_both_signs_or_says_that_there_is_nothing(tmp_path, volume):
    options: dict[str, Any] = {"top": 8.0, "label": "z", "title": "pumps"}
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    plot_glass_brain(a, survivors(volume, 3), Grid(volume.shape, AFFINE), **options)
    plot_glass_brain(b, survivors(volume, 99), Grid(volume.shape, AFFINE), **options)
    red, blue = coloured(plt.imread(a))
    assert min(red, blue) > 500
    assert coloured(plt.imread(b)) == (0, 0)
    assert ">no voxel survives</text>" in b.with_suffix(".svg").read_text()


def test_coverage_differs_where_a_subject_is_missing(tmp_path, volume):
    inside = np.isfinite(volume)
    whole, less = np.where(inside, 5, 0), np.where(inside, 5, 0)
    less[:10] -= inside[:10]
    for name, counts in (("whole", whole), ("less", less)):
        plot_coverage(
            tmp_path / f"{name}.png", counts, Grid(counts.shape, AFFINE), n_subjects=5, space=MNI
        )
    a, b = (plt.imread(tmp_path / f"{name}.png") for name in ("whole", "less"))
    changed = (np.abs(a - b).max(axis=-1) > 0.1).any(axis=0)
    assert changed.sum() > 200
    slice_width = int(a.shape[1] * 0.915 / 8)
    # The first half of x is the left of each slice.
    assert changed[: slice_width // 2 - 20].any()
    assert not changed[slice_width // 2 + 20 : slice_width - 20].any()


@pytest.mark.parametrize("n", [2, 200])
def test_a_carpet_has_a_row_for_every_subject(tmp_path, n):
    carpet = np.zeros((n, 50))
    carpet[0], carpet[-1] = 0.5, -0.5
    carpet[:, :5] = 1  # the end of the scale
    path = tmp_path / "carpet.png"
    subjects = [f"sub-{i:03}" for i in range(n)]
    assert plot_carpet(path, carpet, subjects, label="percent", title="pumps") == path
    image = plt.imread(path)[:, int(2160 * 0.3) : int(2160 * 0.6)]
    red, blue = image[..., 0] - image[..., 2], image[..., 2] - image[..., 0]
    rows_red, rows_blue = ((x > 0.3).all(axis=1).sum() for x in (red, blue))
    assert rows_red == pytest.approx(rows_blue, abs=3)
    assert rows_red >= 4
    assert ">sub-000</text>" in path.with_suffix(".svg").read_text()


def test_names_of_figures_hold_the_entities_of_the_group_in_their_order(tmp_path):
    entities = {"res": "2", "task": "t", "space": MNI, "contrast": "pumps", "dir": "AP"}
    path = figure_path(tmp_path, Entities(entities), "fdr")
    assert path.name == f"task-t_dir-AP_space-{MNI}_res-2_contrast-pumps_desc-fdr_statmap.png"
    assert path.parent == tmp_path / "figures"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from twolevel.report.figures import plot_group_map

if TYPE_CHECKING:
    from pathlib import Path

AFFINE = np.array([[8.0, 0, 0, -76], [0, 8, 0, -112], [0, 0, 8, -72], [0, 0, 0, 1]])
SHAPE = (20, 24, 20)


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.5, SHAPE)
    values[8:12, 8:12, 9:14] = 5
    values[3:6, 14:18, 9:14] = -4
    grid = np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) / 2
    values[np.sqrt((grid**2).sum(axis=0)) > 9] = np.nan
    return values


def plot(path: Path, volume: np.ndarray, **options: Any) -> np.ndarray:
    defaults: dict[str, Any] = {
        "title": "pumps: z", "label": "z", "threshold": 3.0, "signed": True,
        "space": "MNI152NLin2009cAsym",
    }  # fmt: skip
    written = plot_group_map(path, volume, AFFINE, **{**defaults, **options})
    assert written == path
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    image: np.ndarray = plt.imread(path)
    return image


def coloured(image: np.ndarray) -> tuple[int, int]:
    """Count reddish and bluish pixels."""
    red, blue = image[..., 0] - image[..., 2], image[..., 2] - image[..., 0]
    return int((red > 0.3).sum()), int((blue > 0.3).sum())


def test_a_thresholded_map_shows_both_signs(tmp_path, volume):
    red, blue = coloured(plot(tmp_path / "figures" / "a.png", volume))
    assert red > 200
    assert blue > 200


def test_a_threshold_hides_what_is_smaller(tmp_path, volume):
    high = coloured(plot(tmp_path / "high.png", volume, threshold=4.5))
    low = coloured(plot(tmp_path / "low.png", volume, threshold=3.0))
    assert high[0] > 50
    assert high[1] < low[1] / 2


def test_an_unthresholded_map_covers_the_brain(tmp_path, volume):
    thresholded = plot(tmp_path / "thresholded.png", volume)
    everything = plot(tmp_path / "everything.png", volume, threshold=None)
    assert thresholded.shape == everything.shape
    assert (np.ptp(everything[..., :3], axis=-1) > 0.02).sum() > 2 * (
        np.ptp(thresholded[..., :3], axis=-1) > 0.02
    ).sum()


@pytest.mark.parametrize("space", ["MNI152NLin2009cAsym", "T1w", None])
@pytest.mark.parametrize("values", ["small", "zero"])
def test_a_map_in_which_nothing_survives_has_no_colour(tmp_path, volume, space, values):
    nothing = np.where(np.isfinite(volume), 0.1 if values == "small" else 0.0, np.nan)
    image = plot(tmp_path / "a.png", nothing, space=space)
    assert np.ptp(image[..., :3], axis=-1).max() < 0.02
    assert image[..., :3].min() < 0.5  # a brain, and the words
    assert image[..., :3].max() == 1.0


@pytest.mark.parametrize("space", ["T1w", None])
def test_a_map_in_another_space_needs_no_template(tmp_path, volume, space, monkeypatch):
    def refuse(**_options: object) -> None:
        raise AssertionError("the template was loaded")

    monkeypatch.setattr("twolevel.report.figures.load_mni152_template", refuse)
    red, blue = coloured(plot(tmp_path / "a.png", volume, space=space))
    assert red > 200
    assert blue > 200


def test_one_sided_quantities_have_no_blue(tmp_path, volume):
    logp = np.where(np.isfinite(volume), np.clip(volume, 0, None), np.nan)
    red, _ = coloured(plot(tmp_path / "a.png", logp, signed=False, threshold=1.3))
    assert red > 200


@pytest.mark.parametrize("threshold", [None, 3.0])
def test_the_same_map_gives_the_same_bytes(tmp_path, volume, threshold):
    plot(tmp_path / "a.png", volume, threshold=threshold)
    plot(tmp_path / "elsewhere" / "b.png", volume.copy(), threshold=threshold)
    content = (tmp_path / "a.png").read_bytes()
    assert (tmp_path / "elsewhere" / "b.png").read_bytes() == content
    assert b"matplotlib" not in content.lower()


def test_title_and_label_are_in_the_picture(tmp_path, volume):
    a = plot(tmp_path / "a.png", volume, title="pumps: z", label="z")
    b = plot(tmp_path / "b.png", volume, title="cash: z", label="z")
    c = plot(tmp_path / "c.png", volume, title="pumps: z", label="-log10 p")
    height = a.shape[0]
    assert not np.array_equal(a[: height // 6], b[: height // 6])
    assert not np.array_equal(a[: height // 6], c[: height // 6])
    np.testing.assert_array_equal(a[height // 5 :], b[height // 5 :])


def test_no_figure_stays_open(tmp_path, volume):
    before = plt.get_fignums()
    plot(tmp_path / "a.png", volume)
    plot(tmp_path / "b.png", np.zeros(SHAPE))
    assert plt.get_fignums() == before


def test_a_map_without_one_finite_value_is_drawn_as_nothing(tmp_path):
    image = plot(tmp_path / "a.png", np.full(SHAPE, np.nan))
    assert np.ptp(image[..., :3], axis=-1).max() < 0.02

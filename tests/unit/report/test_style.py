"""Text of the report can be told from what is behind it, in the light and in the dark."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize("behind", ["paper", "soft", "chosen"])
def test_every_text_has_the_contrast_that_wcag_asks_for(scheme, behind):
    style = files("twolevel.report").joinpath("templates/style.css").read_text()
    light, dark = re.findall(r":root \{([^}]*)\}", style)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", (light, dark)[scheme]))
    assert set(colours) == {"ink", "paper", "soft", "line", "link", "warn", "chosen"}
    assert contrast(colours["ink"], colours[behind]) > 10  # 7 also at an opacity of 0.8
    for text in ("link", "warn"):
        assert contrast(colours[text], colours[behind]) > 4.5

"""Labels of contrasts in file names."""

from __future__ import annotations

import re

# What signs say, in letters; + and - only where blanks are around them: "face-house" joins words.
SIGNS = (
    (re.compile(r">"), " Gt "),
    (re.compile(r"<"), " Lt "),
    (re.compile(r"(?<=\s)\+(?=\s)"), " Plus "),
    (re.compile(r"(?<=\s)-(?=\s)"), " Minus "),
)


def contrast_label(name: str) -> str:
    """Turn the name of a contrast into a BIDS label.

    ``>`` and ``<`` become ``Gt`` and ``Lt``, ``+`` and ``-`` with blanks around them ``Plus`` and
    ``Minus``. Other characters that are not alphanumeric are dropped and the next letter is
    capitalised.

    Parameters
    ----------
    name : str
        As in the model file.

    Returns
    -------
    str
        Letters and digits; empty where the name has none.

    Examples
    --------
    >>> contrast_label("pumps_vs_control")
    'pumpsVsControl'
    >>> contrast_label("face > house"), contrast_label("face < house")
    ('faceGtHouse', 'faceLtHouse')
    """
    for sign, word in SIGNS:
        name = sign.sub(word, name)
    first, *others = re.split(r"[^0-9a-zA-Z]+", name.strip()) or [""]
    parts = [part for part in (first, *others) if part]
    return "".join([*parts[:1], *(part[0].upper() + part[1:] for part in parts[1:])])

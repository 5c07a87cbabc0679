"""Labels of contrasts in file names."""

from __future__ import annotations

import re


def contrast_label(name: str) -> str:
    """Turn the name of a contrast into a BIDS label.

    Characters that are not alphanumeric are dropped and the next letter is capitalised.

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
    """
    first, *others = re.split(r"[^0-9a-zA-Z]+", name.strip()) or [""]
    parts = [part for part in (first, *others) if part]
    return "".join([*parts[:1], *(part[0].upper() + part[1:] for part in parts[1:])])

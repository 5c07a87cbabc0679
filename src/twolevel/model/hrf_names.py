"""Names of models of the response, as people write them."""

from __future__ import annotations

BASES = {
    "spm": "spm",
    "doublegamma": "spm",
    "canonical": "spm",
    "glover": "glover",
    "fir": "fir",
}
MORE = {
    "derivative": "derivative",
    "timederivative": "derivative",
    "temporal": "derivative",
    "temporalderivative": "derivative",
    "dispersion": "dispersion",
    "dispersionderivative": "dispersion",
}
HRF_MODELS = (
    *(
        base + more
        for base in ("spm", "glover")
        for more in ("", " + derivative", " + derivative + dispersion")
    ),
    "fir",
)


def strict_hrf_name(name: str) -> str | None:
    """Return how nilearn calls a model of the response, None where it has none of that name.

    Dispersion brings the derivative along.

    Examples
    --------
    >>> strict_hrf_name("SPM+derivative")
    'spm + derivative'
    """
    first, *others = ("".join(part.split()).casefold() for part in name.split("+"))
    more = {MORE.get(part) for part in others}
    if first not in BASES or None in more:
        return None
    parts = [BASES[first]]
    parts += ["derivative"] if more else []
    parts += ["dispersion"] if "dispersion" in more else []
    strict = " + ".join(parts)
    return strict if strict in HRF_MODELS else None

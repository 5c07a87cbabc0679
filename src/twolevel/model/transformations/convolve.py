"""Convolve: which variables become responses, and by which model of the response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from twolevel.model.hrf_names import strict_hrf_name
from twolevel.model.nodes import Hrf
from twolevel.model.transformations.instruction import (
    Instruction,
    Name,
    Names,
    key,
    refuse_other_length,
)

if TYPE_CHECKING:
    from twolevel.model.transformations.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Convolve(Instruction):
    """Marks variables for convolution; their regressors are made with the design."""

    input: Names = key("the variables; a level that a run lacks is nothing there")
    model: Literal["spm", "glover", "fir"] = key("of the response", "spm")
    derivative: bool = key("its derivative in time has a regressor too", False)
    dispersion: bool = key("its derivative in width has a regressor too", False)
    fir_delays: tuple[Annotated[int, Ge(0)], ...] = key(
        "of fir: volumes after the onset, a regressor for each", ()
    )
    output: tuple[Name, ...] = key("names of the results, one for each of Input", ())

    def __post_init__(self) -> None:
        """Refuse keys that do not go together."""
        refuse_other_length("Output", self.output, self.input)
        if (self.model == "fir") != bool(self.fir_delays):
            raise ValueError('FirDelays with Model "fir", and only with it')
        if self.model == "fir" and (self.derivative or self.dispersion):
            raise ValueError('no Derivative and no Dispersion with Model "fir"')
        if len(set(self.fir_delays)) < len(self.fir_delays):
            raise ValueError("each of FirDelays once")

    @property
    def hrf_model(self) -> str:
        """The model as nilearn names it; it has dispersion only on top of the derivative."""
        parts: list[str] = [self.model]
        parts += ["derivative"] if self.derivative or self.dispersion else []
        parts += ["dispersion"] if self.dispersion else []
        return " + ".join(parts)

    def remarks(self) -> list[str]:
        """Say that dispersion brings the derivative along."""
        if self.dispersion and not self.derivative:
            return ['"Dispersion": true brings "Derivative": true along']
        return []

    def carry_out(self, bench: Workbench) -> None:
        """Mark the variables."""
        for name, output in bench.pairs(self.input, self.output):
            bench.sparse(name)
            if output != name:
                bench[output] = bench[name]
            bench.hrfs[output] = Hrf((output,), self.hrf_model, self.fir_delays)


def hrf_of(text: str) -> tuple[str, bool, bool] | None:
    """Read a model of the response as others write it: ``SPM``, ``spm+derivative``.

    Returns
    -------
    (str, bool, bool) or None
        The model, with derivative, with dispersion; None for what is not known.
    """
    strict = strict_hrf_name(text)
    if strict is None:
        return None
    base, *more = strict.split(" + ")
    return base, "derivative" in more, "dispersion" in more

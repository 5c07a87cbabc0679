"""Carrying out the transformations of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twolevel.model.transformations.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twolevel.model.nodes import Hrf
    from twolevel.model.transformations.instruction import Instruction
    from twolevel.model.transformations.variables import Variable
    from twolevel.notes import Note


@dataclass(frozen=True, eq=False)
class Transformed:
    """What instructions made of the variables of a run.

    Attributes
    ----------
    variables : dict of str to (Sparse or Dense)
        All there are. Rows whose value is missing or 0 are no events; a variable without any
        other row (a level that the run lacks) is not in this run.
    hrfs : dict of str to Hrf
        What is to be convolved, by variable.
    notes : tuple of Note
        What was taken otherwise than it is written.
    """

    variables: dict[str, Variable]
    hrfs: dict[str, Hrf]
    notes: tuple[Note, ...] = ()


def transform(
    variables: Mapping[str, Variable],
    instructions: Sequence[Instruction],
    *,
    named: Sequence[str] = (),
) -> Transformed:
    """Carry out instructions, in order.

    Parameters
    ----------
    variables : mapping of str to (Sparse or Dense)
        Columns of the events and of the confounds.
    named : sequence of str
        What is taken of them afterwards: levels of a column among these are made, whether or not
        a Factor made them.

    Raises
    ------
    InputError
        An instruction names what this run lacks, asks for numbers where there is text, or comes
        after what it names was convolved.
    """
    bench = Workbench(variables)
    for number, instruction in enumerate(instructions, 1):
        bench.step = f"Transformations: instruction {number}, {type(instruction).__name__}"
        instruction.carry_out(bench)
    bench.step = "X and the contrasts"
    for name in named:
        bench.take_as_factor(name)
    return Transformed(bench.variables, bench.hrfs, tuple(bench.notes))

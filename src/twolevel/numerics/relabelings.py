"""Relabelings of subjects that a null hypothesis allows: sign flips and permutations."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

EXHAUSTIVE_UP_TO = 10_000


@dataclass(frozen=True)
class Relabelings:
    """The relabelings of a test.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_subjects), int32
        Which row of the design each subject gets, named by the first of equal ones; the first
        relabeling is the identity.
    signs : ndarray of shape (n_rows, n_subjects), int8
        +1 or -1 for each subject's data.
    mirrored : bool
        Every row stands for itself and for the one with all signs inverted.
    exhaustive : bool
        All distinct relabelings are there, each once.
    """

    rows: NDArray[np.int32]
    signs: NDArray[np.int8]
    mirrored: bool
    exhaustive: bool

    @property
    def n_used(self) -> int:
        """Number of relabelings, mirror images and the identity included."""
        return len(self.signs) * (2 if self.mirrored else 1)


def draw_sign_flips(
    units: NDArray[np.integer], n_perm: int, seed: int, *, exhaustive_up_to: int = EXHAUSTIVE_UP_TO
) -> Relabelings:
    """Enumerate all sign flips, or draw distinct ones.

    Parameters
    ----------
    units : ndarray of shape (n_subjects,), int
        Number, from 0, of the unit that each subject is flipped with.
    n_perm : int
        Number wanted when they are drawn, the identity included. Flips come in pairs s and -s: an
        odd number is raised by one.
    seed : int
        Of the draw.
    exhaustive_up_to : int
        All flips are used when there are no more than this or ``n_perm``, whichever is larger.
    """
    n_units = int(np.max(units)) + 1
    n_pairs_there = 2 ** (n_units - 1)
    n_pairs = (n_perm + 1) // 2
    exhaustive = 2 * n_pairs_there <= max(2 * n_pairs, exhaustive_up_to)
    if exhaustive:
        codes = np.arange(n_pairs_there, dtype=np.uint64)
        bits = (codes[:, None] >> np.arange(n_units, dtype=np.uint64)) & np.uint64(1)
        signs = 1 - 2 * bits.astype(np.int8)
    else:
        rng = np.random.default_rng(seed)
        drawn = {b"\x01" * n_units: None}  # insertion order: the identity first
        while len(drawn) < n_pairs:
            flip = rng.integers(0, 2, n_units, dtype=np.int8) * 2 - 1
            flip *= flip[0]  # of a pair, the one that leaves the first unit alone
            drawn.setdefault(flip.astype(np.int8).tobytes())
        signs = np.frombuffer(b"".join(drawn), np.int8).reshape(n_pairs, n_units)
    signs = np.ascontiguousarray(signs[:, units], np.int8)
    rows = np.broadcast_to(np.arange(len(units), dtype=np.int32), signs.shape)
    return Relabelings(rows, signs, mirrored=True, exhaustive=exhaustive)


def draw_permutations(
    units: Sequence[Sequence[NDArray[np.integer]]],
    kinds: NDArray[np.integer],
    n_perm: int,
    seed: int,
    *,
    exhaustive_up_to: int = EXHAUSTIVE_UP_TO,
) -> Relabelings:
    """Enumerate all distinct permutations, or draw distinct ones.

    Permutations that exchange equal rows of the design only are one and the same.

    Parameters
    ----------
    units : sequence of sequence of ndarray of int
        Sets of units that may change places; a unit holds the numbers of its subjects. All units
        of a set have the same length.
    kinds : ndarray of shape (n_subjects,), int
        Equal where the rows of the design are.
    n_perm : int
        Number wanted when they are drawn, the identity included.
    seed : int
        Of the draw.
    exhaustive_up_to : int
        All permutations are used when there are no more than this or ``n_perm``, whichever is
        larger.
    """
    # A unit's kind is the first unit of its set with the same rows: equal ones are one letter.
    letters = []
    for members in units:
        first: dict[tuple[int, ...], int] = {}
        letters.append(
            tuple(first.setdefault(tuple(kinds[u].tolist()), i) for i, u in enumerate(members))
        )
    n_there = math.prod(_n_arrangements(word) for word in letters)
    exhaustive = n_there <= max(n_perm, exhaustive_up_to)
    identity = tuple(letters)
    if exhaustive:
        every = itertools.product(*(_arrangements(sorted(word)) for word in letters))
        words = [identity, *(words for words in every if words != identity)]
    else:
        rng = np.random.default_rng(seed)
        drawn = {identity: None}
        while len(drawn) < n_perm:
            drawn.setdefault(tuple(tuple(rng.permutation(word).tolist()) for word in letters))
        words = list(drawn)
    rows = np.tile(np.arange(len(kinds), dtype=np.int32), (len(words), 1))
    for number, members in enumerate(units):
        places = np.array(members)
        chosen = np.array([word[number] for word in words])
        rows[:, places.ravel()] = places[chosen].reshape(len(words), -1)
    return Relabelings(rows, np.ones(rows.shape, np.int8), mirrored=False, exhaustive=exhaustive)


def _n_arrangements(word: Sequence[int]) -> int:
    """Count the distinct orders of some letters."""
    return math.factorial(len(word)) // math.prod(map(math.factorial, Counter(word).values()))


def _arrangements(letters: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield the distinct orders of sorted letters, in lexicographic order."""
    word = list(letters)
    while True:
        yield tuple(word)
        i = len(word) - 2
        while i >= 0 and word[i] >= word[i + 1]:
            i -= 1
        if i < 0:
            return
        j = next(k for k in range(len(word) - 1, i, -1) if word[k] > word[i])
        word[i], word[j] = word[j], word[i]
        word[i + 1 :] = reversed(word[i + 1 :])

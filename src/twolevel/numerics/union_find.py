"""Joining sets of numbers: each set is a chain of links towards its top."""

from __future__ import annotations

from twolevel.numerics.compiled import kernel


@kernel
def top_of(link, i):  # type: ignore[no-untyped-def]
    """Find the top of a set, and shorten the way to it for later.

    Parameters
    ----------
    link : ndarray of shape (n,), int32
        The next element towards the top; the top's own number.
    """
    while link[i] != i:
        link[i] = link[link[i]]
        i = link[i]
    return i

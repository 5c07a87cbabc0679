"""A synthetic data set in BIDS and fMRIPrep layout of which the truth is known."""

from __future__ import annotations

from twolevel.simulate.dataset import simulate_dataset

__all__ = ["simulate_dataset"]

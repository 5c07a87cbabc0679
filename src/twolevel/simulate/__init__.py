"""A synthetic data set in BIDS and fMRIPrep layout of which the truth is known."""

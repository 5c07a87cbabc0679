"""The statistics of a run."""

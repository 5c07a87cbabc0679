"""Models over maps: of runs, of subjects."""

"""Speed and memory, side by side with nilearn: ``make bench``."""

"""Files, a format per module."""

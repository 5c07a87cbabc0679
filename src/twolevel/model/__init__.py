"""The analysis as frozen dataclasses, and reading BIDS Stats Models."""

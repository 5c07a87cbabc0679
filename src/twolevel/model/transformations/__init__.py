"""The transformations of BIDS Stats Models: read, written and carried out."""

"""Everything that is refused before anything is computed."""

"""Statistics on arrays and small tables."""

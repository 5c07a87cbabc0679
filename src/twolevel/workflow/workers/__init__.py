"""What carries out jobs."""

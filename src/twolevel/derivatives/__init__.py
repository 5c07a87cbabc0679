"""What the program writes into OUTPUT_DIR, and finds there again."""

"""Input files: find and check them, and read their rows. One module for each format."""

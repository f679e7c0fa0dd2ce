"""One script for each claim of the README, and what they share."""

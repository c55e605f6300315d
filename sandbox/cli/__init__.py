"""The command line (DESIGN §8)."""

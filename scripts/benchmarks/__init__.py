"""The benchmarks behind scripts/bench. Not part of the package; they use it and the standard library only."""

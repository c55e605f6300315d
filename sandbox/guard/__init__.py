"""The guard: the Rust program of this folder, and `guard.py`, which finds the built binary (DESIGN §5)."""

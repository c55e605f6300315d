"""Baselines: the behaviours that were accepted for a package, and what a run did beyond them (docs/baselines.md)."""

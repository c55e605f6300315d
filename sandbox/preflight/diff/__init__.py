"""Two lock files for a pull request: what changed, the most dangerous first. Runs nothing and asks nobody."""

"""Reports: each is a function of one frozen RunResult (DESIGN §3)."""

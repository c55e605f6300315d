"""Supply-chain checks: what can be said of a workspace before anything of it runs. Nothing here starts a program."""

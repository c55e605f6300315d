"""What a run leaves behind: the guard's frames, events and units, the store of runs and the ledger (DESIGN §5, §7)."""

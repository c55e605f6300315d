"""The plan: the frozen, printable description of one container (DESIGN §2). Everything here is pure."""

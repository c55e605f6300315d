"""What this host offers for a sandbox, and what that means: facts -> checks -> tier. Looking is apart from judging."""

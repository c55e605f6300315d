"""The files of a locked package, read as data: from its `.crate`, its unpacked sources or its own folder."""

"""What we know of cargo: its command line, homes, configuration, workspaces, lock files and metadata.

Pure knowledge: it reads files with limits and never runs cargo, rustc, rustup or git, since each of them can be made to
run a program by a file of the tree.

Records here are named tuples, not data classes: they are on the way of every build, and a frozen data class costs a
millisecond to define where a named tuple costs a fifth of that.
"""

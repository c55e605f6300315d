"""The kinds of things that build-time code can reach for, each with its words and its weight alone."""

from __future__ import annotations

from typing import Literal, NamedTuple

Rank = Literal["ordinary", "notable", "reaches", "attack-like combination"]
RANKS: tuple[Rank, ...] = ("ordinary", "notable", "reaches", "attack-like combination")
_O, _N, _R, _A = RANKS


class Kind(NamedTuple):
    """What one sighting of it weighs, and how it is said."""

    alone: Rank
    words: str


KINDS: dict[str, Kind] = {
    # The network.
    "network": Kind(_N, "talks to the network"),
    "download-tool": Kind(_N, "starts a program that downloads"),
    "git-update": Kind(_N, "lets git fetch submodules"),
    "raw-address": Kind(_N, "names a network address by its numbers"),
    "metadata-address": Kind(_A, "names the address of a cloud's metadata service"),
    "drop-site": Kind(_R, "names a service that stolen data is often sent to"),
    # Programs.
    "spawn": Kind(_N, "starts a program"),
    "spawn-computed": Kind(_N, "starts a program whose name is computed"),
    "spawn-scratch": Kind(_R, "starts a program in a scratch folder"),
    "shell": Kind(_N, "starts a shell"),
    "shell-pipe": Kind(_A, "lets a shell run what is downloaded or decoded"),
    "odd-program": Kind(_R, "starts a program that builds don't need"),
    "host-program": Kind(_N, "starts a program that tells about the machine or user"),
    "persist-program": Kind(_A, "starts a program that makes others start later"),
    "git-content": Kind(_N, "takes the contents of a git repository"),
    "publish": Kind(_A, "publishes packages"),
    "detach": Kind(_N, "takes a process out of its group or session"),
    # The environment and the machine.
    "env-all": Kind(_N, "reads all environment variables"),
    "env-secret": Kind(_N, "reads a variable that holds a secret"),
    "env-ci": Kind(_O, "asks whether a CI system builds"),
    "env-home": Kind(_O, "asks for the home folder"),
    "env-user": Kind(_N, "asks for the user's or machine's name"),
    "container-path": Kind(_R, "looks whether it is in a container or freshly started machine"),
    "kernel-path": Kind(_A, "names a way out of a container"),
    "debugger": Kind(_R, "looks whether it is traced"),
    "clock": Kind(_O, "asks for the time"),
    "date-gate": Kind(_R, "compares the time with a date"),
    "sleep": Kind(_N, "waits"),
    # Files.
    "credential-path": Kind(_R, "names a place of credentials"),
    "dotenv": Kind(_N, "names a .env file"),
    "persist-path": Kind(_R, "names a place whose content runs later"),
    "temp-folder": Kind(_O, "names the scratch folder"),
    "temp-path": Kind(_N, "names a file in a scratch folder"),
    "home-path": Kind(_N, "names a place in the home folder"),
    "library-path": Kind(_N, "names compiled libraries of others"),
    "write": Kind(_O, "writes files"),
    "write-outside": Kind(_R, "writes to an absolute path"),
    "delete": Kind(_O, "deletes files"),
    "delete-outside": Kind(_R, "deletes an absolute path or the home folder"),
    "chmod-exec": Kind(_N, "makes a file executable"),
    # Hidden things.
    "decode": Kind(_N, "decodes text at run time"),
    "xor": Kind(_O, "combines bytes by exclusive or"),
    "alphabet": Kind(_O, "holds an alphabet as encodings have"),
    "obfuscation": Kind(_R, "hides its strings"),
    "hidden-text": Kind(_A, "holds encoded text that names places, hosts or programs"),
    "encoded-literal": Kind(_N, "holds a long encoded literal"),
    "byte-blob": Kind(_N, "holds a long list of bytes without order"),
    "includes-executable": Kind(_R, "takes in an executable file"),
    "includes-binary": Kind(_N, "takes in a binary file"),
    "reads-binary": Kind(_N, "reads a binary file of the package"),
    # Under the language.
    "unsafe": Kind(_N, "has unsafe code"),
    "asm": Kind(_R, "has assembler code"),
    "extern": Kind(_N, "declares foreign functions"),
    "kernel-call": Kind(_A, "makes kernel calls that builds don't need"),
    "memory-exec": Kind(_A, "runs programs from memory"),
    "raw-call": Kind(_R, "makes kernel calls by number"),
    "dlopen": Kind(_R, "loads libraries at run time"),
    # What it says to cargo.
    "link-arg": Kind(_N, "gives the linker arguments"),
    "compiler-env": Kind(_R, "sets variables that choose other programs or libraries"),
    "search-path": Kind(_N, "sets where programs or libraries are looked for"),
    # What can't be seen.
    "code-text": Kind(_R, "holds code as text that talks to others, starts programs or takes the environment"),
    "masked-name": Kind(_R, "pastes the name of a dangerous function together"),
    "unknown-import": Kind(_O, "takes in all names of another package"),
    "generated": Kind(_O, "takes in source that is generated while it is built"),
    "outside": Kind(_R, "takes in a file outside the package"),
}

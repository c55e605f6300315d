"""The findings of the supply-chain checks, by code. Codes are never reused or renumbered."""

from __future__ import annotations

from sandbox.judge.catalogue import Entry

_HOSTILE = "do not build it; find out who put it into the graph"

CODES: dict[str, Entry] = {
    # Where packages come from (sandbox/preflight/sources, integrity).
    "CS0501": Entry(
        "comes from another source than the project's rules name for it",
        "critical",
        "this is dependency confusion: name the registry in Cargo.toml (registry = …), or mend [sources]",
    ),
    "CS0502": Entry(
        "has an internal name and was taken from the public registry",
        "high",
        "the private index has this name too: name the registry in Cargo.toml, or reserve the name",
    ),
    "CS0503": Entry(
        "comes from a source that is not on the list of allowed ones",
        "high",
        "add the source to [sources] allowed, or remove the dependency",
    ),
    "CS0504": Entry(
        "is replaced by something else",
        "medium",
        "a [patch], `paths` override or [source] replacement stands in: look at what it puts in place",
    ),
    "CS0505": Entry("is a git dependency without a fixed revision", "low", 'write rev = "…" in Cargo.toml'),
    "CS0506": Entry("comes over plain HTTP", "high", "use an https index, or a local registry"),
    "CS0507": Entry(
        "has a registry that shadows another",
        "medium",
        "two registries answer for the same packages: give each its own name and URL",
    ),
    "CS0508": Entry(
        "is an internal package with an unbounded requirement",
        "medium",
        'write a bounded requirement ("1.2"), so that no 99.0 from elsewhere fits',
    ),
    "CS0509": Entry(
        "has a version number as in confusion attacks", "medium", "compare with the versions that its owner published"
    ),
    "CS0510": Entry(
        "differs from the lock file's checksum", "critical", "remove the file from the cargo home and fetch it anew"
    ),
    "CS0511": Entry(
        "has unpacked sources that differ from the package",
        "critical",
        "something changed them after they were unpacked: remove the folder, find out what did it, fetch anew",
    ),
    "CS0512": Entry(
        "has a package archive that is not made as cargo makes them",
        "high",
        "links, paths out of the folder, doubled entries and bombs are attacks on who unpacks it: do not build it",
    ),
    # What packages are called (names).
    "CS0520": Entry("has a name that looks like a well-known package's", "high", "if it is meant: [names] allow"),
    "CS0521": Entry("has a name that looks like one of the project's own", "high", "if it is meant: [names] allow"),
    "CS0522": Entry(
        "claims the identity of another project", "medium", "compare its owner and repository with the real one's"
    ),
    # What changed since the last accepted state (changes).
    "CS0530": Entry("is new in the graph", "low", "read it, then accept it: cargo-sandbox baseline accept"),
    "CS0531": Entry("has another version than was accepted", "low", "cargo-sandbox audit diff shows what changed"),
    "CS0532": Entry("has the accepted version, with another checksum", "critical", _HOSTILE),
    "CS0533": Entry(
        "has dependencies that it did not have, and little else changed",
        "high",
        "this was the attack on arrayref: read the new dependency before anything else",
    ),
    "CS0534": Entry("no longer names its repository", "medium", "compare with the release before"),
    "CS0535": Entry(
        "has come to carry large binary or encoded data", "medium", "look at what the data is and who reads it"
    ),
    "CS0536": Entry("was yanked", "medium", "take another version: cargo update -p"),
    "CS0537": Entry("was published only just now", "medium", "wait, or take the version before"),
    "CS0538": Entry(
        "has a build script or macro that changed", "medium", "cargo-sandbox audit diff shows the change; read it"
    ),
    # What is known of it (advisories).
    "CS0550": Entry(
        "is known to be malicious", "critical", "remove it; treat the machines that built it as compromised"
    ),
    "CS0551": Entry("has a known vulnerability", "high", "take a version that is mended"),
    "CS0552": Entry("is unsound", "medium", "take a version that is mended"),
    "CS0553": Entry("is unmaintained", "low", "look for another package that does this"),
    "CS0554": Entry("has a notice in the advisory database", "low", "read the notice"),
    "CS0555": Entry(
        "the advisory database is too old", "medium", "fetch a new one, or point --advisory-db at a newer clone"
    ),
    "CS0556": Entry(
        "an ignored advisory is not needed any more, or has expired", "low", "remove it from [advisories] ignore"
    ),
    # What its build-time code can do (reader).
    "CS0570": Entry(
        "has build-time code with a combination that attacks use", "high", "read these lines before building"
    ),
    "CS0571": Entry("has build-time code that reaches for much", "medium", "read these lines"),
    "CS0572": Entry("carries an executable", "medium", "find out what it is for; sources need none"),
    "CS0573": Entry(
        "has build-time code that can't be read", "medium", "read it yourself; a compiler would accept more"
    ),
    # How well the project is pinned (pinning).
    "CS0590": Entry("has no lock file, or an outdated one", "low", "run cargo generate-lockfile and commit Cargo.lock"),
    "CS0591": Entry("has a loose requirement", "low", "write a bounded version"),
    "CS0592": Entry("is a path dependency outside the tree", "low", "move it into the workspace, or publish it"),
    "CS0593": Entry("has no pinned toolchain", "low", "write rust-toolchain.toml with a channel"),
    "CS0594": Entry("has a CI that does not use --locked", "low", "add --locked"),
}

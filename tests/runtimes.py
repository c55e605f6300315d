"""A Docker daemon of the tests' own, with OCI runtimes in which the guard can do less; needs root.

`RUNTIMES` are runc behind a program that edits the container's configuration first: like gVisor it leaves out the
container's own syscall filter, and answers calls as gVisor does (google/gvisor#14627, #13439, #2323: seccomp(2) with
NEW_LISTENER EINVAL, landlock ENOSYS, PR_SET_CHILD_SUBREAPER EINVAL). gVisor itself is `GVISOR`, where it is installed.
The daemon's default runtime is one of the poorest, to show that this is given to nobody who did not ask for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import Lab, Project, wait_for

GVISOR = "runsc"
UNASKED, APART, BARE, WHOLE = "csbench-unasked", "csbench-apart", "csbench-bare", "csbench-whole"
FILTERLESS, BROKEN, ABSENT, MUTE = "csbench-filterless", "csbench-broken", "csbench-absent", "csbench-mute"
NOTIFY, LANDLOCK, SUBREAPER, FILTER = "notify", "landlock", "subreaper", "filter"
RUNTIMES = {
    UNASKED: (NOTIFY,),
    APART: (LANDLOCK,),
    BARE: (NOTIFY, LANDLOCK, SUBREAPER),
    WHOLE: (),
    FILTERLESS: (NOTIFY, LANDLOCK, FILTER),
}
"""Name -> what is missing there."""

# Rules of the OCI runtime specification (config-linux.md, "Seccomp"): what a call is answered with.
_ANSWERS = {
    NOTIFY: [
        {"names": ["seccomp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
         "args": [{"index": 1, "value": 8, "valueTwo": 8, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["seccomp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
         "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}]},
    ],
    LANDLOCK: [
        {"names": ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"],
         "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ],
    SUBREAPER: [
        {"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
         "args": [{"index": 0, "value": 36, "op": "SCMP_CMP_EQ"}]},
    ],
    FILTER: [{"names": ["seccomp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22}],
}  # fmt: skip
_WRAPPER = """\
#!{python} -IS
import json, os, sys

words = sys.argv[1:]
if "create" in words:
    bundle = words[words.index("--bundle") + 1] if "--bundle" in words else "."
    with open(os.path.join(bundle, "config.json")) as file:
        config = json.load(file)
    config["linux"]["seccomp"] = {{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": json.loads({rules!r})}}
    with open(os.path.join(bundle, "config.json"), "w") as file:
        json.dump(config, file)
os.execvp("runc", ["runc", *words])
"""
_FAILS = "#!/bin/sh\necho 'csbench: this runtime is broken' >&2\nexit 3\n"


@dataclass(frozen=True)
class Daemon:
    """A running daemon with all of RUNTIMES."""

    host: str

    def docker(self, *words: str) -> str:
        env = os.environ | {"DOCKER_HOST": self.host}
        return subprocess.run(["docker", *words], env=env, stdout=subprocess.PIPE, text=True, check=True).stdout

    def containers(self) -> list[str]:
        """Ids of everything that it has, running or not."""
        return self.docker("ps", "--all", "--quiet", "--no-trunc").split()

    def use(self, project: Project, runtime: str = "") -> Project:
        """Let a project's builds run here, in a runtime if one is named."""
        project.env["DOCKER_HOST"] = self.host
        if runtime:
            project.env["CARGO_SANDBOX_RUNTIME"] = runtime
        return project


def gvisor() -> str | None:
    """gVisor's runtime, if it is here."""
    return shutil.which(GVISOR)


def build_dir(project: Project, runtime: str = "") -> Path:
    """Where a build of root's keeps its intermediates; without a name, a recorded one."""
    return project.target / ".cargo-sandbox" / ("build-60800" + (f".{runtime}" if runtime else ""))


@pytest.fixture(scope="session")
def daemon(lab: Lab) -> Iterator[Daemon]:
    """The daemon, for the whole session."""
    if os.geteuid() != 0:
        pytest.skip("only root starts a Docker daemon")
    top = Path(tempfile.mkdtemp(prefix="csd-"))  # short: paths of sockets have at most 107 bytes
    try:
        yield from _running(top)
    finally:
        shutil.rmtree(top)


def _running(top: Path) -> Iterator[Daemon]:
    registered: dict[str, dict[str, object]] = {BROKEN: {"path": str(_program(top, BROKEN, _FAILS))}}
    registered[ABSENT] = {"path": str(top / ABSENT)}
    registered[MUTE] = {"path": str(_program(top, MUTE, "#!/bin/sh\nexit 0\n"))}
    for name, missing in RUNTIMES.items():
        rules = json.dumps([rule for word in missing for rule in _ANSWERS[word]])
        text = _WRAPPER.format(python=sys.executable, rules=rules)
        registered[name] = {"path": str(_program(top, name, text))}
    if found := gvisor():
        # Without kvm; and Debian's takes every network namespace of a newer kernel for the host's own.
        registered[GVISOR] = {"path": found, "runtimeArgs": ["--platform=ptrace", "--network=none"]}
    settings = {"runtimes": registered, "default-runtime": BARE, "bridge": "none", "iptables": False}
    (top / "daemon.json").write_text(json.dumps(settings | {"storage-driver": "vfs"}))
    host = f"unix://{top}/sock"
    command = ["dockerd", "--config-file", str(top / "daemon.json"), "-H", host, "--pidfile", str(top / "pid")]
    command += ["--data-root", str(top / "data"), "--exec-root", str(top / "exec")]
    with (top / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        made = Daemon(host)
        wait_for(lambda: process.poll() is not None or _answers(host), 60, "the daemon")
        assert process.poll() is None, (top / "log").read_text()[-2000:]
        yield made
    finally:
        process.terminate()
        process.wait(60)
        # The daemon leaves its own network namespace mounted.
        for line in Path("/proc/self/mounts").read_text().splitlines():
            if (place := line.split()[1]).startswith(f"{top}/"):
                subprocess.run(["umount", place], check=False)


def _answers(host: str) -> bool:
    env = os.environ | {"DOCKER_HOST": host}
    return subprocess.run(["docker", "version"], env=env, capture_output=True, check=False).returncode == 0


def _program(top: Path, name: str, text: str) -> Path:
    path = top / name
    path.write_text(text)
    path.chmod(0o755)
    return path

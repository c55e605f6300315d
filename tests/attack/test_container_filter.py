"""The Docker Engine's profile on a real daemon: it refuses what it names, the guard can work under it, and what the
guard refuses is in the record although the container's filter refuses it too."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.plan import seccomp
from sandbox.trace import frames
from tests.attack.kernel_calls import numbers
from tests.engines import only
from tests.harness import ROOT, guard_binary

pytestmark = [pytest.mark.attack, pytest.mark.engine, only("docker", "the filter that a daemon loads")]

NEWUSER, AUDIT, READ_IMPLIES_EXEC, PR_SET_DUMPABLE = 0x10000000, 9, 0x400000, 4
GARBAGE = 0xDEAD_BEEF << 32
SIGSYS = "signal 31"

# Name -> (call, arguments), harmless should they succeed. First what is refused, then its neighbours that are not.
REFUSED = {
    "io-uring": ("io_uring_setup", "4", "buf"),
    "netlink": ("socket", "16", "3", str(AUDIT)),
    "netlink-high": ("socket", str(GARBAGE | 16), "3", str(GARBAGE | AUDIT)),
    "alg": ("socket", "38", "5", "0"),
    "vsock": ("socket", "40", "1", "0"),
    "unshare": ("unshare", str(NEWUSER)),
    "clone": ("clone", str(GARBAGE | NEWUSER | 17)),
    "keyctl": ("keyctl", "0", "-3", "0"),
    "bpf": ("bpf", "0", "buf", "64"),
    "userfaultfd": ("userfaultfd", "1"),
    "ptrace": ("ptrace", "0"),
    "tiocsti": ("ioctl", "0", str(GARBAGE | 0x5412), "buf"),
    "personality": ("personality", str(READ_IMPLIES_EXEC)),
    "handle": ("open_by_handle_at", "-100", "buf", "0"),
}
PASSING = {
    "route": ("socket", "16", "3", "0"),
    "unix": ("socketpair", "1", "1", "0", "buf"),
    "fork": ("clone", "17"),
    "window": ("ioctl", "0", "0x5413", "buf"),
    "no-random": ("personality", "0x40000"),
    "read": ("read", "-1"),
    "dumpable": ("prctl", "3"),
}
DONE_WITHOUT = {"clone3": ("clone3", "buf", "88"), "openat2": ("openat2", "-100", "buf", "buf", "24")}


def words(calls: dict[str, tuple[str, ...]]) -> list[str]:
    return [f"{name}:{','.join((str(numbers()[call]), *args))}" for name, (call, *args) in calls.items()]


def outcomes(printed: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in printed.splitlines())


@dataclass(frozen=True)
class Container:
    """An image with nothing but the probe and the guard."""

    image: str

    def run(self, profile: str, *command: str, given: bytes = b"") -> bytes:
        name = profile if profile == "unconfined" else str(ROOT / "profiles" / "seccomp" / f"docker-{profile}.json")
        options = ["--rm", "-i", "--network", "none", "--cap-drop", "ALL", "--user", "1000:1000", "--tmpfs", "/tmp"]
        options += ["--security-opt", "no-new-privileges", "--security-opt", f"seccomp={name}", "--env", "CSBENCH=1"]
        started = ["docker", "run", *options, self.image, *command]
        with subprocess.Popen(started, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            # It stays open: a guard whose input ends takes its host for gone.
            process.stdin.write(given)
            process.stdin.flush()
            printed = process.stdout.read()
            assert process.wait(timeout=60) == 0, printed
        return printed

    def probe(self, profile: str, calls: list[str]) -> dict[str, str]:
        return outcomes(self.run(profile, "/calls", *calls).decode())


@pytest.fixture(scope="module")
def container(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    probe = tmp_path_factory.mktemp("probe") / "calls"
    subprocess.run(["cc", "-static", "-O1", "-o", probe, Path(__file__).parent / "probe" / "calls.c"], check=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, path in (("calls", probe), ("guard", guard_binary())):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, path.stat().st_size
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    image = f"csbench-container-filter:{os.getpid()}"
    subprocess.run(["docker", "import", "-", image], input=archive.getvalue(), stdout=subprocess.DEVNULL, check=True)
    yield Container(image)
    subprocess.run(["docker", "image", "rm", "--force", image], stdout=subprocess.DEVNULL, check=True)


@pytest.mark.parametrize("level", ["standard", "strict"])
def test_the_container_refuses_by_itself_what_the_profile_names(container: Container, level: str) -> None:
    found = container.probe(level, words(REFUSED | DONE_WITHOUT))
    assert set(found.values()) == {f"errno {errno.ENOSYS}"}, found
    passing = container.probe(level, words(PASSING))
    blocked = {name for name, outcome in passing.items() if outcome == f"errno {errno.ENOSYS}"}
    assert blocked == ({"route"} if level == "strict" else set())


def test_without_the_profile_the_same_calls_get_to_the_kernel(container: Container) -> None:
    found = container.probe("unconfined", words(REFUSED))
    reached = {name for name, outcome in found.items() if outcome != f"errno {errno.ENOSYS}"}
    assert reached >= {"netlink", "netlink-high", "unshare", "clone", "ptrace", "tiocsti", "personality", "keyctl"}, (
        found
    )
    assert {found[name] for name in ("netlink", "netlink-high", "ptrace", "personality")} == {"ok"}


def test_programs_of_another_abi_are_ended(container: Container) -> None:
    if os.uname().machine != "x86_64":
        return  # there is no other entry into an aarch64 kernel
    found = container.probe("standard", ["i386:i386/20", "x32:x32/39"])
    assert found == {"i386": SIGSYS, "x32": SIGSYS}
    assert container.probe("unconfined", ["i386:i386/20"])["i386"] in ("ok", "signal 11"), "where the kernel has it"


@pytest.mark.parametrize("level", ["standard", "strict"])
def test_the_guard_works_in_the_container_and_records_what_the_container_refuses_as_well(
    container: Container, level: str
) -> None:
    calls = seccomp.load(level=level)
    config: list[tuple[str, bytes]] = [("arg", word.encode()) for word in ("/calls", *words(REFUSED | PASSING))]
    config += [("env", b"CSBENCH=1"), ("cwd", b"/"), ("filter", calls.program.hex().encode()), ("stdout", b"pipe")]
    config += [("refuse", f"{number}={error}".encode()) for number, error in calls.refused]
    config += [("build_dir", b"/tmp/build"), ("target_dir", b"/tmp/target"), ("require_landlock", b"1")]
    stream = container.run(level, "/guard", "init", given=frames.encode_config(config))
    received = list(frames.FrameDecoder().feed(stream))
    assert received[-1][0] == frames.EXIT, received
    told = outcomes(b"".join(payload for kind, payload in received if kind == frames.STDOUT).decode())
    events = [json.loads(line) for kind, payload in received if kind == frames.EVENTS for line in payload.splitlines()]
    denied = [event["call"] for event in events if event["outcome"] == "denied" and event["by"] == "guard"]
    strict = {"route"} if level == "strict" else set()
    expected = [call for name, (call, *_) in (REFUSED | PASSING).items() if name in REFUSED or name in strict]
    assert sorted(denied) == sorted(expected), "each attempt is in the record, once"
    own_words = {f"errno {error}" for error in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT)}
    assert {told[name] for name in REFUSED} == own_words, "the guard's answer, not the container's"
    assert {told["unix"], told["fork"], told["no-random"]} == {"ok"}

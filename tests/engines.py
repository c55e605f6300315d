"""The same tests with each engine, as root and as an ordinary user.

Every test of tests/engine and tests/attack runs with each engine that `--engines` names, as whoever started pytest,
unless it says why not:

    @only("docker", "a control group is what ends it")
    @only("root", "nobody else can give files away")
    @once("makes no container")

    @core                                       # a part that stands for the whole: --engines bubblewrap,docker:core

scripts/test runs the whole with bubblewrap as root and with Docker as an ordinary user, and the core of the other two
combinations: at least one test of each wall, verb, ending and fault.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import docker
import psutil
import pytest

from sandbox.engine import docker_image, docker_leftovers

ENGINES = ("bubblewrap", "docker")
USERS = ("root", "ordinary")
core = pytest.mark.core

_LEFT_OUT = pytest.StashKey[Counter[str]]()


def only(name: str, reason: str) -> pytest.MarkDecorator:
    """For a test that is about one engine or one kind of user by its nature, which `reason` says."""
    assert name in ENGINES + USERS and reason
    return pytest.mark.only(name, reason)


def once(reason: str) -> pytest.MarkDecorator:
    """For a test that has nothing to do with an engine: it runs with the first one."""
    assert reason
    return pytest.mark.once(reason)


def chosen(config: pytest.Config) -> Mapping[str, bool]:
    """Engines by name, in the order of `--engines`, and whether of each only the core is wanted."""
    found = {}
    for word in config.getoption("engines").split(","):
        name, _, part = word.partition(":")
        if name not in ENGINES or part not in ("", "core"):
            raise pytest.UsageError(f"--engines: {word!r} is none of {', '.join(ENGINES)}, with or without :core")
        found[name] = part == "core"
    return found


def user() -> str:
    """The kind of user that runs the tests."""
    return "root" if os.geteuid() == 0 else "ordinary"


def why_not(item: pytest.Item, engines: Mapping[str, bool]) -> str:
    """Why a test does not run, or an empty text."""
    engine = item.callspec.params["engine"]  # type: ignore[attr-defined]
    if engine not in engines:
        return f"no {engine} in --engines"
    for mark in item.iter_markers("only"):
        name, reason = mark.args
        if name not in (engine, user()):
            return f"only {name}: {reason}"
    for mark in item.iter_markers("once"):
        if engine != next(iter(engines)):
            return f"once: {mark.args[0]}"
    # What no other kind of user can run is run whole here, or it would be run nowhere.
    mine = any(mark.args[0] == user() for mark in item.iter_markers("only"))
    if engines[engine] and not mine and not item.get_closest_marker("core"):
        return f"not of the core, which is all that --engines wants with {engine}"
    return ""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cargo-sandbox")
    group.addoption("--engines", default=",".join(ENGINES), help="engines to test with, each with :core for a part")
    group.addoption("--only-engines", action="store_true", help="leave out tests that don't run with each engine")


def pytest_configure(config: pytest.Config) -> None:
    chosen(config)
    config.stash[_LEFT_OUT] = Counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "each_engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", ENGINES, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    engines, kept = chosen(config), []
    for item in items:
        if "each_engine" in getattr(item, "fixturenames", ()):
            reason = why_not(item, engines)
        else:
            reason = "--only-engines" if config.getoption("only_engines") else ""
        if not reason:
            kept.append(item)
        elif reason != "--only-engines":
            config.stash[_LEFT_OUT][reason] += 1
    gone = [item for item in items if item not in kept]
    config.hook.pytest_deselected(items=gone)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left = config.stash[_LEFT_OUT]
    if left:
        terminalreporter.section(f"left out as {user()}, with --engines {config.getoption('engines')}")
        for reason, count in sorted(left.items()):
            terminalreporter.line(f"{count:4} {reason}")


def remove_images(base: Path, since: float) -> None:
    """Remove the images that were made since a time for plans with mount points below a folder."""
    client = docker.from_env()
    for image in client.api.images(name=docker_image.REPOSITORY):
        made = image["Created"] >= int(since)
        if made and str(base)[1:].encode() in b"".join(client.api.get_image(image["Id"])):
            with contextlib.suppress(docker.errors.APIError):  # a test that failed may have left a container
                client.api.remove_image(image["Id"], force=True)
    client.close()


def members(pid: int, engine: str) -> list[psutil.Process]:
    """The processes that make up the container of the orchestrator `pid`, as this machine sees them."""
    if engine == "bubblewrap":
        return psutil.Process(pid).children(recursive=True)
    command = ["docker", "inspect", "--format", "{{.State.Pid}}", *containers_of(pid)]
    first = psutil.Process(int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
    return [first, *first.children(recursive=True)]


def broken_bwrap(folder: Path) -> Path:
    """A bwrap that may not make user namespaces, as on Ubuntu 24.04."""
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    return program


def daemon_answers() -> bool:
    """Whether there is a daemon to test with."""
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def containers() -> list[dict[str, str]]:
    """All containers of ours, whoever started them: id, state, labels as text."""
    command = ["docker", "ps", "--all", "--no-trunc", "--filter", "label=cargo-sandbox.owner", "--format", "{{json .}}"]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def containers_of(pid: int) -> list[str]:
    """Ids of the containers that the process `pid` of this machine has started."""
    _, where, *_ = docker_leftovers.owner().split(" ")
    return [found["ID"] for found in containers() if f" {where} {pid} " in found["Labels"]]

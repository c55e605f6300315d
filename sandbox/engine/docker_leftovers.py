"""Whose a container is, written on it, so that one whose owner was killed is found and removed by the next run.

A container ends with its owner anyway: the guard's input is the owner's connection. What can stay is one that was made
and never started, and what the daemon did not get round to removing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker.api.client import APIClient

OWNER = "cargo-sandbox.owner"
PLAN = "cargo-sandbox.plan"
RUN = "cargo-sandbox.run"


def owner() -> str:
    """This process: user, PID namespace and boot that its pid has a meaning in, pid, start time."""
    pid = os.getpid()
    return f"{os.getuid()} {_where()} {pid} {_started(pid)}"


def is_orphan(label: str) -> bool:
    """Whether a container's owner is certainly gone. False where that can't be told: another user's, whose processes
    may be hidden from us, and another PID namespace's or machine's."""
    fields = label.split(" ")
    if len(fields) != 4 or fields[1] != _where() or not (fields[0].isdigit() and fields[2].isdigit()):
        return False
    if int(fields[0]) != os.getuid():
        return False
    return _started(int(fields[2])) != fields[3]


def remove(api: APIClient) -> None:
    """Remove the containers of ours whose owner is gone. What can't be removed now is tried again by the next run."""
    import requests
    from docker.errors import DockerException

    with contextlib.suppress(DockerException, requests.RequestException):
        for found in api.containers(all=True, filters={"label": OWNER}):
            labels: Mapping[str, str] = found.get("Labels") or {}
            if is_orphan(labels.get(OWNER, "")):
                with contextlib.suppress(DockerException):
                    api.remove_container(found["Id"], force=True, v=True)


def _where() -> str:
    """Boot and PID namespace."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            return f"{boot.read().strip()}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return "unknown"


def _started(pid: int) -> str:
    """Start time in clock ticks since boot (proc_pid_stat(5), field 22); empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""

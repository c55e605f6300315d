"""Synthetic runs: a plan, unit records and events of a build somewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.behaviour.model import Behaviour, Fact, Profile
from sandbox.behaviour.normalise import Normaliser
from sandbox.behaviour.profile import profile
from sandbox.behaviour.roots import roots_of
from sandbox.behaviour.units import Units, own_roots


@dataclass
class Build:
    """A build of the package `evil` (script u1, rustc u2) that depends on `good`, in a workspace at `ws`."""

    ws: str = "/home/ann/ws"
    home: str = "/home/ann"
    cargo_home: str = "/home/ann/.cargo"
    toolchain: str = "/home/ann/.rustup/toolchains/stable"
    hash: str = "0123456789abcdef"
    first_pid: int = 20
    outputs: list[dict[str, Any]] = field(default_factory=list)
    directives: list[Any] = field(default_factory=list)
    survivors: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def build_dir(self) -> str:
        return f"{self.ws}/target/.cargo-sandbox/build"

    @property
    def out(self) -> str:
        return f"{self.build_dir}/debug/build/evil-{self.hash}/out"

    @property
    def script(self) -> str:
        return f"{self.build_dir}/debug/build/evil-{self.hash[::-1]}/build-script-build"

    @property
    def good(self) -> str:
        return f"{self.cargo_home}/registry/src/index-1949cf8c6b5b557f/good-2.0.0"

    @property
    def scratch(self) -> str:
        return f"/run/cargo-sandbox/scratch/cs-{self.first_pid}-aB3dE9"

    def plan(self) -> dict[str, Any]:
        mounts = [
            {"kind": "ro", "target": "/usr", "why": "system"},
            {"kind": "tmpfs", "target": self.home, "why": "fresh home"},
            {"kind": "ro", "target": f"{self.home}/.ssh/id_ed25519", "why": "decoy"},
            {"kind": "ro", "target": self.toolchain, "why": "toolchain"},
            {"kind": "ro", "target": self.ws, "why": "sources"},
        ]
        return {
            "command": [f"{self.toolchain}/bin/cargo", "build"],
            "mounts": mounts,
            "env": [["HOME", self.home], ["CARGO_HOME", self.cargo_home], ["PATH", "/usr/local/bin:/usr/bin"]],
            "build_dir": self.build_dir,
            "target_dir": f"{self.ws}/target",
            "owners": [
                [f"{self.ws}/evil/src/lib.rs", "evil", "1.0.0", f"{self.ws}/evil"],
                [f"{self.good}/src/lib.rs", "good", "2.0.0", self.good],
            ],
        }

    def units(self) -> list[dict[str, Any]]:
        start = {"event": "start", "package": "evil", "version": "1.0.0", "manifest_dir": f"{self.ws}/evil", "t_ns": 1}
        deps = f"{self.build_dir}/debug/deps"
        end = {"event": "end", "status": 0, "t_ns": 2, "quiet": 3, "outputs_cut": False, "directives_cut": False}
        return [
            {"event": "start", "unit": "u0", "role": "cargo", "pid": 2},
            start | {"unit": "u1", "role": "script", "pid": self.first_pid, "out_dir": self.out, "exe": self.script},
            start
            | {"unit": "u2", "role": "rustc", "pid": 900, "crate": "evil", "crate_types": ["lib"], "out_dir": deps}
            | {"extra": f"-{self.hash}", "macros": [f"{deps}/libm-{self.hash}.so"]},
            end | {"unit": "u1", "outputs": self.outputs, "directives": self.directives, "survivors": self.survivors},
            end | {"unit": "u2", "outputs": [], "directives": [], "survivors": []},
        ]

    def act(self, kind: str, **fields: Any) -> Build:
        """One more event, of the script's first process unless said otherwise."""
        base = {"seq": len(self.events) + 1, "t_ns": 5, "unit": "u1", "pid": self.first_pid, "start": 7, "parent": 2}
        self.events.append(base | {"kind": kind, "outcome": "allowed"} | fields)
        return self

    def profile(self, holes: tuple[str, ...] = ()) -> Profile:
        return profile("r", self.plan(), self.ws, self.units(), self.events, holes)

    def unit(self, role: str = "script") -> Behaviour:
        return next(one for one in self.profile().behaviours if one.key.role == role)

    def facts(self, kind: Any = None) -> tuple[Fact, ...]:
        """Facts of the script."""
        unit = self.unit()
        return unit.facts if kind is None else unit.of(kind)

    def fact(self) -> Fact:
        """The only fact of the script."""
        (fact,) = self.facts()
        return fact

    def names(self, unit: str = "u1") -> Normaliser:
        units = Units()
        for record in self.units():
            units.take(record)
        known = units.known[unit]
        roots = roots_of(self.plan(), self.ws)
        return Normaliser(roots, own_roots(known, roots), known.pid)

"""What the probe came to in one engine: each way of running it once, kept for all tests that ask."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import Lab, guard_binary
from tests.walls.prober import Prober, Try, prober
from tests.walls.removals import rows
from tests.walls.rows import NOT_REMOVABLE, Row, Walls

LACKING = {
    "ENOSYS": "this kernel does not have it",
    "EAFNOSUPPORT": "this kernel does not have it",
    "ENOENT": "this machine does not have it",
    "EPERM": "this user may not",
    "EACCES": "this user may not",
    "no": "nothing to be had",
}
"""Why a row could not be tried: what the bare host answered."""


@dataclass
class Trials:
    """`real` has the guard that users have, `weak` one whose walls can be taken away."""

    engine: str
    real: Prober
    weak: Prober
    _removed: dict[Walls, dict[str, Try]] = field(default_factory=dict)

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """The engine's table by name."""
        return {row.name: row for row in rows(self.engine)}

    @functools.cached_property
    def host(self) -> dict[str, Try]:
        found = self.real.on_host()
        self.weak.lend(self.real.program)
        return found

    @functools.cached_property
    def inside(self) -> dict[str, Try]:
        assert self.host, "which also makes the set-id program"
        return self.real.inside()

    def without(self, walls: Walls) -> dict[str, Try]:
        """In a container without these walls."""
        assert self.host, "which also makes the set-id program"
        if walls not in self._removed:
            switches = [name for wall in sorted(walls) for name in self._switches(wall)]
            self._removed[walls] = self.weak.inside(switches)
        return self._removed[walls]

    def _switches(self, wall: str) -> list[str]:
        """The switches of one wall."""
        if wall != "hidden":
            return [wall]
        targets = self.weak.targets
        shown = [targets["host-file"], targets["toolchain"], "/sys", os.path.realpath("/var/run/docker.sock")]
        if self.engine == "docker":
            shown.append("/sys/fs/cgroup")  # it mounts one of its own there
        return [f"open={path}" for path in shown if os.path.exists(path)]

    def not_tried(self, row: Row) -> str:
        """Why the bare host proves nothing of a row; empty when the try got through there."""
        if row.name not in self.host:
            return "another kind of processor"
        answer = self.host[row.name].answer
        return "" if row.passes(answer) else LACKING.get(answer, answer)

    def opened(self, walls: Walls) -> set[str]:
        """Rows that got through with these walls away, of those that got through on the bare host."""
        found = self.without(walls)
        return {row.name for row in self.proven() if row.passes(found[row.name].answer)}

    def expected(self, walls: Walls) -> set[str]:
        """Rows that must get through then."""
        return {row.name for row in self.proven() if row.open_without(walls)}

    def proven(self) -> list[Row]:
        """Rows that got through on the bare host."""
        return [row for row in self.rows.values() if not self.not_tried(row)]

    def results(self) -> dict[str, dict[str, str]]:
        """A line a row, for docs/walls.md."""
        found = {}
        for row in self.rows.values():
            if row.name not in self.inside:
                continue
            why = self.not_tried(row)
            shown = [walls for walls in row.opened_by if walls in self._removed and row.name in self.opened(walls)]
            opens = " or ".join("+".join(sorted(walls)) for walls in shown)
            if row.wanted:
                opens = "let through on purpose"
            elif row.fixed:
                opens = f"can't be taken away: {NOT_REMOVABLE[row.fixed]}"
            found[row.name] = {
                "tried": self.inside[row.name].tried,
                "host": f"not tried here: {why}" if why else "gets through",
                "inside": self.inside[row.name].answer,
                "record": row.record,
                "opens": opens or "not shown here",
            }
        return found


@contextlib.contextmanager
def trials(lab: Lab, breakable: Path, engine: str) -> Iterator[Trials]:
    """Two workspaces, one for each guard."""
    with prober(lab, guard_binary(), engine) as real, prober(lab, breakable, engine) as weak:
        yield Trials(engine, real, weak)

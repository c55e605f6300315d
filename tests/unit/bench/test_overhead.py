"""`scripts/bench overhead`, with a cargo and a cargo-sandbox that only write down how they were called."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import cli, command, overhead

ROOT = Path(__file__).resolve().parents[3]

CARGO = """\
#!/bin/sh
echo "cargo $* in $(basename "$(dirname "$PWD")"), $([ -e target ] && echo full || echo empty)" >>$CALLS
env | grep -v ^_= | sort >>$CALLS.env
echo "cargo $(grep Cpus_allowed_list: /proc/self/status | cut -f 2)" >>$CALLS.places
[ "$1" = -V ] && echo "cargo 9.9.9"
[ "$1" = build ] && mkdir -p target && {build}
exit 0
"""
SANDBOX = """\
import os, sys
from datetime import datetime
from pathlib import Path
with open(os.environ["CALLS"], "a") as calls:
    state = "full" if Path("target").exists() else "empty"
    calls.write(f"sandbox {{sys.argv[1]}} in {{Path.cwd().parent.name}}, {{state}}\\n")
with open(os.environ["CALLS"] + ".places", "a") as places:
    places.write(f"sandbox {{','.join(map(str, sorted(os.sched_getaffinity(0))))}}\\n")
if sys.argv[1] == "build":
    Path("target").mkdir(exist_ok=True)
    from sandbox.judge.model import Completeness, RunResult
    from sandbox.trace.store import RunStore
    with RunStore().create(datetime.now().astimezone()) as writer:
        counters = Completeness(5, 3, 2, reasons={reasons!r})
        writer.finish(RunResult(writer.id, {verdict!r}, (), counters, 0, 0, None).to_json())
"""


class Stage:
    """The two fakes, a workspace, and what came of a run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.workspace = folder / "workspace"
        (self.workspace / "target").mkdir(parents=True)
        (self.workspace / "Cargo.toml").touch()
        (folder / "bin").mkdir()
        self.fake_cargo()
        self.fake_sandbox()
        for name in ("rustc", "strace"):
            self.program(name, 'while [ "$1" != cargo ] && [ $# -gt 0 ]; do shift; done\nexec "$@"')
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
        monkeypatch.setenv("CALLS", str(self.calls))
        monkeypatch.setattr(command, "_KEPT", (*command._KEPT, "CALLS"))
        monkeypatch.setattr(overhead, "cargo_sandbox", lambda: [sys.executable, str(folder / "fake.py")])

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def fake_cargo(self, build: str = "true") -> None:
        self.program("cargo", CARGO.format(build=build))

    def fake_sandbox(self, verdict: str = "clean", reasons: tuple[str, ...] = ()) -> None:
        (self.folder / "fake.py").write_text(SANDBOX.format(verdict=verdict, reasons=reasons))

    def bench(self, *more: str) -> int:
        words = f"overhead --workspace {self.workspace} --scratch {self.folder / 'scratch'}"
        sizes = "--pairs 2 --noop-pairs 3 --version-runs 2"
        return cli.main([*words.split(), *sizes.split(), "--json", str(self.folder / "report.json"), *more])

    @property
    def report(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return data

    def builds(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if " build in " in line]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_cold_builds_begin_with_nothing_and_the_sides_take_turns(stage: Stage) -> None:
    assert stage.bench() == 0
    assert stage.builds()[:5] == [
        "sandbox build in b, empty",
        "cargo build in a, empty",
        "sandbox build in b, empty",
        "sandbox build in b, empty",
        "cargo build in a, empty",
    ]


def test_noop_builds_come_after_uncounted_ones_and_take_turns_too(stage: Stage) -> None:
    assert stage.bench() == 0
    sides = [line.split()[0] for line in stage.builds()[5:]]
    assert sides == ["cargo", "sandbox", "cargo", "sandbox", "sandbox", "cargo", "cargo", "sandbox"]
    assert all(line.endswith("full") for line in stage.builds()[5:])


def test_crates_are_fetched_before_anything_is_timed_and_the_workspace_is_left_alone(stage: Stage) -> None:
    assert stage.bench() == 0
    calls = [line for line in stage.calls.read_text().splitlines() if "-V" not in line]
    assert calls[0] == "cargo fetch in a, empty"
    assert sorted(entry.name for entry in stage.workspace.iterdir()) == ["Cargo.toml", "target"]
    assert list((stage.workspace / "target").iterdir()) == []


def test_the_report_has_every_single_figure_and_the_thresholds(stage: Stage) -> None:
    assert stage.bench("--strace") == 0
    figures = stage.report["figures"]
    assert [len(figures["cold"][name]) for name in ("plain", "sandboxed")] == [2, 2]
    assert [len(figures["noop"][name]) for name in ("plain", "sandboxed")] == [3, 3]
    assert len(figures["version"]) == len(figures["python"]) == 2
    assert set(figures["cold"]["plain"][0]) == {"code", "wall_s", "cpu_s", "load", "steal_s"}
    assert figures["strace"]["code"] == 0
    assert figures["cold_records"][0]["counters"]["seen"] == 5
    assert [(entry["limit"], entry["unit"]) for entry in stage.report["thresholds"]] == [
        (1.03, ""), (120.0, "ms"), (60.0, "ms")
    ]  # fmt: skip
    assert all(entry["met"] in (True, False) for entry in stage.report["thresholds"])
    assert stage.report["machine"]["versions"]["cargo"] == "cargo 9.9.9"


def test_an_engine_can_be_named_and_has_thresholds_of_its_own(stage: Stage) -> None:
    assert stage.bench("--engine", "docker") == 0
    assert "CARGO_SANDBOX_ENGINE=docker" in Path(f"{stage.calls}.env").read_text().splitlines()
    assert [entry["limit"] for entry in stage.report["thresholds"]] == [1.05, 600.0, 60.0]


def test_side_by_side_each_has_a_processor_of_its_own_and_they_change_places(stage: Stage) -> None:
    assert stage.bench("--beside", "1") == 0
    if len(os.sched_getaffinity(0)) < 2:
        assert any("there is one processor" in note for note in stage.report["notes"])
        return
    first, second = sorted(os.sched_getaffinity(0))[:2]
    alone = [f"cargo {first}", f"cargo {second}", f"sandbox {first}", f"sandbox {second}"]
    places = Path(f"{stage.calls}.places").read_text().splitlines()
    assert sorted(line for line in places if line in alone) == alone
    assert [set(one) for one in stage.report["figures"]["beside"]] == 2 * [{"plain", "sandboxed"}]
    assert os.sched_getaffinity(0) >= {first, second}


def test_side_by_side_is_not_measured_where_a_daemon_chooses_the_processor(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage.bench("--beside", "1", "--engine", "docker") == 0
    assert "side by side was not measured" in capsys.readouterr().out
    assert "beside" not in stage.report["figures"]


def test_too_few_pairs_for_the_thresholds_are_said(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage.bench() == 0
    assert "5 cold pairs and 20 no-op pairs" in capsys.readouterr().out


def test_a_failed_build_is_code_1_with_what_it_said(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.fake_cargo(build="{ echo 'error: no linker'; exit 101; }")
    assert stage.bench() == 1
    captured = capsys.readouterr()
    assert "ended with 101:\nerror: no linker" in captured.err
    assert captured.out == ""
    assert not (stage.folder / "report.json").exists()
    assert list((stage.folder / "scratch").iterdir()) == []


def test_a_noop_that_compiles_is_no_noop_and_said_so(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.fake_cargo(build="echo '   Compiling serde'")
    assert stage.bench() == 0
    assert "3 of the no-op builds compiled something" in capsys.readouterr().out
    assert stage.report["figures"]["noop_rebuilt"] == 3


def test_a_record_with_a_hole_is_said(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.fake_sandbox("incomplete", ("2 events were lost",))
    assert stage.bench() == 0
    assert "has a hole: 2 events were lost" in capsys.readouterr().out


def test_without_strace_the_comparison_is_left_out_and_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage.folder / "bin" / "strace").unlink()
    for name in ("sh", "env", "grep", "sort", "mkdir", "basename", "dirname", "git"):
        found = next(Path(top, name) for top in ("/usr/bin", "/bin") if Path(top, name).exists())
        (stage.folder / "bin" / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(stage.folder / "bin"))
    assert stage.bench("--strace") == 0
    assert stage.report["figures"]["strace"] is None
    assert any("strace is not installed" in note for note in stage.report["notes"])


def test_plain_cargo_is_offline_with_caches_of_the_benchmark(stage: Stage) -> None:
    assert stage.bench() == 0
    seen = stage.calls.with_name("calls.env").read_text()
    assert "CARGO_NET_OFFLINE=true" in seen
    assert f"XDG_STATE_HOME={stage.folder}/scratch/bench-" in seen

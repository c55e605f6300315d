"""What is kept of a run, how it is shown, and what happens when it can't be kept."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.engine.crates import KITCHEN, binary, scripted
from tests.engines import core
from tests.harness import Lab, sandboxed

pytestmark = pytest.mark.engine


def test_plan_prints_what_would_be_run_and_runs_nothing(lab: Lab) -> None:
    project = lab.project(scripted('fn main() { panic!("the script ran") }'))
    project.env["SECRET_TOKEN"] = "s3cret"
    done = sandboxed(project, "plan", "build", "--release", "-j", "1")
    assert done.code == 0, done.shown
    for words in (
        "build --release -j 1",
        "network   none",
        "/run/cargo-sandbox/guard",
        f"ro      {project.dir}",
        f"rw      {project.target}",
        "decoy",
        "seccomp   sha256:",
        "CARGO_NET_OFFLINE=true",
        "SECRET_TOKEN",
    ):
        assert words in done.stdout, words
    assert "s3cret" not in done.stdout
    assert project.store.ids() == []
    assert not (project.target / "release").exists()
    assert not (project.build_dir / "release").exists()
    again = sandboxed(project, "plan", "build", "--release", "-j", "1")
    assert again.out == done.out
    assert sandboxed(project, "plan", "build").out != done.out


def test_runs_are_listed_shown_found_pinned_and_pruned(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    assert sandboxed(project, "runs").out == b""
    first = sandboxed(project, "build", options=["--pin"]).run
    second = sandboxed(project, "build", "--release", "-p", "derive").run
    third = sandboxed(project, "check").run

    listed = sandboxed(project, "runs", "list").stdout.splitlines()
    assert [line[:15] for line in listed] == [third.id, second.id, first.id]
    assert listed[2].startswith(f"{first.id}* clean")
    assert "build --release -p derive" in listed[1]

    shown = sandboxed(project, "runs", "show", first.id).stdout
    for words in (
        f"run        {first.id} (finished, pinned)",
        "verdict    clean, exit code 0",
        "0 lost",
        "script   native-sys",
    ):
        assert words in shown
    assert sandboxed(project, "runs", "path", "last").stdout == f"{third.path}\n"
    assert sandboxed(project, "runs", "pin", second.id[-4:]).stdout == f"pinned {second.id}\n"
    assert sandboxed(project, "runs", "unpin", first.id).stdout == f"unpinned {first.id}\n"
    assert sandboxed(project, "runs", "prune").stdout == "0 runs\n"
    assert sandboxed(project, "runs", "show", "nothing").code == 2

    old = 1_000_000_000
    header = first.path / "run.json"
    header.write_text(re.sub(r'"started_ns": ?[0-9]+', f'"started_ns": {old}', header.read_text()))
    assert sandboxed(project, "runs", "prune", "--dry-run").stdout.startswith(f"would remove {first.id}")
    assert sandboxed(project, "runs", "prune").stdout.endswith("1 runs\n")
    assert sorted(project.store.ids()) == sorted([second.id, third.id])


def test_a_record_holds_plan_events_units_output_result_and_versions(lab: Lab) -> None:
    project = lab.project(KITCHEN)
    run = sandboxed(project, "run", "--message-format", "json").run
    assert run.plan["seccomp_digest"].startswith("sha256:")
    assert run.header["workspace"] == str(project.dir)
    assert {"cargo-sandbox", "cargo", "rustc", "kernel", "guard", "engine"} <= set(run.header["versions"])
    assert re.match(r"cargo 1\.[0-9]+", run.header["versions"]["cargo"])
    assert b"42 7 Middle" in run.output()
    assert run.result["exit_code"] == 0
    assert (run.path.stat().st_mode & 0o777) == 0o700


@core
def test_a_finding_is_reported_again_and_explained(lab: Lab) -> None:
    script = (
        'fn main() { let home = std::env::var("HOME").unwrap();'
        ' let _ = std::fs::read(format!("{home}/.ssh/id_ed25519")); }'
    )
    project = lab.project(scripted(script))
    done = sandboxed(project, "build")
    assert done.code == 120, done.shown
    assert "error[CS01" in done.stderr
    assert "build script of app 0.1.0" in done.stderr
    again = sandboxed(project, "report", "last")
    assert again.code == 0
    assert again.stdout.strip().splitlines()[-1] == done.stderr.strip().splitlines()[-1]
    found = re.search(r"next: cargo-sandbox explain (\S+#[0-9]+)", done.stderr)
    assert found is not None
    explained = sandboxed(project, "explain", found[1])
    assert explained.code == 0, explained.shown
    for words in (".ssh/id_ed25519", "role         script", "package      app", "process and its ancestors", "CS01"):
        assert words in explained.stdout, explained.shown
    assert sandboxed(project, "explain", "last#999999").code == 2
    assert sandboxed(project, "explain", "last").code == 2
    assert sandboxed(project, "build", options=["--deny", "never", "--on-violation", "report"]).code == 0


NOISY = """\
fn main() {{
    let mut number = 1u64;
    for _ in 0..{times} {{
        number = number.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let other = number.rotate_left(29).wrapping_mul(0x9e3779b97f4a7c15);
        let _ = std::fs::metadata("x").and_then(|_| std::fs::File::open("x"));
        let _ = std::fs::File::open(format!("/{{number:016x}}{{other:016x}}"));
    }}
}}
"""


def test_a_state_folder_that_can_not_be_made_is_refused_before_anything_runs(lab: Lab) -> None:
    project = lab.project(scripted("fn main() {}"))
    project.write({"~/file": ""})
    project.env["XDG_STATE_HOME"] = str(project.path("~/file"))
    done = sandboxed(project, "build")
    assert done.code == 121, done.shown
    assert "state" in done.stderr
    assert not (project.target / "debug").exists()


def test_many_events_arrive_all_in_bounded_memory(lab: Lab) -> None:
    done = sandboxed(lab.project(scripted(NOISY.format(times=100_000))), "build")
    assert done.code == 0, done.shown
    complete = done.run.result["completeness"]
    assert (complete["lost"], complete["unreadable"], complete["reasons"]) == (0, 0, [])
    assert complete["listed"] >= 100_000
    assert done.peak_kb < 150 * 1024
    assert sum(event["kind"] == "open" for event in done.run.events(unit=done.units("script")[0]["unit"])) >= 100_000


def test_retention_keeps_a_hundred_runs(lab: Lab) -> None:
    project = lab.project(binary())
    run = sandboxed(project, "build").run
    for number in range(105):
        shutil.copytree(run.path, run.path.with_name(f"2020-01-01-{number:04}"))
    assert len(project.store.ids()) > 100
    sandboxed(project, "runs", "prune")
    assert run.id in project.store.ids()
    assert len(project.store.ids()) <= 100


def test_what_is_kept_of_a_run_is_read_by_nobody_else(lab: Lab) -> None:
    project = lab.project(binary())
    run = sandboxed(project, "build").run
    modes = subprocess.run(["find", run.path, "-perm", "/077"], stdout=subprocess.PIPE, check=True).stdout
    assert modes == b""

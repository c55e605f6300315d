"""`baseline …` and `review` on stored runs: the life of a baseline, without a build."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.baseline.shelf import BehaviourShelf
from sandbox.baseline.state import ledger_folder
from sandbox.baseline.store import load_all
from sandbox.behaviour.canonical import unit_json
from sandbox.behaviour.profile import profile_of
from sandbox.cargo.metadata import Facts
from sandbox.cli import graph, review
from sandbox.cli.main import main
from sandbox.cli.options import Settings
from sandbox.cli.place import find
from sandbox.trace.ledger import Ledger
from sandbox.trace.store import RunStore
from tests.unit.behaviour.made import Build

LOCK = """version = 4
[[package]]
name = "evil"
version = "1.0.0"
source = "registry+https://example.org/index"
checksum = "{sum}"
[[package]]
name = "ws"
version = "0.1.0"
"""
HOST = "x86_64-unknown-linux-gnu"
Run = Callable[..., str]


class Workspace:
    """A workspace with stored runs of the package `evil`."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.state = top / "state" / "cargo-sandbox"
        self.ws = top / "ws"
        (self.ws / "src").mkdir(parents=True)
        (self.ws / "src/lib.rs").write_text("")
        (self.ws / "Cargo.toml").write_text('[package]\nname = "ws"\nversion = "0.1.0"\nedition = "2021"\n')
        self.lock()

    def lock(self, checksum: str = "a" * 64, version: str = "1.0.0") -> None:
        (self.ws / "Cargo.lock").write_text(LOCK.format(sum=checksum).replace("1.0.0", version))

    def build(self) -> Build:
        return Build(ws=str(self.ws), home=str(self.top), cargo_home=str(self.top / ".cargo"))

    def stored(self, build: Build, units: list[dict[str, Any]] | None = None) -> str:
        with RunStore(self.state / "runs").create(datetime.now().astimezone()) as writer:
            versions = {"rustc": "rustc 1.95.0 (59807616e 2026-04-14)"}
            writer.write_header(
                {"argv": [], "cwd": build.ws, "workspace": build.ws, "versions": versions, "host": HOST}
            )
            writer.write_plan(build.plan())
            for record in build.units() if units is None else units:
                writer.unit(json.dumps(record).encode() + b"\n")
            writer.events(b"".join(json.dumps(event).encode() + b"\n" for event in build.events))
            writer.finish({"exit_code": 0, "verdict": "clean", "completeness": {"reasons": []}})
        return writer.id

    @property
    def baseline(self) -> Path:
        return self.ws / "cargo-sandbox.baseline"


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace(tmp_path)
    for name, value in (("XDG_STATE_HOME", "state"), ("XDG_DATA_HOME", "data"), ("HOME", ""), ("CARGO_HOME", ".cargo")):
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.chdir(made.ws)
    # What cargo says of the graph is for tests/engine: it takes a container.
    monkeypatch.setattr(graph, "resolved", lambda settings, manifest: Facts(str(made.ws), "", (), (), (), ()))
    return made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        got = capsys.readouterr()
        return code, got.out, got.err

    return run


Say = Callable[..., tuple[int, str, str]]


def curl(build: Build) -> Build:
    return build.act("exec", path="/usr/bin/curl", argv=["curl"], pid=21, parent=20)


def cc(build: Build) -> Build:
    return build.act("exec", path="/usr/bin/cc", argv=["cc"], pid=22, parent=20)


def compile_with(build: Build, *words: str) -> Build:
    return build.act("exec", unit="u2", pid=900, path="/run/cargo-sandbox/guard", argv=["guard", "rustc", *words])


def test_without_a_run_one_is_told_to_build_first(ws: Workspace, say: Say) -> None:
    for words in (("baseline", "init"), ("baseline", "status"), ("baseline", "verify"), ("review",)):
        code, out, err = say(*words)
        assert (code, out) == (2, "")
        assert "build first: cargo-sandbox build" in err


def test_a_life_from_init_over_drift_to_acceptance(ws: Workspace, say: Say) -> None:
    ws.stored(cc(ws.build()))
    code, out, err = say("baseline", "init")
    assert code == 0, err
    assert "accepted evil 1.0.0" in out
    entry = load_all(ws.baseline)["evil"].versions[0]
    assert (entry.checksum, entry.reason, entry.toolchain) == ("a" * 64, "initial state", "1.95.0")
    assert say("baseline", "verify", "--locked-baseline")[0] == 0
    assert say("baseline", "diff")[1] == "no difference\n"

    ws.stored(curl(cc(ws.build())))
    code, out, err = say("baseline", "verify", "--locked-baseline")
    assert code == 123
    assert "evil 1.0.0: 1 facts are not in the baseline" in out
    assert "cargo-sandbox review" in err
    code, out, _ = say("baseline", "diff", "evil")
    assert code == 0 and "+ exec exec /usr/bin/curl" in out and "/usr/bin/cc" not in out
    assert json.loads(say("baseline", "verify", "--json")[1])["findings"][0]["code"] == "CS0301"

    code, _, err = say("baseline", "accept", "evil")
    assert code == 2 and "without a reason" in err
    code, _, err = say("baseline", "accept", "evil", "--reason", "  ")
    assert code == 2
    before = (ws.baseline / "evil.toml").read_text()
    assert say("baseline", "accept", "evil", "--reason", "it fetches \u202e nothing")[0] == 0
    after = (ws.baseline / "evil.toml").read_text()
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    assert "\u202e" not in after and "\\u202e" in after
    assert say("baseline", "verify")[0] == 0


def test_init_is_for_once(ws: Workspace, say: Say) -> None:
    ws.stored(ws.build())
    assert say("baseline", "init", "--reason", "audited")[0] == 0
    assert load_all(ws.baseline)["evil"].versions[0].reason == "audited"
    code, _, err = say("baseline", "init")
    assert code == 2 and "there is a baseline already" in err


def test_status_says_rung_and_counts(ws: Workspace, say: Say) -> None:
    ws.stored(cc(ws.build()))
    assert "no baseline: accept today's state" in say("baseline", "status")[1]
    say("baseline", "init")
    assert "evil 1.0.0: same version (1.0.0, tree), nothing new" in say("baseline", "status")[1]
    ws.lock("b" * 64)
    row = json.loads(say("baseline", "status", "--json")[1])["packages"][0]
    assert (row["rung"], row["checksum"]) == ("same version, other checksum", "b" * 64)
    assert say("baseline", "verify")[0] == 123


def test_an_entry_says_under_what_it_was_accepted_and_diff_and_status_say_what_is_another_now(
    ws: Workspace, say: Say
) -> None:
    ws.stored(compile_with(cc(ws.build()), "--cfg", 'feature="std"', "--cfg", "not_a_feature"))
    assert say("baseline", "init")[0] == 0
    entry = load_all(ws.baseline)["evil"].versions[0]
    assert (entry.features, entry.target, entry.toolchain) == (("std",), HOST, "1.95.0")
    assert "features" not in say("baseline", "status")[1]

    ws.stored(compile_with(curl(cc(ws.build())), "--cfg", 'feature="net"', "--target", "wasm32-wasip1"))
    for out in (say("baseline", "diff")[1], say("baseline", "status")[1]):
        assert "features: net (accepted with std)" in out
        assert f"target: wasm32-wasip1 (accepted with {HOST})" in out
    (unit, *_) = json.loads(say("baseline", "diff", "--json")[1])["units"]
    assert unit["context"]["accepted"] == {"features": ["std"], "target": HOST, "toolchain": "1.95.0"}
    assert unit["context"]["now"]["features"] == ["net"]
    assert say("baseline", "accept", "evil", "--reason", "both")[0] == 0
    after = load_all(ws.baseline)["evil"].versions[0]
    assert (after.features, after.target) == (("net", "std"), f"wasm32-wasip1, {HOST}")


def test_what_the_pack_knows_was_accepted_by_nobody_here(
    ws: Workspace, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    assert "1 of 1 packages are as accepted (run" in say("baseline", "status")[1]
    ws.baseline.rename(tmp_path / "pack")
    monkeypatch.setattr("sandbox.baseline.store.pack_folder", lambda: tmp_path / "pack")
    out = say("baseline", "status")[1]
    assert "same version (1.0.0, pack), nothing new" in out
    assert "0 of 1 packages are as accepted, 1 more are as in the pack (run" in out


def test_a_project_elsewhere_is_named_by_its_manifest(
    ws: Workspace, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws.stored(cc(ws.build()))
    monkeypatch.chdir(tmp_path)
    for words in (("baseline", "status"), ("review",), ("baseline", "init")):
        code, _, err = say(*words)
        assert code == 101 and "could not find `Cargo.toml`" in err
    there = ("--manifest-path", "ws/Cargo.toml")
    assert say("baseline", "init", *there)[0] == 0
    assert (ws.baseline / "evil.toml").exists()
    for words in (("baseline", "verify"), ("baseline", "diff"), ("baseline", "prune"), ("review",), ("config", "show")):
        code, _, err = say(*words, *there)
        assert code == 0, err
    assert say("baseline", "export", "out", "--manifest-path=ws/Cargo.toml")[0] == 0
    assert say("baseline", "import", "out", *there)[0] == 0
    code, _, err = say("baseline", "status", "--manifest-path", "nowhere/Cargo.toml")
    assert code == 101 and "does not exist" in err
    assert say("baseline", "status", "--manifest-path")[0] == 2


def test_an_untrusted_tree_has_no_say_when_its_baseline_is_looked_at(ws: Workspace, say: Say) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    assert say("baseline", "verify")[0] == 0
    assert say("--untrusted", "baseline", "verify")[0] == 123
    assert "no baseline" in say("--untrusted", "baseline", "status")[1]


def test_a_run_of_an_older_lock_file_says_so_and_nothing_without_a_checksum_is_accepted(
    ws: Workspace, say: Say
) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    ws.lock(version="1.0.1")
    code, out, _ = say("baseline", "verify")
    assert code == 123 and "Cargo.lock has changed since run" in out and "it has no evil 1.0.0" in out
    assert "checksum" not in out
    code, _, err = say("baseline", "accept", "evil", "--reason", "x")
    assert code == 2 and "no unit of 'evil'" in err
    (entry,) = load_all(ws.baseline)["evil"].versions
    assert entry.checksum == "a" * 64


def test_the_state_of_another_run_may_be_accepted(ws: Workspace, say: Say) -> None:
    first = ws.stored(cc(ws.build()))
    ws.stored(curl(ws.build()))
    assert say("baseline", "accept", "--from", first, "--reason", "that one was right")[0] == 0
    facts = [one.fact.object for unit in load_all(ws.baseline)["evil"].versions[0].units for one in unit.facts]
    assert "/usr/bin/cc" in facts and "/usr/bin/curl" not in facts
    code, _, err = say("baseline", "accept", "nobody", "--reason", "x")
    assert code == 2 and "no unit of 'nobody'" in err


def test_a_run_of_another_workspace_is_not_taken(ws: Workspace, say: Say) -> None:
    other = Build(ws="/elsewhere")
    run = ws.stored(other)
    code, _, err = say("baseline", "accept", "--from", run, "--reason", "x")
    assert code == 2 and "is of the workspace" in err
    code, _, err = say("baseline", "init")
    assert code == 2 and "build first" in err


def test_a_rule_is_accepted_by_id_with_a_reason_for_content_that_has_a_checksum(ws: Workspace, say: Say) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    assert load_all(ws.baseline)["evil"].versions[0].waivers == ()
    code, _, err = say("baseline", "accept", "--rule", "CS0201", "--reason", "x")
    assert code == 2 and "needs the package" in err
    code, _, err = say("baseline", "accept", "evil", "--rule", "all", "--reason", "x")
    assert code == 2 and "not the id of a rule" in err
    assert say("baseline", "accept", "evil", "--rule", "CS0201", "--reason", "it must")[0] == 0
    (waiver,) = load_all(ws.baseline)["evil"].versions[0].waivers
    assert (waiver.rule, waiver.reason) == ("CS0201", "it must")
    (ws.ws / "Cargo.lock").write_text('version = 4\n[[package]]\nname = "evil"\nversion = "1.0.0"\n')
    code, _, err = say("baseline", "accept", "evil", "--rule", "CS0201", "--reason", "x")
    assert code == 2 and "no checksum" in err


def test_prune_tells_and_then_removes_what_cargo_lock_does_not_have(ws: Workspace, say: Say) -> None:
    ws.stored(ws.build())
    say("baseline", "init")
    assert say("baseline", "prune")[1] == "0 unused entries\n"
    ws.lock(version="2.0.0")
    assert "would remove evil 1.0.0" in say("baseline", "prune", "--dry-run")[1]
    assert (ws.baseline / "evil.toml").exists()
    assert json.loads(say("baseline", "prune", "--json")[1])["unused"][0]["package"] == "evil"
    assert not (ws.baseline / "evil.toml").exists()


def test_export_and_import_carry_behaviours_but_no_accepted_rule(ws: Workspace, say: Say, tmp_path: Path) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    say("baseline", "accept", "evil", "--rule", "CS0201", "--reason", "ours")
    assert say("baseline", "export", str(tmp_path / "out"))[0] == 0
    assert say("baseline", "export", str(tmp_path / "one.toml"), "evil")[0] == 0
    for source in ("out", "one.toml"):
        (ws.baseline / "evil.toml").unlink()
        assert say("baseline", "import", str(tmp_path / source))[0] == 0
        assert load_all(ws.baseline)["evil"].versions[0].waivers == ()
        assert say("baseline", "verify")[0] == 0
    assert say("baseline", "import", str(tmp_path / "out"), "--user")[0] == 0
    assert load_all(tmp_path / "data/cargo-sandbox/baseline").keys() == {"evil"}
    (tmp_path / "bad.toml").write_text("schema = 1\n[[")
    code, _, err = say("baseline", "import", str(tmp_path / "bad.toml"))
    assert code == 2 and "can't be read" in err


def test_a_broken_baseline_is_an_error_and_no_crash(ws: Workspace, say: Say) -> None:
    ws.stored(ws.build())
    say("baseline", "init")
    (ws.baseline / "evil.toml").write_bytes(b"\x00\xff")
    for words in (("baseline", "status"), ("baseline", "verify"), ("review",), ("baseline", "accept", "--reason", "x")):
        code, _, err = say(*words)
        assert code == 2 and "evil.toml" in err and "our bug" not in err


@pytest.mark.parametrize(
    "words", [("baseline",), ("baseline", "dance"), ("baseline", "status", "x"), ("baseline", "learn", "--runs", "0"),
              ("baseline", "accept", "--reason"), ("baseline", "export"), ("review", "--accept-all"), ("review", "x"),
              ("review", "--json", "--accept-all", "--reason", "r"), ("baseline", "init", "--x")],
)  # fmt: skip
def test_what_is_not_understood_is_a_usage_error(ws: Workspace, say: Say, words: tuple[str, ...]) -> None:
    assert say(*words)[0] == 2
    assert not ws.baseline.exists()


def test_review_without_a_terminal_lists_and_accepts_nothing_unasked(ws: Workspace, say: Say) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    assert say("review")[1] == "0 units to review; nothing was accepted\n"
    ws.stored(curl(cc(ws.build())))
    before = (ws.baseline / "evil.toml").read_bytes()
    code, out, _ = say("review")
    assert code == 0
    assert "+ exec exec /usr/bin/curl" in out and "score 6" in out and "1 units to review" in out
    (unit,) = json.loads(say("review", "--json")[1])["units"]
    assert (unit["package"], unit["new"][0]["object"]) == ("evil", "/usr/bin/curl")
    assert (ws.baseline / "evil.toml").read_bytes() == before
    code, _, err = say("review", "--accept", "nobody", "--reason", "x")
    assert code == 2 and "nothing to review" in err
    assert say("review", "--accept", "evil", "--reason", "seen")[0] == 0
    assert say("baseline", "verify")[0] == 0


def test_accept_all_accepts_what_is_open(ws: Workspace, say: Say) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    ws.lock("b" * 64)
    code, out, _ = say("review", "--accept-all", "--reason", "yanked and published again")
    assert code == 0 and "accepted evil 1.0.0" in out
    assert len(load_all(ws.baseline)["evil"].versions) == 2
    assert say("baseline", "verify")[0] == 0


@pytest.mark.parametrize(
    ("answers", "accepted"),
    [(["a", "it is right"], True), (["s"], False), (["q"], False), (["e", "x", "a", "", "so"], True),
     (["a", "", "", ""], False), ([], False)],
)  # fmt: skip
def test_a_reviewer_is_asked_for_each_novelty(
    ws: Workspace, say: Say, capsys: pytest.CaptureFixture[str], answers: list[str], accepted: bool
) -> None:
    ws.stored(cc(ws.build()))
    say("baseline", "init")
    ws.stored(curl(cc(ws.build())))
    here = find()
    state = here.state()
    stores = here.stores(state, Settings())
    open_ones = [one for one in review.novelties(state.profile, state.checksums, stores) if review.is_open(one)]
    left = list(answers)

    def ask(prompt: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    assert review.interactive(here, state, stores, open_ones, False, ask, Settings()) == 0
    out = capsys.readouterr().out
    assert "/usr/bin/curl" in out
    if "e" in answers:
        assert '"path": "/usr/bin/curl"' in out
    assert not left
    assert (say("baseline", "verify")[0] == 0) is accepted


def test_what_is_fresh_is_taken_from_the_shelf_or_from_the_run_in_which_it_ran(ws: Workspace, say: Say) -> None:
    build = cc(ws.build())
    first = ws.stored(build)
    units = [record for record in build.units() if record.get("unit") == "u0"]
    build_dir = Path(build.build_dir)
    with Ledger.open(ws.state, build_dir, "guard") as ledger:
        ledger.renew()
        key = build_dir / "debug/.fingerprint" / "evil-0123456789abcdef"
        key.mkdir(parents=True)
        entry = {"key": str(key), "run": first, "unit": "u1", "role": "script", "package": "evil", "version": "1.0.0"}
        (ledger.folder / "units.jsonl").write_text(json.dumps(entry | {"crate": "", "status": 0}) + "\n")
    second = ws.stored(ws.build(), units)

    def programs() -> list[str]:
        state = find().state()
        assert state.run == second
        return [fact.object for one in state.profile.behaviours for fact in one.of("exec")]

    assert programs() == ["/usr/bin/cc"]
    with RunStore(ws.state / "runs").open(first) as reader:
        script = next(one for one in profile_of(reader).behaviours if one.key.role == "script")
    text = json.dumps(unit_json(script)).replace("/usr/bin/cc", "/usr/bin/shelved")
    shelf = BehaviourShelf(ledger_folder(ws.state, str(build_dir)))
    shelf.put(first, [(str(key), [("evil", "1.0.0", json.loads(text))])])
    assert programs() == ["/usr/bin/shelved"]
    (shelf.folder / "behaviours.jsonl").unlink()
    for name in (ws.state / "runs" / first).iterdir():
        name.unlink()
    (ws.state / "runs" / first).rmdir()
    assert "have no behaviour on record" in " ".join(find().state().holes)
    code, out, _ = say("baseline", "verify")
    assert code == 123 and "not all is known" in out

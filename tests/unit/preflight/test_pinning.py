"""How well a project is pinned: each advice stands on its line and says what to write there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer
from sandbox.preflight.pinning import CHECKS, MAX_FINDINGS, files
from sandbox.preflight.pinning.ci import _commands
from sandbox.preflight.pinning.files import _header
from sandbox.preflight.pinning.requirements import is_loose
from tests.unit.preflight.trees import LOCK, MANIFEST, good, locked, subject, write


def _answer(
    root: Path, current: bool | None = None, members: tuple[str, ...] = (), toolchain: str = "1.97.0"
) -> Answer:
    (check,) = CHECKS
    return check.run(subject(root, current, toolchain, members))


def _only(root: Path, code: str, members: tuple[str, ...] = ()) -> Finding:
    answer = _answer(root, members=members)
    assert [one.code for one in answer.findings] == [code], answer
    return answer.findings[0]


def test_a_project_that_is_pinned_is_clean(tmp_path: Path) -> None:
    answer = _answer(good(tmp_path))
    assert (answer.state, answer.findings) == ("done", ())
    assert (answer.looked_at, answer.unit) == (2, "files")


def test_all_of_it_is_advice_and_no_build_asks_for_it() -> None:
    assert not any(check.fast for check in CHECKS)


def test_a_lock_file_alone_is_not_looked_at_and_that_is_no_clean_answer(tmp_path: Path) -> None:
    from dataclasses import replace

    (check,) = CHECKS
    answer = check.run(replace(subject(good(tmp_path)), root=None))
    assert (answer.state, answer.findings) == ("not done", ())
    assert answer.why


def test_a_missing_lock_file_is_told(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "Cargo.lock").unlink()
    found = _only(tmp_path, "CS0590")
    assert (found.subject, found.severity) == (str(tmp_path / "Cargo.lock"), "low")
    assert "cargo generate-lockfile && git add Cargo.lock" in found.help


def test_a_lock_file_that_git_leaves_out_is_told_with_the_line(tmp_path: Path) -> None:
    found = _only(good(tmp_path, {".gitignore": "/target\nCargo.lock\n"}), "CS0590")
    assert found.subject == f"{tmp_path}/.gitignore:2"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('\n[dependencies]\nserde = "1"\n', "no serde 1"),
        ('\n[dependencies]\nlog = "0.5"\n', "no log 0.5"),
        ('\n[target."cfg(unix)".build-dependencies]\ncc = { version = "1" }\n', "no cc 1"),
        ('\n[dependencies]\nmine = { package = "renamed", version = "1" }\n', "no renamed 1"),
    ],
)
def test_an_outdated_lock_file_is_told_without_cargo(tmp_path: Path, more: str, why: str) -> None:
    good(tmp_path, {"Cargo.toml": MANIFEST + more, "Cargo.lock": LOCK + locked("log", "0.4.20")})
    assert why in _only(tmp_path, "CS0590").detail


def test_another_version_of_the_project_makes_the_lock_file_outdated(tmp_path: Path) -> None:
    good(tmp_path, {"Cargo.toml": MANIFEST.replace("0.1.0", "0.2.0")})
    assert "lacks the workspace's own app 0.2.0" in _only(tmp_path, "CS0590").detail


def test_what_the_workspace_says_once_counts_for_its_members(tmp_path: Path) -> None:
    shared = (
        '[workspace]\nmembers = ["a"]\n[workspace.package]\nversion = "3.0.0"\n[workspace.dependencies]\nlog = "0.4"\n'
    )
    member = '[package]\nname = "a"\nversion.workspace = true\n[dependencies]\nlog = { workspace = true }\n'
    lock = 'version = 4\n[[package]]\nname = "a"\nversion = "3.0.0"\n' + locked("log", "0.4.20")
    good(tmp_path, {"Cargo.toml": shared, "a/Cargo.toml": member, "Cargo.lock": lock})
    assert _answer(tmp_path, members=("a",)).findings == ()
    write(tmp_path, {"Cargo.lock": lock.replace("0.4.20", "0.3.0")})
    assert "no log 0.4" in _answer(tmp_path, members=("a",)).findings[0].detail


def test_cargo_s_word_on_the_lock_file_goes_before_our_own(tmp_path: Path) -> None:
    good(tmp_path)
    assert [one.code for one in _answer(tmp_path, current=False).findings] == ["CS0590"]
    good(tmp_path, {"Cargo.toml": MANIFEST + '[dependencies]\nlog = "0.5"\n'})
    assert _answer(tmp_path, current=True).findings == ()


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ('log = "*"', 'write: log = "0.4.20"'),
        ("log = '>=0.4'", "write: log = '0.4.20'"),
        ('log = { version = ">0.1", features = ["std"] }', 'write: log = { version = "0.4.20", features = ["std"] }'),
        ('l = { package = "log", version = ">=0.2, >=0.4" }', 'write: l = { package = "log", version = "0.4.20" }'),
    ],
)
def test_a_loose_requirement_is_told_with_the_line_to_write(tmp_path: Path, line: str, write: str) -> None:
    manifest = MANIFEST + f"\n[dependencies]\n# log\n{line}\n"
    good(tmp_path, {"Cargo.toml": manifest, "Cargo.lock": LOCK + locked("log", "0.4.20") + locked("log", "0.1.0")})
    found = _only(tmp_path, "CS0591")
    assert found.subject == f"{tmp_path}/Cargo.toml:8"
    assert found.help == write
    assert (found.package, found.version) == ("app", "0.1.0")


def test_the_line_is_found_in_a_table_of_its_own_and_in_a_target_s(tmp_path: Path) -> None:
    manifest = MANIFEST + "\n[target.'cfg(unix)'.dependencies.log]\nfeatures = []\nversion = \"*\"\n"
    good(tmp_path, {"Cargo.toml": manifest, "Cargo.lock": LOCK + locked("log", "0.4.20")})
    found = _only(tmp_path, "CS0591")
    assert (found.subject, found.help) == (f"{tmp_path}/Cargo.toml:8", 'write: version = "0.4.20"')


@pytest.mark.parametrize(
    ("requirement", "loose"),
    [("*", True), (">=1", True), (">1, >=2", True), ("", True), ("1", False), ("1.*", False), (">=1, <3", False),
     ("~1.2", False), ("=1.2.3", False), ("<2", False), ("not a requirement", False)],
)  # fmt: skip
def test_a_requirement_is_loose_when_nothing_bounds_it_above(requirement: str, loose: bool) -> None:
    assert is_loose(requirement) is loose


def test_git_and_path_dependencies_need_no_version(tmp_path: Path) -> None:
    more = '\n[dependencies]\na = { path = "a" }\nb = { git = "https://host.invalid/b" }\n'
    lock = LOCK + '[[package]]\nname = "a"\nversion = "0.1.0"\n[[package]]\nname = "b"\nversion = "0.1.0"\n'
    good(tmp_path, {"Cargo.toml": MANIFEST + more, "Cargo.lock": lock})
    assert _answer(tmp_path).findings == ()


def test_a_path_out_of_the_tree_is_told_and_one_within_the_repository_is_not(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    lock = LOCK + '[[package]]\nname = "far"\nversion = "0.1.0"\n[[package]]\nname = "near"\nversion = "0.1.0"\n'
    more = '\n[dependencies]\nnear = { path = "../near" }\nfar = { path = "../../far" }\n'
    write(
        root,
        {"x/Cargo.toml": MANIFEST + more, "x/Cargo.lock": lock, "rust-toolchain.toml": "[toolchain]\nchannel='1.9'"},
    )
    found = _only(root / "x", "CS0592")
    assert found.subject == f"{root}/x/Cargo.toml:8"
    assert found.help == 'copy it into the tree and write: far = { path = "vendor/far" }'


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("rust-toolchain.toml", '[toolchain]\ncomponents = []\nchannel = "stable"\n', 3),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "nightly"\n', 2),
        ("rust-toolchain", "beta\n", 1),
        ("rust-toolchain", "stable-x86_64-unknown-linux-gnu", 1),
    ],
)
def test_a_channel_that_moves_is_told(tmp_path: Path, name: str, text: str, line: int) -> None:
    good(tmp_path)
    (tmp_path / "rust-toolchain.toml").unlink()
    write(tmp_path, {name: text})
    found = _only(tmp_path, "CS0593")
    assert found.subject == f"{tmp_path}/{name}:{line}"
    assert "1.97.0" in found.help


@pytest.mark.parametrize(
    "channel", ["1.97.0", "1.75", "nightly-2026-01-02", "nightly-2026-01-02-x86_64-unknown-linux-gnu"]
)
def test_a_channel_of_one_release_is_not(tmp_path: Path, channel: str) -> None:
    good(tmp_path, {"rust-toolchain.toml": f'[toolchain]\nchannel = "{channel}"\n'})
    assert _answer(tmp_path).findings == ()


def test_without_a_toolchain_file_the_line_names_the_compiler_that_builds_here(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "rust-toolchain.toml").unlink()
    assert '[toolchain] channel = "1.97.0"' in _only(tmp_path, "CS0593").help
    (found,) = _answer(tmp_path, toolchain="").findings
    assert "rustc -V" in found.help


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("      - run: cargo build --release", "cargo build --locked --release"),
        ("        cargo +nightly test -- --nocapture", "cargo +nightly test --locked -- --nocapture"),
        ("    - cargo clippy -q && cargo doc --locked", "cargo clippy --locked -q"),
        ("  script: [cargo-sandbox check]", "cargo-sandbox check --locked"),
        ("      - run: cargo install csbench-tool", "cargo install --locked csbench-tool"),
        ("      - run: cargo test -- --locked", "cargo test --locked -- --locked"),
    ],
)
def test_a_ci_command_without_locked_is_told_with_the_line_to_write(line: str, write: str) -> None:
    found = list(_commands(Path("/r/ci.yml"), f"jobs:\n{line}\n"))
    assert [(one.code, one.subject, one.help) for one in found] == [("CS0594", "/r/ci.yml:2", f"write: {write}")]


@pytest.mark.parametrize(
    "line",
    [
        "      - run: cargo build --locked",
        "      - run: cargo --frozen build",
        "      - run: cargo test --frozen -- --nocapture",
        "      - name: cargo build",
        "        key: cargo-build-${{ hashFiles('x') }}",
        "      # cargo build",
        "      - run: cargo fmt --check",
        "      - run: ./cargo build",
        "      - run: my-cargo build",
        "      - run: |\n          cargo build \\\n            --locked",
    ],
)
def test_other_lines_of_a_ci_are_not(line: str) -> None:
    assert list(_commands(Path("/r/ci.yml"), line)) == []


def test_ci_files_are_looked_for_in_the_repository_s_folder(tmp_path: Path) -> None:
    good(tmp_path, {
        ".github/workflows/a.yml": "- run: cargo build\n", ".gitlab-ci.yml": "- cargo test\n",
        ".github/workflows/notes.txt": "cargo build\n",
    })  # fmt: skip
    places = [one.subject for one in _answer(tmp_path).findings]
    assert places == [f"{tmp_path}/.github/workflows/a.yml:1", f"{tmp_path}/.gitlab-ci.yml:1"]


def test_what_can_not_be_read_makes_the_check_not_done(tmp_path: Path) -> None:
    good(tmp_path, {"Cargo.toml": "[package\n"})
    answer = _answer(tmp_path)
    assert answer.state == "not done"
    assert "Cargo.toml" in answer.why
    good(tmp_path, {"Cargo.toml": MANIFEST})
    (tmp_path / ".gitlab-ci.yml").mkdir()
    assert _answer(tmp_path).state == "not done"


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    root = good(tmp_path / "ws")
    (tmp_path / "secret").write_text("- cargo build\n")
    (root / ".gitlab-ci.yml").symlink_to(tmp_path / "secret")
    answer = _answer(root)
    assert answer.findings == ()
    assert "leads out of the tree" in answer.notes[0]


def test_there_is_a_limit_to_what_is_told(tmp_path: Path) -> None:
    many = "".join(f'd{number} = "*"\n' for number in range(MAX_FINDINGS + 50))
    good(tmp_path, {"Cargo.toml": f"{MANIFEST}[dependencies]\n{many}"})
    answer = _answer(tmp_path, current=True)
    assert len(answer.findings) == MAX_FINDINGS
    assert answer.notes


_TEXT = st.text(st.sampled_from("[]{}='\"\\.*>-#\n abwcdeoginrusty:&|"), max_size=300)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_TEXT, _TEXT, _TEXT)
def test_no_file_makes_it_fail(tmp_path: Path, manifest: str, toolchain: str, ci: str) -> None:
    good(tmp_path, {"Cargo.toml": MANIFEST + manifest, "rust-toolchain.toml": toolchain, ".gitlab-ci.yml": ci})
    assert _answer(tmp_path).state in ("done", "not done")


def test_the_lines_of_a_manifest_are_gone_through_once_for_all_that_is_loose_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def header(words: str) -> tuple[str, ...]:
        read.append(words)
        return _header(words)

    monkeypatch.setattr(files, "_header", header)
    tables = "".join(f'[dependencies.csbench-{at}]\nversion = "*"\n' for at in range(50))
    answer = _answer(good(tmp_path, {"Cargo.toml": MANIFEST + tables}))
    loose = [one.subject for one in answer.findings if one.subject.startswith(f"{tmp_path}/Cargo.toml:")]
    assert len(loose) > 1 and loose[0].endswith("Cargo.toml:6")
    assert len(read) == 51

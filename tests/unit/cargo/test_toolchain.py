"""Choosing the toolchain as rustup does, without running it. The cases were compared with rustup 1.29's own choice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox.cargo import rustup
from sandbox.cargo.toolchain import Toolchain, find
from sandbox.errors import SetupError, ToolchainError

HOST = "x86_64-unknown-linux-gnu"
PROGRAMS = ("cargo", "rustc", "rustdoc", "clippy-driver")


class Machine:
    """A home with rustup, some toolchains and a project, all made of empty programs."""

    def __init__(self, top: Path) -> None:
        self.home = top / "rustup"
        self.cargo_bin = top / "cargo" / "bin"
        self.project = top / "project"
        self.deep = self.project / "a" / "b"
        self.deep.mkdir(parents=True)
        self.program(self.cargo_bin / "rustup")
        for name in ("cargo", "rustc"):
            (self.cargo_bin / name).symlink_to("rustup")
        self.env = {"PATH": f"{self.cargo_bin}:/usr/bin", "HOME": str(top), "RUSTUP_HOME": str(self.home)}
        self.settings()
        for name in (f"stable-{HOST}", f"nightly-{HOST}", f"1.80-{HOST}", "mine", "stable-x86_64-unknown-linux-musl"):
            self.toolchain(name)

    def settings(self, default: str | None = "stable", overrides: Sequence[tuple[str, str]] = ()) -> None:
        self.home.mkdir(exist_ok=True)
        lines = ['version = "12"', f'default_host_triple = "{HOST}"']
        lines += [f'default_toolchain = "{default}"'] if default else []
        lines += ["[overrides]", *(f'"{folder}" = "{name}"' for folder, name in overrides)]
        (self.home / "settings.toml").write_text("\n".join(lines))

    def toolchain(self, name: str, programs: Sequence[str] = PROGRAMS) -> Path:
        root = self.home / "toolchains" / name
        for program in programs:
            self.program(root / "bin" / program)
        return root

    def program(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho this must not run {path}\nexit 99\n")
        path.chmod(0o755)

    def find(self, name: str | None = None, **env: str) -> Toolchain:
        return find(name, self.env | env, self.deep)

    def refusal(self, name: str | None = None, **env: str) -> ToolchainError:
        with pytest.raises(ToolchainError) as caught:
            self.find(name, **env)
        assert caught.value.exit_code == 121
        return caught.value


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_default_toolchain_is_found_with_all_its_programs(machine: Machine) -> None:
    found = machine.find()
    root = machine.home / "toolchains" / f"stable-{HOST}"
    assert found.name == f"stable-{HOST}"
    assert found.root == root
    assert (found.cargo, found.rustc) == (root / "bin/cargo", root / "bin/rustc")
    assert (found.rustdoc, found.clippy_driver) == (root / "bin/rustdoc", root / "bin/clippy-driver")
    assert found.rustup_home == machine.home
    assert found.host == HOST
    assert found.bin == root / "bin"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nightly", f"nightly-{HOST}"),
        (f"nightly-{HOST}", f"nightly-{HOST}"),
        ("1.80", f"1.80-{HOST}"),
        ("stable-musl", "stable-x86_64-unknown-linux-musl"),
        ("stable-x86_64", f"stable-{HOST}"),
        ("mine", "mine"),
        ("mine/", "mine"),
    ],
)
def test_a_plus_name_is_completed_with_the_host(machine: Machine, name: str, expected: str) -> None:
    assert machine.find(name).name == expected


def test_the_order_is_plus_then_environment_then_directories_then_default(machine: Machine) -> None:
    machine.settings(overrides=[(str(machine.project), "mine")])
    assert machine.find().name == "mine"
    assert machine.find(RUSTUP_TOOLCHAIN="nightly").name == f"nightly-{HOST}"
    assert machine.find("1.80", RUSTUP_TOOLCHAIN="nightly").name == f"1.80-{HOST}"
    assert machine.find(RUSTUP_TOOLCHAIN="").name == "mine"


def test_the_nearest_directory_decides_and_there_an_override_beats_a_file(machine: Machine) -> None:
    machine.settings(overrides=[(str(machine.project), "mine")])
    (machine.project / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.80"\n')
    assert machine.find().name == "mine"
    (machine.deep / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "nightly"\n')
    assert machine.find().name == f"nightly-{HOST}"


@pytest.mark.parametrize(
    "text", ["1.80", " 1.80 \n", "1.80\r\n", '[toolchain]\nchannel = "1.80"', '# why\n[toolchain]\nchannel="1.80"']
)
def test_a_file_without_extension_holds_a_channel_or_toml(machine: Machine, text: str) -> None:
    (machine.project / "rust-toolchain").write_text(text)
    assert machine.find().name == f"1.80-{HOST}"


def test_the_file_without_extension_is_preferred(machine: Machine) -> None:
    (machine.project / "rust-toolchain").write_text("1.80")
    (machine.project / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "nightly"')
    assert machine.find().name == f"1.80-{HOST}"


def test_components_and_targets_are_told_and_leave_the_default_toolchain(machine: Machine) -> None:
    file = machine.project / "rust-toolchain.toml"
    file.write_text('[toolchain]\ncomponents = ["rustfmt"]\ntargets = ["wasm32-wasip1"]\n')
    found = machine.find()
    assert found.name == f"stable-{HOST}"
    assert (found.targets, found.components) == (("wasm32-wasip1",), ("rustfmt",))
    assert file in found.files


@pytest.mark.parametrize("name", ["rust-toolchain", "rust-toolchain.toml"])
def test_a_project_may_not_bring_its_own_toolchain(machine: Machine, name: str) -> None:
    evil = machine.project / "evil"
    machine.program(evil / "bin" / "cargo")
    machine.program(evil / "bin" / "rustc")
    (machine.project / name).write_text(f'[toolchain]\npath = "{evil}"\n')
    error = machine.refusal()
    assert "may not supply its own toolchain" in error.message
    assert "rustup toolchain link" in error.hint
    assert "+NAME" in error.hint


def test_the_old_one_line_form_of_a_path_is_refused_too(machine: Machine) -> None:
    (machine.project / "rust-toolchain").write_text(f"{machine.project}/evil")
    assert "may not supply its own toolchain" in machine.refusal().message


def test_a_path_that_an_outer_proxy_took_from_a_file_is_refused(machine: Machine) -> None:
    root = str(machine.home / "toolchains/mine")
    assert machine.find(RUSTUP_TOOLCHAIN=root).root == Path(root)
    error = machine.refusal(RUSTUP_TOOLCHAIN=root, RUSTUP_TOOLCHAIN_SOURCE="toolchain-file")
    assert "may not supply its own toolchain" in error.message


@pytest.mark.parametrize("channel", ["../../project/evil", "..", ".", "a/b", "none", "+x", "a\\\\b", "/abs"])
def test_a_channel_that_is_no_name_is_refused(machine: Machine, channel: str) -> None:
    (machine.project / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{channel}"\n')
    machine.refusal()


@pytest.mark.parametrize(
    "text", ["", "\n", "nightly", "x = 1", "[toolchain]", "[toolchain]\nchannel = 1", "\x00", "a = [" * 9999]
)
def test_a_broken_toolchain_file_is_named(machine: Machine, text: str) -> None:
    file = machine.project / "rust-toolchain.toml"
    file.write_text(text)
    assert str(file) in machine.refusal().message


def test_a_toolchain_file_that_never_ends_is_refused_at_once(machine: Machine) -> None:
    os.mkfifo(machine.project / "rust-toolchain.toml")
    assert "not a regular file" in machine.refusal().message
    (machine.project / "rust-toolchain.toml").unlink()
    (machine.project / "rust-toolchain").symlink_to("/dev/zero")
    assert "not a regular file" in machine.refusal().message


def test_a_missing_toolchain_says_how_to_install_it(machine: Machine) -> None:
    error = machine.refusal("1.70")
    assert error.message == f"the toolchain 1.70-{HOST} is not installed"
    assert error.hint == "rustup toolchain install 1.70"
    assert isinstance(error, SetupError)
    assert error.wall == "toolchain"
    assert "rustup toolchain link" in machine.refusal("nobodys").hint


def test_no_default_toolchain_says_how_to_set_one(machine: Machine) -> None:
    machine.settings(default=None)
    nothing = str(machine.home / "none.toml")
    assert "rustup default" in machine.refusal(RUSTUP_OVERRIDE_UNIX_FALLBACK_SETTINGS=nothing).hint
    fallback = machine.home / "system.toml"
    fallback.write_text('default_toolchain = "nightly"')
    assert machine.find(RUSTUP_OVERRIDE_UNIX_FALLBACK_SETTINGS=str(fallback)).name == f"nightly-{HOST}"


def test_a_linked_toolchain_is_shown_where_it_really_is(machine: Machine, tmp_path: Path) -> None:
    root = tmp_path / "rust" / "stage1"
    for program in PROGRAMS:
        machine.program(root / "bin" / program)
    (machine.home / "toolchains" / "dev").symlink_to(root)
    found = machine.find("dev")
    assert (found.root, found.rustc, found.extra_roots) == (root, root / "bin/rustc", ())


def test_a_linked_toolchain_without_cargo_borrows_one(machine: Machine) -> None:
    root = machine.toolchain("bare", ["rustc"])
    found = machine.find("bare")
    lender = machine.home / "toolchains" / f"nightly-{HOST}"
    assert (found.rustc, found.cargo, found.extra_roots) == (root / "bin/rustc", lender / "bin/cargo", (lender,))
    assert found.clippy_driver is None


@pytest.mark.parametrize("link", ["hard", "copy"])
def test_a_proxy_is_known_by_the_rustup_beside_it(machine: Machine, link: str) -> None:
    cargo = machine.cargo_bin / "cargo"
    cargo.unlink()
    if link == "hard":
        cargo.hardlink_to(machine.cargo_bin / "rustup")
    else:
        cargo.write_bytes((machine.cargo_bin / "rustup").read_bytes())
        cargo.chmod(0o755)
    assert machine.find().name == f"stable-{HOST}"


def test_a_cargo_of_its_own_is_taken_from_path_with_its_prefix(machine: Machine, tmp_path: Path) -> None:
    prefix = tmp_path / "opt" / "rust"
    for program in PROGRAMS:
        machine.program(prefix / "bin" / program)
    found = machine.find(PATH=f"relative:.::{prefix}/bin:{machine.cargo_bin}")
    assert (found.name, found.root, found.rustup_home, found.version) == ("system", prefix, None, None)
    assert found.rustc == prefix / "bin" / "rustc"
    error = machine.refusal("nightly", PATH=f"{prefix}/bin")
    assert "needs rustup" in error.message


def test_the_tree_cannot_put_its_cargo_on_path(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.program(machine.deep / "cargo")
    machine.program(machine.deep / "rustc")
    monkeypatch.chdir(machine.deep)
    assert "not found on PATH" in machine.refusal(PATH=".:").message


def test_the_version_comes_from_rustups_manifest(machine: Machine) -> None:
    root = machine.home / "toolchains" / f"stable-{HOST}"
    assert machine.find().version is None
    manifest = root / "lib/rustlib/multirust-channel-manifest.toml"
    manifest.parent.mkdir(parents=True)
    head = 'manifest-version = "2"\ndate = "2026-04-16"\n\n'
    for text, version in (
        ('[pkg.cargo]\nversion = "0.96.1 (f2d3ce0bd 2026-03-21)"\n', (1, 95, 1)),
        ('[pkg.cargo]\nversion = "0.98.0-nightly (4d1f98451 2026-05-15)"\n', (1, 97, 0)),
        ('[pkg.cargo]\nversion = "1.2.3"\n', (1, 2, 3)),
        ('[pkg.cargo]\nversion = "new"\n', None),
        ("[pkg.clippy]\n", None),
    ):
        manifest.write_text(head + text)
        assert rustup.cargo_version(root) == version


def test_nothing_is_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    for name in ("fork", "posix_spawn", "execv", "system"):
        monkeypatch.setattr(os, name, forbidden)
    monkeypatch.setattr("_posixsubprocess.fork_exec", forbidden)
    machine.find("nightly")

"""Which files of a toolchain go into the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.builder import toolchain
from sandbox.errors import ImageError


def sysroot(folder: Path) -> Path:
    files = {
        "bin/cargo": "",
        "bin/rustc": "#!/bin/sh\necho 'rustc 1.95.0 (59807616e 2026-04-14)'\n",
        "lib/librustc_driver.so": "driver",
        "lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd.rlib": "std",
        "lib/rustlib/src/rust/library/std/src/lib.rs": "source",
        "lib/rustlib/components": "rustc",
        "lib/rustlib/manifest-rustc": "file:lib/librustc_driver.so",
        "lib/rustlib/multirust-channel-manifest.toml": "https://",
        "share/doc/rust/html/index.html": "<html>",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("bin/cargo", "bin/rustc"):
        (folder / name).chmod(0o700)
    return folder


def test_programs_and_libraries_are_copied_documentation_sources_and_the_installers_notes_are_not(
    tmp_path: Path,
) -> None:
    found = toolchain.read(sysroot(tmp_path))
    assert found.version == "rustc 1.95.0 (59807616e 2026-04-14)"
    assert [(file.name, file.mode) for file in found.files if file.data] == [
        ("opt/rust/bin/cargo", 0o755),
        ("opt/rust/bin/rustc", 0o755),
        ("opt/rust/lib/librustc_driver.so", 0o644),
        ("opt/rust/lib/rustlib/x86_64-unknown-linux-gnu/lib/libstd.rlib", 0o644),
    ]


def test_the_digest_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    one, two = sysroot(tmp_path / "one"), sysroot(tmp_path / "two")
    assert toolchain.read(one).digest == toolchain.read(two).digest
    (two / "share/doc/rust/html/index.html").write_text("other")
    assert toolchain.read(one).digest == toolchain.read(two).digest
    (two / "lib/librustc_driver.so").write_text("DRIVER")
    assert toolchain.read(one).digest != toolchain.read(two).digest


def test_links_within_stay_links_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    root = sysroot(tmp_path / "one")
    (root / "lib/libLLVM.so").symlink_to("../lib/librustc_driver.so")
    assert {file.name: file.link for file in toolchain.read(root).files}["opt/rust/lib/libLLVM.so"].startswith("..")
    for place in ("/etc/passwd", "../../secret"):
        (root / "lib/libLLVM.so").unlink()
        (root / "lib/libLLVM.so").symlink_to(place)
        with pytest.raises(ImageError, match="leads out"):
            toolchain.read(root)


@pytest.mark.parametrize("missing", ["bin/cargo", "bin/rustc", "lib/rustlib"])
def test_a_folder_that_is_no_toolchain_is_refused(tmp_path: Path, missing: str) -> None:
    root = sysroot(tmp_path)
    (root / missing).rename(root / "elsewhere")
    with pytest.raises(ImageError, match="no toolchain") as caught:
        toolchain.read(root)
    assert missing in caught.value.why and "--toolchain" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 1\n", "#!/bin/sh\nprintf 'rustc \\033[2J'\n"]
)
def test_a_compiler_that_does_not_say_its_version_is_refused(tmp_path: Path, text: str) -> None:
    root = sysroot(tmp_path)
    (root / "bin/rustc").write_text(text)
    with pytest.raises(ImageError, match="rustc"):
        toolchain.read(root)


def test_the_active_toolchain_is_the_one_outside_of_any_project_and_a_distributions_own_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sysroot(tmp_path / "rust")
    (tmp_path / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.0.0"\n')
    monkeypatch.chdir(tmp_path)
    assert toolchain.active({"PATH": f"{root}/bin", "HOME": str(tmp_path)}) == root
    monkeypatch.setattr(toolchain, "find", lambda *_: type("Found", (), {"root": Path("/usr")}))
    assert toolchain.active({}) is None

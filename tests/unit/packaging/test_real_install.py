"""The real thing: source archive, wheel and a fresh environment, with the machine's own cargo."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_a_wheel_made_from_the_source_archive_works_without_cargo(tmp_path: Path) -> None:
    dist, venv = tmp_path / "dist", tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT], cwd=tmp_path, check=True, timeout=900
    )
    assert [path.name for path in dist.glob("*.tar.gz")] == ["cargo_sandbox-0.1.0.tar.gz"]
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        kept = {name for name in archive.namelist() if name.startswith("sandbox/_data/")}
    for folder in ("profiles", "images"):
        ours = {path for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {f"sandbox/_data/{path.relative_to(ROOT)}" for path in ours} <= kept

    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", "--no-index", "--no-deps", wheel], check=True)
    bare = {"PATH": f"{venv}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(*command: str | Path) -> str:
        return subprocess.run(command, env=bare, cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout

    assert run("cargo-sandbox", "--version") == "cargo-sandbox 0.1.0\n"
    guard = run("python", "-c", "from sandbox.guard import guard; print(guard.find())").strip()
    assert guard.startswith(str(venv))
    assert run(guard, "--version").startswith("cargo-sandbox-guard ")
    program = run("python", "-c", "from sandbox.plan import seccomp; print(seccomp.load().digest)")
    assert program.startswith("sha256:")
    list_of_packages = run(
        "python", "-c", "from sandbox import resources; print(resources.image('builder/packages.txt'))"
    )
    assert Path(list_of_packages.strip()).is_file() and list_of_packages.startswith(str(venv))

"""Builds in an image instead of this machine's own directories (`--image`).

The image is made of what a linked Rust program needs of this machine, since no registry can be asked: shell, toolchain,
linker, C library. Its toolchain lies in another place than here.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.crates import binary, scripted
from tests.engines import only
from tests.harness import Lab, host_triple, sandboxed, sysroot

pytestmark = [pytest.mark.engine, pytest.mark.slow, only("docker", "images are a daemon's")]

TAG, VOLUME_TAG = f"csbench-toolchain:{os.getpid()}", f"csbench-volume:{os.getpid()}"
ROOT = "/opt/rust"
_LINKER = ("/usr/bin/cc", "/usr/bin/ld", "/usr/bin/as", "/bin/sh")

_C_LIBRARY = (
    "crt?.o Scrt1.o libc[._]* libm[.-]* libmvec* libdl.* libpthread* librt.* libutil.* libgcc_s*".split()
)  # what a linker opens; the loader's part comes with the programs


def _asked(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _link(image: tarfile.TarFile, name: str, to: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, to
    image.addfile(entry)


def _real(path: str) -> str:
    """Where a file lies, under the name it was asked for: `/lib` is a link to `/usr/lib` on most systems."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def libraries(*programs: str) -> set[str]:
    """Shared libraries that programs are linked with, by the paths that the loader uses."""
    found: set[str] = set()
    for program in programs:
        printed = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found |= {path for path in re.findall(r"(/\S+) \(0x", printed.stdout) if str(sysroot()) not in path}
    return found


def import_image() -> None:
    """Write the image's tar straight into `docker import`."""
    top = sysroot()
    gcc = Path(_asked("cc", "-print-libgcc-file-name")).parent
    libc = Path(os.path.normpath(_asked("cc", "-print-file-name=crt1.o"))).parent
    helpers = [str(gcc / name) for name in ("collect2", "lto-wrapper", "liblto_plugin.so")]
    parts = [*helpers, *map(str, (path for name in ("*.[oa]", "libgcc_s*") for path in gcc.glob(name)))]
    parts += [str(path) for name in _C_LIBRARY for path in libc.glob(name)]
    rust = [top / "bin/cargo", top / "bin/rustc", top / "bin/rustdoc"]
    own = top / "lib/rustlib" / host_triple()
    rust += [*top.glob("lib/*.so*"), *own.glob("lib/*"), *own.glob("bin/**/*")]
    programs = (*_LINKER, *map(str, rust[:4]), *helpers)
    with subprocess.Popen(["docker", "import", "-", TAG], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin
        with tarfile.open(fileobj=process.stdin, mode="w|", dereference=True) as image:
            for name in os.listdir("/"):
                if os.path.islink(f"/{name}") and not os.path.isabs(os.readlink(f"/{name}")):
                    _link(image, name, os.readlink(f"/{name}"))
            for path in sorted({_real(path) for path in (*_LINKER, *parts, *libraries(*programs))}):
                image.add(path, path[1:], recursive=False)
            for file in rust:
                image.add(file, f"{ROOT[1:]}/{file.relative_to(top)}", recursive=False)
            for name in ("cargo", "rustc", "rustdoc"):
                _link(image, f"usr/bin/{name}", f"{ROOT}/bin/{name}")
    assert process.returncode == 0


@pytest.fixture(scope="module")
def image(engine: str) -> Iterator[str]:
    import_image()
    yield TAG
    subprocess.run(["docker", "rmi", "--force", TAG], stdout=subprocess.DEVNULL, check=True)


def test_a_build_in_an_image_uses_its_toolchain_and_nothing_of_this_machine(lab: Lab, image: str) -> None:
    look = """
    let list = |path: &str| std::fs::read_dir(path).map(|found| found.count()).unwrap_or(0);
    println!("cargo::warning=perl {} python {} rust {}", list("/usr/share/perl"), list("/usr/lib/python3"),
        list("/opt/rust/bin"));
    """
    project = lab.project(scripted(f"fn main() {{ {look} }}", main='fn main() { println!("from an image"); }'))
    done = sandboxed(project, "run", options=["--image", image])
    assert (done.code, done.out) == (0, b"from an image\n"), done.shown
    assert "perl 0 python 0 rust 3" in done.stderr
    digest = _asked("docker", "inspect", "--format", "{{.Id}}", image)
    assert done.run.header["versions"]["image"] == done.run.plan["image"] == digest
    assert done.run.result["verdict"] == "clean" and f"docker with {image}" in done.stderr
    again = sandboxed(project, "run", options=["--image", image])
    assert (again.code, again.run.built()) == (0, []), again.shown


def test_what_was_built_here_or_in_another_image_is_not_fresh_in_this_one(lab: Lab, image: str) -> None:
    """To cargo it is: the compiler's version is the same everywhere."""
    look = f"""
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=INSIDE={{}}", std::path::Path::new("{ROOT}/bin/rustc").exists());
    """
    project = lab.project(scripted(f"fn main() {{ {look} }}", main='fn main() { println!("{}", env!("INSIDE")); }'))

    def run(*options: str) -> tuple[bytes, bool]:
        done = sandboxed(project, "run", options=options)
        assert done.code == 0 and done.run.result["verdict"] == "clean", done.shown
        return done.out, bool(done.run.built())

    assert run("--engine", "docker") == (b"false\n", True)
    assert run("--image", image) == (b"true\n", True)
    assert run("--engine", "docker") == (b"false\n", False), "each keeps its own"
    assert run("--image", image) == (b"true\n", False)
    with contextlib.ExitStack() as undo:
        made = f"FROM {image}\nLABEL other=1\n".encode()
        subprocess.run(["docker", "build", "-q", "-t", "csbench-other:test", "-"], input=made, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        undo.callback(subprocess.run, ["docker", "rmi", "csbench-other:test"], stdout=subprocess.DEVNULL)
        assert run("--image", "csbench-other:test") == (b"true\n", True)


def test_an_attack_in_an_image_is_stopped_and_found(lab: Lab, image: str) -> None:
    reads = 'let home = std::env::var("HOME").unwrap(); let _ = std::fs::read(format!("{home}/.ssh/id_ed25519"));'
    connects = 'assert!(std::net::TcpStream::connect("192.0.2.1:80").is_err());'
    project = lab.project(scripted(f"fn main() {{ {reads} {connects} }}"))
    done = sandboxed(project, "build", options=["--image", image, "--on-violation", "report"])
    assert done.code == 120, done.shown
    assert {finding["code"] for finding in done.run.acts()} == {"CS0101", "CS0102"}


def test_an_image_that_is_not_there_or_has_volumes_is_refused(lab: Lab, image: str) -> None:
    project = lab.project(binary())
    done = sandboxed(project, "build", options=["--image", "csbench-none:test"])
    assert done.code == 121 and "has no image" in done.stderr, done.shown
    with contextlib.ExitStack() as undo:
        made = f"FROM {image}\nVOLUME /data\n".encode()
        subprocess.run(["docker", "build", "-q", "-t", VOLUME_TAG, "-"], input=made, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        undo.callback(subprocess.run, ["docker", "rmi", VOLUME_TAG], stdout=subprocess.DEVNULL)
        done = sandboxed(project, "build", options=["--image", VOLUME_TAG])
    assert done.code == 121 and "declares volumes: /data" in done.stderr, done.shown

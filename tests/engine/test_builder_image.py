"""The builder image itself: made by scripts/build-image from Debian packages, used with `--image builder`.

It is made once, which takes minutes, and stays in the daemon: the next run of the tests finds it there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.builder.recipe import EPOCH, MANIFEST
from sandbox.engine.docker_image import MANIFEST_LABEL
from tests.engine.crates import scripted
from tests.engines import containers_of, daemon_answers, only
from tests.harness import ROOT, Lab, sandboxed, start

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    only("docker", "bubblewrap has no images"),
    only("root", "the base is made from packages by root"),
]

TINY = "csbench-builder"
_MAKING_S = 3600
_BUILDING_S = 900

# What popular -sys crates ask pkg-config for.
LIBRARIES = """
    openssl libsodium krb5-gssapi zlib liblzma libzstd liblz4 sqlite3 libpq libmariadb libxml-2.0 expat libcurl
    libssh2 libgit2 libzmq libevent libpcap dbus-1 libudev libsystemd libusb-1.0 hidapi-libusb libpcsclite fuse3 pam
    libseccomp libcap-ng libelf alsa libpulse jack libpipewire-0.3 opus fontconfig freetype2 harfbuzz libpng libjpeg
    x11 x11-xcb xcb xcb-render xcb-shape xcb-xfixes xext xi xrandr xcursor xinerama xtst xft xscrnsaver xkbcommon
    xkbcommon-x11 wayland-client wayland-cursor wayland-egl wayland-protocols libinput libdrm gbm egl gl vulkan
    glib-2.0 gobject-2.0 gtk+-3.0 ncursesw readline protobuf""".split()
PROGRAMS = """
    cargo rustc rustdoc cc c++ ld.lld mold clang cmake ninja make pkg-config autoconf automake libtoolize bison flex
    nasm perl patch protoc capnp flatc git python3 musl-gcc xz unzip""".split()


def build_image(*arguments: str, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """scripts/build-image: exit code, and what it said."""
    done = subprocess.run(
        [*prefix, ROOT / "scripts/build-image", *arguments],
        env=os.environ | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_MAKING_S,
    )
    return done.returncode, done.stdout


def digest(said: str) -> str:
    return re.findall(r"^  digest +(sha256:[0-9a-f]{64})$", said, re.MULTILINE)[0]


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def inside(image: str, script: str, user: str = "0:0") -> str:
    """What a shell in an ordinary container prints, without the sandbox."""
    return docker("run", "--rm", "--network", "none", "--user", user, image, "sh", "-c", script)


@pytest.fixture(scope="module")
def makes_images() -> None:
    if not daemon_answers():
        pytest.skip("no Docker daemon answers")
    if shutil.which("apt-get") is None:
        pytest.skip("the builder image is made from Debian packages, and this system has no apt")


@pytest.fixture(scope="module")
def builder(makes_images: None) -> str:
    """The image's digest."""
    code, said = build_image()
    assert code == 0, said
    return digest(said)


def test_an_image_that_is_there_is_not_made_again(builder: str) -> None:
    code, said = build_image()
    assert code == 0 and "is up to date" in said and "unpacking" not in said, said
    assert digest(said) == builder


def test_a_crate_that_needs_every_kind_of_native_tool_builds_clean_in_it(lab: Lab, builder: str) -> None:
    project = lab.project({})
    shutil.copytree(ROOT / "examples/native", project.dir, dirs_exist_ok=True)
    running = start(project, "run", options=["--image", "builder"])
    done = running.wait(_BUILDING_S)
    assert done.code == 0, done.shown
    said = done.out.decode()
    assert "sum 10, scaled 20" in said and "protoc: with its own types" in said and "OpenSSL 3" in said
    assert "docker with builder" in done.stderr
    run = done.run
    assert run.result["verdict"] == "clean" and run.findings() == []
    versions, labels = run.header["versions"], json.loads(docker("inspect", builder))[0]["Config"]["Labels"]
    assert versions["image"] == run.plan["image"] == builder
    assert versions["image_manifest"] == labels[MANIFEST_LABEL]
    assert versions["rustc"].splitlines()[0] == inside(builder, "rustc --version").strip()
    started = {os.path.basename(event.get("path", "")) for event in run.events("exec")}
    assert {"cc", "c++", "cmake", "pkg-config", "protoc"} <= started, started
    assert containers_of(running.pid) == []
    again = sandboxed(project, "run", options=["--image", "builder"])
    assert (again.code, again.out, again.run.built()) == (0, done.out, []), again.shown


def test_the_builds_usr_is_the_images_and_not_this_machines(lab: Lab, builder: str) -> None:
    look = """
    let mut names: Vec<_> = std::fs::read_dir("/usr/bin").unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    println!("cargo::warning=usr/bin {names:?}");
    """
    project = lab.project(scripted(f"fn main() {{ {look} }}"))
    done = sandboxed(project, "build", options=["--image", "builder"])
    assert done.code == 0, done.shown
    found = sorted(re.findall(r'"([^"]+)"', re.findall(r"usr/bin (\[.*\])", done.stderr)[0]))
    assert found == sorted(inside(builder, "ls /usr/bin").split())
    assert found != sorted(os.listdir("/usr/bin")), "else this test would show nothing"
    shown = {mount["source"] for mount in done.run.plan["mounts"] if mount["kind"] in ("ro", "rw")}
    assert not [path for path in shown if path.startswith(("/usr/bin", "/usr/lib", "/etc", "/opt"))]


def test_the_guard_stops_and_records_an_attack_in_it(lab: Lab, builder: str) -> None:
    reads = 'let home = std::env::var("HOME").unwrap(); let _ = std::fs::read(format!("{home}/.ssh/id_ed25519"));'
    connects = 'assert!(std::net::TcpStream::connect("192.0.2.1:80").is_err());'
    project = lab.project(scripted(f"fn main() {{ {reads} {connects} }}"))
    done = sandboxed(project, "build", options=["--image", "builder", "--on-violation", "report"])
    assert done.code == 120, done.shown
    assert {finding["code"] for finding in done.run.acts()} == {"CS0101", "CS0102"}


def test_it_has_what_build_scripts_ask_for_whatever_number_the_user_has(builder: str) -> None:
    somebody = "54321:54321"
    asked = f"for name in {' '.join(LIBRARIES)}; do pkg-config --exists $name || echo $name; done"
    assert inside(builder, asked, somebody) == ""
    asked = f"for name in {' '.join(PROGRAMS)}; do command -v $name >/dev/null || echo $name; done"
    assert inside(builder, asked, somebody) == ""
    assert inside(builder, "ls /usr/lib/*/libclang-*.so* /usr/lib/llvm-*/lib/clang/*/include/stddef.h", somebody)
    works = "cargo --version && cc --version && clang --version && protoc --version && cmake --version && touch /tmp/x"
    assert "libprotoc" in inside(builder, works, somebody)


def test_nobody_gets_rights_in_it_and_everything_has_one_date(builder: str) -> None:
    config = json.loads(docker("inspect", builder))[0]["Config"]
    assert not config.get("Volumes") and config["User"] == "60800:60800"
    assert dict(word.split("=") for word in config["Env"])["PATH"].startswith("/opt/rust/bin:")
    assert inside(builder, "find / -xdev -perm /6000 ! -type l") == ""
    assert inside(builder, "find / -xdev -perm -2 ! -type l ! -path /dev/shm").split() == ["/tmp", "/var/tmp"]
    assert inside(builder, "find / -xdev ! -type l ! -perm -4 ! -path '/dev/*'") == ""
    odd = "find / -xdev \\( -type b -o -type c -o -type p -o -type s \\) ! -path '/dev/*'"
    assert inside(builder, odd) == ""
    old = f"find /usr /opt /var /etc/apt /root -xdev \\( -newermt @{EPOCH} -o ! -user 0 -o ! -group 0 \\)"
    assert inside(builder, old) == ""
    assert inside(builder, "find /etc/apt /etc/ssl/private /root /home /var/log /var/cache -mindepth 1") == ""


def test_its_manifest_lists_what_is_installed_and_its_label_names_the_manifest(builder: str) -> None:
    text = inside(builder, f"cat {MANIFEST}")
    labels = json.loads(docker("inspect", builder))[0]["Config"]["Labels"]
    assert labels[MANIFEST_LABEL] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    *packages, toolchain = text.splitlines()
    assert sorted(inside(builder, "dpkg-query -W -f '${Package}=${Version}\\n'").splitlines()) == sorted(packages)
    assert toolchain.startswith(f"toolchain={inside(builder, 'rustc --version').strip()} sha256:")


@pytest.fixture
def tiny(makes_images: None, tmp_path: Path) -> Iterator[list[str]]:
    """Arguments for an image of `make` and a toolchain that is none. The image is removed again."""
    (tmp_path / "packages.txt").write_text("# The smallest thing that is not essential.\nmake\n")
    tools = tmp_path / "rust"
    (tools / "lib/rustlib").mkdir(parents=True)
    (tools / "bin").mkdir()
    for name in ("cargo", "rustc"):
        (tools / "bin" / name).write_text(f"#!/bin/sh\necho '{name} 1.0.0'\n# csbench-visible {tmp_path}\n")
        (tools / "bin" / name).chmod(0o755)
    yield ["--name", TINY, "--packages", str(tmp_path / "packages.txt"), "--toolchain", str(tools)]
    with contextlib.suppress(subprocess.CalledProcessError):
        docker(
            "rmi", *docker("images", "--filter", f"reference={TINY}", "--format", "{{.Repository}}:{{.Tag}}").split()
        )


def test_two_builds_give_the_same_bytes_and_none_of_this_machines_secrets(tiny: list[str], tmp_path: Path) -> None:
    (tmp_path / "auth.conf").write_text("machine csbench.invalid login csbench password csbench-secret-1\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::netrc "{tmp_path}/auth.conf";\n'
        'Acquire::http::Proxy::csbench.invalid "http://csbench:csbench-secret-2@192.0.2.1:9";\n'
    )
    env = {
        "APT_CONFIG": str(tmp_path / "apt.conf"),
        "ftp_proxy": "http://csbench:csbench-secret-3@192.0.2.1:9",
        "CARGO_REGISTRY_TOKEN": "csbench-secret-4",
    }
    # mmdebstrap copies the host's name; a build that anybody else repeats has another one.
    renamed = ("unshare", "--uts", "sh", "-c", 'hostname csbench-host && exec "$@"', "sh")
    code, first = build_image(*tiny, env=env, prefix=renamed if os.geteuid() == 0 else ())
    assert code == 0 and "is made" in first, first
    code, second = build_image(*tiny, "--again")
    assert code == 0 and "is made" in second and "the same as the image that was there" in second, second
    assert digest(first) == digest(second)

    saved = tmp_path / "saved.tar"
    docker("save", "--output", str(saved), f"{TINY}:latest")
    data = saved.read_bytes()
    assert data.find(b"csbench-visible") >= 0, "the search below sees what lies in the image"
    # Found or not, never compared: a failure would print the whole image.
    found = [secret for secret in (b"csbench-secret", b"csbench.invalid", b"csbench-host") if data.find(secret) >= 0]
    assert found == []
    with tarfile.open(saved) as outer:
        [image] = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type]
        [layer] = image["Layers"]
        with tarfile.open(fileobj=outer.extractfile(layer)) as tree:
            entries = {entry.name: entry for entry in tree}
    assert {entry.mtime for entry in entries.values()} == {EPOCH}
    assert not [name for name, entry in entries.items() if entry.mode & 0o6000 or entry.uid or entry.gid]
    assert "usr/bin/make" in entries and "etc/passwd" in entries
    assert not {"etc/hostname", "etc/resolv.conf", "etc/machine-id", "etc/shadow"} & set(entries)
    assert not [name for name in entries if name.startswith(("etc/apt/", "root/", "var/log/", "var/cache/"))]


def test_a_package_that_there_is_not_is_named_in_apts_words(makes_images: None, tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("# Nobody has this.\ncsbench-no-such-package\n")
    code, said = build_image("--name", TINY, "--packages", str(tmp_path / "packages.txt"))
    assert code == 121 and "Unable to locate package csbench-no-such-package" in said, said

"""What the host's apt is asked, and that nothing of the host reaches the new system. Fake programs on PATH."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbox.builder import debian
from sandbox.builder.debian import Apt, local_list, new_system
from sandbox.builder.recipe import EPOCH
from sandbox.errors import ImageError

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
# CREATED_BY, REPO_URI, RELEASE, SUITE, CODENAME, ORIGIN, COMPONENT, ARCHITECTURE
MAIN = "Packages http://m.invalid/debian/ bookworm oldstable bookworm Debian main amd64"
TARGETS = {
    MAIN: True,
    "Packages http://m.invalid/debian/ bookworm-updates oldstable-updates bookworm-updates Debian main amd64": True,
    "Packages http://m.invalid/sec/ bookworm-security oldstable-security bookworm-security Debian main amd64": True,
    "Packages http://m.invalid/debian/ oldstable oldstable bookworm Debian main amd64": True,
    "Packages http://m.invalid/debian/ bookworm oldstable bookworm Debian contrib amd64": False,
    "Packages http://m.invalid/debian/ bookworm oldstable bookworm Debian main i386": False,
    "Packages http://m.invalid/debian/ trixie stable trixie Debian main amd64": False,
    "Packages http://m.invalid/debian/ bookworm-backports x bookworm-backports Debian main amd64": False,
    "Packages http://m.invalid/debian/ bookworm-proposed-updates x bookworm-proposed-updates Debian main amd64": False,
    "Packages http://vendor.invalid/ bookworm stable bookworm Vendor main amd64": False,
    "Packages http://vendor.invalid/ ./ $(SUITE) $(CODENAME) $(ORIGIN) main amd64": False,
    "DEP-11 http://m.invalid/debian/ bookworm oldstable bookworm Debian main amd64": False,
}  # fmt: skip
SIMULATED = """\
Reading package lists...
Inst gcc-12-base (12.2.0-14+deb12u1 Debian:12.15/oldstable [amd64])
Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64]) [gcc-12-base:amd64 ]
Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
Inst libcap2 (1:2.66-4+deb12u3+b1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])
"""
SHOWN = """\
Package: libcap2
Architecture: amd64
Version: 1:2.66-4
Description: capabilities
 Filename: no/field
Filename: pool/main/libc/libcap2/libcap2_2.66-4_amd64.deb
SHA256: 11

Package: adduser
Architecture: all
Version: 3.134
Filename: pool/main/a/adduser/adduser_3.134_all.deb
SHA256: 22

"""


class Host:
    """A PATH folder of fake programs that write down what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.log = folder / "log"
        self.cache = folder / "cache"
        self.folder.mkdir()
        self.cache.mkdir()
        self.program("dpkg", "echo amd64")
        self.program("sudo", 'exec "$@"')
        self.apt(TARGETS)

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.log}\n{script}\n')
        path.chmod(0o755)

    def apt(self, targets: object, simulated: str = SIMULATED, shown: str = SHOWN) -> None:
        lines = "\n".join("\t".join(line.split()) for line in targets)  # type: ignore[attr-defined]
        for name, text in {"targets": lines + "\n", "simulated": simulated, "shown": shown}.items():
            (self.folder.parent / name).write_text(text)
        top = self.folder.parent
        self.program(
            "apt-get", f"case $* in indextargets*) cat {top}/targets;; *--simulate*) cat {top}/simulated;; esac"
        )
        self.program("apt-cache", f"cat {top}/shown")

    def asked(self) -> str:
        return self.log.read_text()

    def use(self, **env: str) -> Apt:
        return Apt(self.cache, {"PATH": f"{self.folder}:/usr/bin:/bin", **env}, DEBIAN)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setenv("PATH", f"{made.folder}:/usr/bin:/bin")
    return made


def test_only_the_distributions_own_sources_of_this_release_have_a_say(host: Host) -> None:
    host.use().choose(["gcc"])
    lines = (host.cache / "sources.list").read_text().splitlines()
    wanted = [line.split() for line, wanted in TARGETS.items() if wanted]
    assert lines == [f"deb [arch=amd64] {fields[1]} {fields[2]} main" for fields in wanted]


def test_a_derivative_may_use_the_sources_of_what_it_derives_from(host: Host) -> None:
    apt = Apt(host.cache, {"PATH": f"{host.folder}:/usr/bin:/bin"}, {**DEBIAN, "ID": "mine", "ID_LIKE": "x debian"})
    assert apt.choose(["gcc"])


@pytest.mark.parametrize(
    "system", [{}, {"ID": "debian"}, {"ID": "debian", "VERSION_CODENAME": "forky"}, {**DEBIAN, "ID": "fedora"}]
)
def test_without_lists_of_its_own_release_nothing_is_guessed(host: Host, system: dict[str, str]) -> None:
    with pytest.raises(ImageError, match="no lists of this system's own release") as caught:
        Apt(host.cache, {"PATH": f"{host.folder}:/usr/bin:/bin"}, system).choose(["gcc"])
    assert "apt-get update" in caught.value.hint and "Dockerfile" in caught.value.hint


def test_versions_are_what_apt_would_install_with_epochs_and_from_several_sources(host: Host) -> None:
    assert host.use().choose(["gcc"]) == (
        ("gcc-12-base", "12.2.0-14+deb12u1"),
        ("libc6", "2.36-9+deb12u14"),
        ("libcap2", "1:2.66-4+deb12u3+b1"),
    )


def test_apt_is_asked_as_if_nothing_were_installed_and_keeps_the_hosts_credentials_to_itself(host: Host) -> None:
    apt = host.use(http_proxy="http://user:password@192.0.2.1", APT_CONFIG="/etc/mine")
    apt.choose(["gcc"])
    apt.download(["gcc"], [("libcap2", "1:2.66-4"), ("adduser", "3.134")])
    for line in host.asked().splitlines():
        if "install" in line:
            for setting in (
                "Dir::State::status=/dev/null", "Dir::Etc::SourceParts=/dev/null", "Dir::Etc::Preferences=/dev/null",
                "APT::Install-Recommends=false", "APT::Get::AllowUnauthenticated=false",
                f"Dir::Cache::archives={host.cache}/debs", f"Dir::Cache::pkgcache={host.cache}/pkgcache.bin",
            ):  # fmt: skip
                assert f"-o {setting} " in line, line
            assert line.endswith("install ?and(?essential,?not(?name(^apt$))) gcc")
    kept = "".join(path.read_text() for path in host.cache.rglob("*") if path.is_file())
    assert "password" not in kept and "192.0.2.1" not in kept


def test_the_local_list_has_the_signed_hashes_and_the_files_own_names(host: Host) -> None:
    source = host.use().download(["gcc"], [("libcap2", "1:2.66-4"), ("adduser", "3.134")])
    assert source == f"deb [trusted=yes arch=amd64] copy:{host.cache}/debs ./"
    listed = (host.cache / "debs/Packages").read_text()
    assert listed == SHOWN.replace("pool/main/libc/libcap2/libcap2_2.66-4_amd64", "./libcap2_1%3a2.66-4_amd64").replace(
        "pool/main/a/adduser/", "./"
    ).removesuffix("\n")
    assert local_list("") == {}


def test_older_versions_of_its_packages_are_thrown_away_and_other_lists_packages_are_kept(host: Host) -> None:
    apt = host.use()
    for name in ("libcap2_1%3a2.66-4_amd64.deb", "libcap2_1%3a2.66-3_amd64.deb", "other_1_amd64.deb"):
        (host.cache / "debs" / name).touch()
    apt.download(["gcc"], [("libcap2", "1:2.66-4"), ("adduser", "3.134")])
    left = {path.name for path in (host.cache / "debs").glob("*.deb")}
    assert left == {"libcap2_1%3a2.66-4_amd64.deb", "other_1_amd64.deb"}


def test_a_failure_of_apt_is_told_in_its_own_words(host: Host) -> None:
    apt = host.use()
    host.program("apt-get", "echo 'E: Unable to locate package gcc' >&2; exit 100")
    with pytest.raises(ImageError, match="apt-get could not do its part") as caught:
        apt.choose(["gcc"])
    assert caught.value.why == "E: Unable to locate package gcc"


def test_a_system_without_apt_is_told_what_else_there_is(host: Host) -> None:
    (host.folder / "dpkg").unlink()
    with pytest.raises(ImageError, match="dpkg is missing") as caught:
        Apt(host.cache, {"PATH": str(host.folder)}, DEBIAN)
    assert "Dockerfile" in caught.value.hint


@pytest.fixture
def unpacking(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A fake mmdebstrap, started as the real one would be."""
    monkeypatch.setattr(debian, "_PROGRAM_PATH", f"{host.folder}:/usr/bin:/bin")
    host.program("unshare", 'shift; exec "$@"')
    top = host.folder.parent
    host.program("mmdebstrap", f"env | sort >{top}/env; pwd >>{top}/env; echo tree")
    return host


def unpack(scratch: Path) -> bytes:
    with new_system("deb copy:/x ./", ("gcc", "make"), "amd64", scratch) as stream:
        return stream.read(4)


def test_packages_are_unpacked_without_network_and_without_anything_of_the_callers_environment(
    unpacking: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://user:password@192.0.2.1")
    monkeypatch.setenv("CARGO_REGISTRY_TOKEN", "secret")
    assert unpack(tmp_path) == b"tree"
    unshared, started = (line for line in unpacking.asked().splitlines() if line.startswith(("unshare", "mmdebstrap")))
    assert unshared.startswith("unshare --net mmdebstrap ")
    assert started.endswith("--include=gcc make  - deb copy:/x ./") and "--variant=essential" in started
    seen = (tmp_path / "env").read_text().splitlines()
    assert seen.pop() == "/"
    names = {line.partition("=")[0] for line in seen}
    assert names - {"PWD", "_", "OLDPWD", "SHLVL"} == {"PATH", "TMPDIR", "SOURCE_DATE_EPOCH", "LC_ALL"}
    assert f"SOURCE_DATE_EPOCH={EPOCH}" in seen


def test_a_failure_while_unpacking_is_told_with_its_last_words(unpacking: Host, tmp_path: Path) -> None:
    unpacking.program("mmdebstrap", "echo 'E: setup failed' >&2; exit 1")
    with pytest.raises(ImageError, match="mmdebstrap could not make the system") as caught:
        unpack(tmp_path)
    assert caught.value.why.endswith("E: setup failed")


def test_without_mmdebstrap_the_package_to_install_is_named(unpacking: Host, tmp_path: Path) -> None:
    (unpacking.folder / "mmdebstrap").unlink()
    debian_path = f"{unpacking.folder}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(debian, "_PROGRAM_PATH", debian_path)
        with pytest.raises(ImageError, match="mmdebstrap is missing") as caught:
            unpack(tmp_path)
    assert "apt install mmdebstrap" in caught.value.hint


def test_without_root_and_sudo_it_is_said_that_root_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="needs root or sudo"):
        debian.as_root()
    (tmp_path / "sudo").write_text("#!/bin/sh\n")
    (tmp_path / "sudo").chmod(0o755)
    assert debian.as_root() == ("sudo",)


def test_a_saved_image_is_what_the_daemon_reads(tmp_path: Path) -> None:
    import io
    import tarfile

    from sandbox.builder.load import archive

    layer = tmp_path / "layer.tar"
    layer.write_bytes(b"x" * 1000)
    data = b"".join(archive(("a:1", "a:latest"), b'{"os": "linux"}', layer))
    with tarfile.open(fileobj=io.BytesIO(data)) as saved:
        content = {entry.name: (saved.extractfile(entry) or io.BytesIO()).read() for entry in saved}
    [image] = json.loads(content["manifest.json"])
    assert image["RepoTags"] == ["a:1", "a:latest"] and image["Layers"] == ["layer.tar"]
    assert content[image["Config"]] == b'{"os": "linux"}' and content["layer.tar"] == b"x" * 1000
    assert len(image["Config"]) == 64 + len(".json")

"""What of a fresh system stays in the image, and that nothing of the day or the machine does."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.builder.layer import STATUS, Extra, Layer, copy_tree, installed, kept
from sandbox.builder.recipe import EPOCH
from sandbox.errors import ImageError

TYPES = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "null": tarfile.CHRTYPE,
         "disk": tarfile.BLKTYPE, "pipe": tarfile.FIFOTYPE}  # fmt: skip


def system(*entries: tuple[str, Any], mode: int = 0o755, mtime: float = 1.5, uid: int = 0) -> bytes:
    """A tar as mmdebstrap writes one. A file's content is bytes; else (type, link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, what in entries:
            entry = tarfile.TarInfo(f"./{name}")
            entry.mode, entry.mtime, entry.uid, entry.gid, entry.uname = mode, mtime, uid, uid, "somebody"
            entry.pax_headers = {"SCHILY.xattr.security.capability": "all"}
            if isinstance(what, bytes):
                entry.size = len(what)
                archive.addfile(entry, io.BytesIO(what))
            else:
                entry.type, entry.linkname = TYPES[what[0]], what[1]
                archive.addfile(entry)
    return out.getvalue()


def made(data: bytes, *extras: Extra) -> tuple[bytes, str]:
    out = io.BytesIO()
    layer = Layer(out)
    copy_tree(io.BytesIO(data), layer)
    for extra in extras:
        layer.add_extra(extra)
    digest = layer.close()
    return out.getvalue(), digest


def listed(layer: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return {entry.name: entry for entry in archive}


def test_names_contents_and_links_stay_and_owners_dates_and_attributes_do_not() -> None:
    layer, digest = made(
        system(
            ("usr", ("dir", "")), ("usr/bin/cc", b"\x7fELF"), ("usr/bin/gcc", ("hard", "./usr/bin/cc")),
            ("lib", ("link", "usr/lib")), uid=42,
        )
    )  # fmt: skip
    found = listed(layer)
    assert list(found) == ["usr", "usr/bin/cc", "usr/bin/gcc", "lib"]
    assert found["usr/bin/gcc"].islnk() and found["usr/bin/gcc"].linkname == "usr/bin/cc"
    assert found["lib"].linkname == "usr/lib" and found["usr/bin/cc"].mode == 0o755
    for entry in found.values():
        assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.pax_headers) == (EPOCH, 0, 0, "", {})
    assert digest == f"sha256:{hashlib.sha256(layer).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        file = archive.extractfile("usr/bin/cc")
        assert file is not None and file.read() == b"\x7fELF"


def test_the_day_and_the_builder_change_no_byte() -> None:
    tree = (("usr", ("dir", "")), ("usr/a", b"same"))
    one = made(system(*tree, mtime=1.0, uid=0))
    assert one == made(system(*tree, mtime=1767.25, uid=1000))
    assert one != made(system(("usr", ("dir", "")), ("usr/a", b"other")))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (b"", 0o4755, 0o755),
        (b"", 0o2755, 0o755),
        (b"", 0o666, 0o644),
        (b"", 0o777, 0o755),
        (b"", 0o1777, 0o755),
        (b"", 0o640, 0o644),
        (b"", 0o700, 0o755),
        (("dir", ""), 0o2775, 0o755),
        (("dir", ""), 0o777, 0o755),
        (("dir", ""), 0o1777, 0o1777),
        (("dir", ""), 0o3777, 0o1777),
        (("dir", ""), 0o700, 0o755),
        (("dir", ""), 0o1755, 0o755),
        (("link", "x"), 0o644, 0o777),
    ],
)
def test_everybody_may_read_and_nobody_else_than_root_write_but_in_folders_like_tmp(
    kind: Any, before: int, after: int
) -> None:
    layer, _ = made(system(("x", kind), mode=before))
    assert listed(layer)["x"].mode == after


@pytest.mark.parametrize(
    "name",
    """etc/apt/auth.conf etc/apt/auth.conf.d/mirror.conf etc/apt/sources.list etc/apt/apt.conf.d/99proxy
    etc/apt/trusted.gpg.d/key.asc etc/ssl/private/key.pem root/.netrc home/ann/.ssh/id_ed25519 etc/shadow etc/shadow-
    etc/gshadow etc/subuid etc/hostname etc/resolv.conf etc/machine-id var/lib/dbus/machine-id var/log/dpkg.log
    var/cache/ldconfig/aux-cache var/lib/apt/lists/mirror_Packages var/lib/dpkg/info/gcc.list var/lib/dpkg/status-old
    run/lock tmp/left var/tmp/left dev/null proc/1 usr/share/doc/gcc/changelog.gz usr/share/man/man1/gcc.1.gz
    usr/share/locale/de/LC_MESSAGES/gcc.mo usr/lib/python3/dist-packages/__pycache__/x.cpython-311.pyc
    usr/share/doc/gcc/examples/copyright""".split(),
)
def test_what_is_of_this_machine_this_day_or_a_secret_is_left_out(name: str) -> None:
    assert not kept(name)
    layer, _ = made(system((name, b"secret")))
    assert listed(layer) == {} and b"secret" not in layer


@pytest.mark.parametrize(
    "name",
    """etc/apt etc/passwd etc/group etc/ssl/certs/ca-certificates.crt etc/ld.so.cache etc/alternatives/cc tmp var/tmp
    dev proc root usr/share/doc/gcc usr/share/doc/gcc/copyright var/lib/dpkg/status usr/include/shadow.h
    usr/lib/x86_64-linux-gnu/pkgconfig/openssl.pc usr/share/cmake-3.25/Modules/FindZLIB.cmake""".split(),
)
def test_what_a_build_reads_stays(name: str) -> None:
    assert kept(name)
    assert name in listed(made(system((name, b"")))[0])


@pytest.mark.parametrize("kind", ["null", "disk", "pipe"])
def test_a_device_is_left_out_where_the_container_makes_its_own_and_refused_elsewhere(kind: str) -> None:
    assert listed(made(system(("dev/x", (kind, ""))))[0]) == {}
    with pytest.raises(ImageError, match="usr/x is neither"):
        made(system(("usr/x", (kind, ""))))


def test_a_second_name_of_what_is_left_out_is_refused_instead_of_lost() -> None:
    with pytest.raises(ImageError, match="usr/bin/x is another name of etc/shadow"):
        made(system(("etc/shadow", b"x"), ("usr/bin/x", ("hard", "./etc/shadow"))))


@given(st.integers(min_value=0, max_value=4000))
def test_a_stream_that_ends_too_early_never_passes_for_a_whole_system(cut: int) -> None:
    whole = system(("usr/a", b"a" * 1000), (STATUS, b"Package: a\nStatus: install ok installed\nVersion: 1\n"))
    try:
        status = copy_tree(io.BytesIO(whole[:cut]), Layer(io.BytesIO()))
    except ImageError:
        return
    assert status == b"" or len(whole[:cut]) >= whole.index(b"Version: 1\n") + len(b"Version: 1\n")


def test_installed_packages_are_read_from_dpkgs_own_list() -> None:
    text = b"""\
Package: gcc
Status: install ok installed
Version: 4:12.2.0-3
Description: GNU C compiler
 Version: 9 is not meant

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured
Version: 1
"""
    assert list(installed(text)) == [("gcc", "4:12.2.0-3")]


def test_our_own_files_come_after_the_system_and_have_its_date(tmp_path: Any) -> None:
    path = tmp_path / "rustc"
    path.write_bytes(b"compiler")
    layer, _ = made(
        system(("opt", ("dir", ""))), Extra("opt/rust", 0o755), Extra("opt/rust/rustc", 0o755, size=8, data=str(path)),
        Extra("opt/rust/list", 0o644, data=b"gcc=1\n"), Extra("opt/rust/rust", 0o777, link="rustc"),
    )  # fmt: skip
    found = listed(layer)
    assert list(found) == ["opt", "opt/rust", "opt/rust/rustc", "opt/rust/list", "opt/rust/rust"]
    assert {entry.mtime for entry in found.values()} == {EPOCH}
    assert found["opt/rust/rust"].linkname == "rustc" and found["opt/rust/rustc"].size == 8


@pytest.mark.parametrize("size", [7, 9])
def test_a_file_that_changes_while_it_is_read_ends_the_build(tmp_path: Any, size: int) -> None:
    path = tmp_path / "rustc"
    path.write_bytes(b"compiler")
    with pytest.raises(ImageError, match="changed while it was read"):
        Layer(io.BytesIO()).add_extra(Extra("rustc", 0o755, size=size, data=str(path)))

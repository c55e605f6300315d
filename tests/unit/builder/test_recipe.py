"""The list of packages, and what an image made from it is called."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.builder.recipe import EPOCH, Recipe, parse, tags
from sandbox.engine.docker_image import KIND_LABEL, MANIFEST_LABEL
from sandbox.errors import ImageError
from sandbox.resources import image

RECIPE = Recipe(
    packages=(("zlib1g", "1:1.2.13"), ("gcc", "12.2")),
    arch="amd64",
    toolchain="rustc 1.95.0 (59807616e 2026-04-14)",
    toolchain_digest="sha256:11",
    maker="22",
)


def test_our_own_list_has_a_reason_for_every_group_and_the_tools_that_build_scripts_ask_for() -> None:
    groups = parse(image("builder/packages.txt").read_text("utf-8"))
    assert all(len(group.reason) > 20 and group.names for group in groups)
    names = {name for group in groups for name in group.names}
    assert {"gcc", "g++", "cmake", "pkg-config", "clang", "libclang1", "protobuf-compiler", "libssl-dev"} <= names
    assert not {"docker.io", "sudo", "openssh-client", "apt", "curl", "wget"} & names, "nothing that reaches out"


def test_groups_are_parted_by_blank_lines_and_a_heading_without_packages_is_none() -> None:
    one, two = parse("# What this is.\n\n# Because\n# of this.\ngcc g++\nmake\n  \n\n# And that\nlibc6-dev\n")
    assert (one.reason, one.names) == ("Because of this.", ("gcc", "g++", "make"))
    assert (two.reason, two.names) == ("And that", ("libc6-dev",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gcc", "no reason"),
        ("# one\ngcc\n\nmake", "no reason"),
        ("gcc\n# too late", "no reason"),
        ("# one\ngcc make gcc", "twice"),
        ("# one\ngcc\n\n# two\ngcc", "twice"),
        ("# one\n--allow-unauthenticated", "not the name"),
        ("# one\ngcc=1.0", "not the name"),
        ("# one\ngcc-", "not the name"),
        ("# one\nGCC", "not the name"),
        ("# one\n./evil.deb", "not the name"),
        ("# one\n?installed", "not the name"),
        ("# one\n$(id)", "not the name"),
        ("# one\ngcc # and more", "not the name"),
    ],
)
def test_a_list_that_could_mean_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(ImageError) as caught:
        parse(text)
    assert why in caught.value.why


@given(st.text(max_size=60))
def test_no_list_makes_a_word_that_apt_would_read_as_an_option_or_a_change(text: str) -> None:
    try:
        groups = parse(text)
    except ImageError:
        return
    for group in groups:
        assert group.reason or text.startswith("#")
        assert all(name[0].isalnum() and name[-1] not in "-" and name.isascii() for name in group.names)


@pytest.mark.parametrize(
    "change",
    [
        {"packages": (("zlib1g", "1:1.2.13"), ("gcc", "12.3"))},
        {"arch": "arm64"},
        {"toolchain_digest": "sha256:12"},
        {"maker": "23"},
    ],
)
def test_whatever_decides_the_bytes_decides_the_name(change: dict[str, object]) -> None:
    other = dataclasses.replace(RECIPE, **change)  # type: ignore[arg-type]
    assert other.key() != RECIPE.key()
    assert dataclasses.replace(RECIPE).key() == RECIPE.key()
    assert tags("x/y", RECIPE.key()) == (f"x/y:{RECIPE.key()}", "x/y:latest")
    assert len(RECIPE.key()) == 32 and RECIPE.key().isalnum()


def test_the_manifest_lists_packages_by_name_and_the_toolchain() -> None:
    assert RECIPE.manifest().decode().splitlines() == [
        "gcc=12.2",
        "zlib1g=1:1.2.13",
        "toolchain=rustc 1.95.0 (59807616e 2026-04-14) sha256:11",
    ]
    debian = dataclasses.replace(RECIPE, toolchain="", toolchain_digest="")
    assert b"toolchain" not in debian.manifest()
    assert debian.labels()[MANIFEST_LABEL] != RECIPE.labels()[MANIFEST_LABEL]


def test_the_configuration_has_a_fixed_date_a_path_an_ordinary_user_and_no_volume() -> None:
    text = RECIPE.config("sha256:33")
    assert text == RECIPE.config("sha256:33")
    config = json.loads(text)
    assert config["created"] == "2026-01-01T00:00:00Z" and EPOCH == 1767225600
    assert config["rootfs"] == {"type": "layers", "diff_ids": ["sha256:33"]}
    inside = config["config"]
    assert inside["User"] == "60800:60800" and "Volumes" not in inside and "ExposedPorts" not in inside
    assert inside["Env"][0].startswith("PATH=/opt/rust/bin:") and inside["Env"][0].endswith(":/bin")
    assert inside["Labels"][KIND_LABEL] == "builder"


def test_an_architecture_that_cargo_sandbox_does_not_run_on_is_refused() -> None:
    with pytest.raises(ImageError, match="does not run on armhf"):
        dataclasses.replace(RECIPE, arch="armhf").config("sha256:33")

"""The answer of an image to the question for its toolchain."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plan.facts import HostFacts, ToolFacts
from sandbox.run.host import in_image
from sandbox.run.image import parse_answer

ANSWER = "/opt/rust\n/opt/rust/bin/cargo\n/opt/rust/bin/rustc\n/opt/rust/bin/rustdoc\n{}\n"


def test_a_toolchain_is_read_with_and_without_clippy() -> None:
    tool = ToolFacts("/opt/rust/bin/cargo", "/opt/rust/bin/rustc", "/opt/rust/bin/rustdoc", "", "/opt/rust", "image")
    assert parse_answer(ANSWER.format("")) == tool
    clippy = parse_answer(ANSWER.format("/opt/rust/bin/clippy-driver"))
    assert clippy is not None and clippy.clippy_driver == "/opt/rust/bin/clippy-driver"


@pytest.mark.parametrize(
    "text",
    ["", "\n\n\n\n\n", "/a\n/b\n/c\n/d\n", "a\n/b\n/c\n/d\n\n", "/a\n/b/../c\n/c\n/d\n\n", "/a\n/\x1b\n/c\n/d\n\n"],
)
def test_anything_else_is_no_toolchain(text: str) -> None:
    assert parse_answer(text) is None


@given(st.text(max_size=80))
def test_no_answer_makes_a_path_that_is_not_absolute(text: str) -> None:
    tool = parse_answer(text)
    assert tool is None or all(path.startswith("/") for path in (tool.cargo, tool.rustc, tool.rustdoc, tool.root))


def test_the_certificate_authorities_are_those_that_the_caller_names_or_this_machine_has(tmp_path: Path) -> None:
    real, link = tmp_path / "real.pem", tmp_path / "corp.pem"
    real.touch()
    link.symlink_to(real)

    def found(image: str = "sha256:1", **env: str) -> str:
        host = HostFacts("/h", ("/h",), "ann", 1, 1, env, (), "/guard", "sha256:0", 1 << 30, "/h/state")
        return in_image(host, image).authorities

    assert found(CARGO_HTTP_CAINFO=str(link), SSL_CERT_FILE="/etc/hostname") == str(real)
    assert found(SSL_CERT_FILE=str(link)) == str(real)
    default = found()
    assert default == "" or Path(default).is_file()
    assert found(SSL_CERT_FILE=f"{tmp_path}/gone.pem") == found(SSL_CERT_FILE="corp.pem") == default
    assert found("", SSL_CERT_FILE=str(link)) == ""

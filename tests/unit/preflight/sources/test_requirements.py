"""Requirements that anything fits, and versions as attacks have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.preflight.sources import requirements
from sandbox.preflight.sources.requirements import is_unbounded
from tests.unit.preflight.sources.make import ACME, NAMES_ACME, codes, details, locked, subject, wishes

OWN = wishes(("acme-*", "registry:acme"))


@pytest.mark.parametrize("text", ["*", "", ">=1", ">0.1.0", ">=1, >2", " * ", "*, >=1"])
def test_requirements_without_an_upper_end(text: str) -> None:
    assert is_unbounded(text)


@pytest.mark.parametrize(
    "text", ["1", "1.2.3", "^1", "~1.2", "=1.2.3", "1.*", ">=1, <2", "<3", "<=3", "*, <2", "what?"]
)
def test_requirements_with_one(text: str) -> None:
    assert not is_unbounded(text)


@given(st.text(alphabet="0123456789.*<>=^~, -ab", max_size=20))
def test_no_requirement_is_too_strange(text: str) -> None:
    is_unbounded(text)


@pytest.mark.parametrize(
    "text",
    [
        '[dependencies]\nacme-util = "*"\n',
        '[build-dependencies]\nacme-util = { version = ">=1" }\n',
        "[target.'cfg(unix)'.dev-dependencies]\nx = { package = \"acme-util\", version = '*' }\n",
        '[workspace.dependencies]\nacme-util = { registry = "acme" }\n',
    ],
)
def test_an_internal_name_that_anything_fits_is_told_with_the_line_to_write(tmp_path: Path, text: str) -> None:
    answer = requirements.run(subject(tmp_path, locked("acme-util", "1.4.0", ACME), manifest=text, rules=OWN))
    assert codes(answer) == ["CS0508"] and answer.findings[0].severity == "medium"
    assert 'version = "1.4.0"' in answer.findings[0].help and "Cargo.toml" in details(answer)


@pytest.mark.parametrize(
    "text",
    [
        '[dependencies]\nacme-util = "1.4"\n',
        '[dependencies]\nserde = "*"\n',
        '[dependencies]\nacme-util = { path = "../util" }\n',
        "[dependencies]\nacme-util = { workspace = true }\n",
        "dependencies = 1\ntarget = []\n",
        "[dependencies]\nacme-util = 1\n[target]\nx = 1\n",
    ],
)
def test_bounded_public_and_local_ones_are_not(tmp_path: Path, text: str) -> None:
    found = codes(requirements.run(subject(tmp_path, manifest=text, rules=OWN)))
    assert found == (["CS0508"] if text.startswith("[dependencies]\nacme-util = 1\n") else [])


def test_what_is_asked_of_a_private_registry_is_internal_without_a_rule(tmp_path: Path) -> None:
    manifest = '[dependencies]\nhidden = { version = "*", registry = "acme" }\n'
    answer = requirements.run(subject(tmp_path, manifest=manifest))
    assert codes(answer) == ["CS0508"] and 'registry = "acme"' in answer.findings[0].help


def test_a_manifest_that_can_t_be_read_is_not_done(tmp_path: Path) -> None:
    answer = requirements.run(subject(tmp_path, manifest="[dep"))
    assert answer.state == "not done" and "Cargo.toml" in answer.why


@pytest.mark.parametrize("version", ["99.0.1", "99.99.5", "999.0.0", "9999.1.0"])
def test_a_new_package_at_99_is_told(tmp_path: Path, version: str) -> None:
    answer = requirements.run(subject(tmp_path, locked("lsh", version), accepted=(locked("serde"),)))
    assert codes(answer) == ["CS0509"] and answer.findings[0].severity == "medium"


def test_an_internal_name_need_not_be_at_99(tmp_path: Path) -> None:
    answer = requirements.run(subject(tmp_path, locked("acme-util", "90.0.0"), rules=OWN, tree=NAMES_ACME))
    assert codes(answer) == ["CS0509"]


def test_an_internal_name_from_its_own_registry_may_count_as_it_likes(tmp_path: Path) -> None:
    answer = requirements.run(subject(tmp_path, locked("acme-util", "120.0.0", ACME), rules=OWN, tree=NAMES_ACME))
    assert not answer.findings


@pytest.mark.parametrize(
    "name, version",
    [("v8", "150.4.0"), ("wast", "240.0.0"), ("wast", "99.0.0"), ("mozjs_sys", "140.14.0"), ("openssl-src", "300.5.4"),
     ("rustc-ap-rustc_lexer", "727.0.0"), ("x", "9.0.0"), ("x", "89.1.0"), ("x", "0.99.9"), ("x", "no version")],
)  # fmt: skip
def test_real_high_versions_are_not(tmp_path: Path, name: str, version: str) -> None:
    assert not requirements.run(subject(tmp_path, locked(name, version))).findings


def test_what_was_accepted_and_what_is_local_is_no_matter(tmp_path: Path) -> None:
    packages = (locked("lsh", "99.0.1"), locked("own", "99.0.0", None))
    assert not requirements.run(subject(tmp_path, *packages, accepted=(locked("lsh", "99.0.0"),))).findings

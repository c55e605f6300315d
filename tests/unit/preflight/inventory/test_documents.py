"""SBOMs: golden files, the standards' own validators, equal bytes each time, and text of the worst kind.

CARGO_SANDBOX_GOLDEN=write writes the golden files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.validation.xml import XmlValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.inventory import cyclonedx, spdx
from sandbox.preflight.inventory.build import from_lock
from sandbox.preflight.inventory.model import Inventory
from sandbox.preflight.inventory.origin import origin_of
from tests.unit.preflight.inventory.made import (
    CRATES_IO,
    GIT,
    PRIVATE,
    after_a_run,
    find,
    hostile,
    inventory,
    locked,
)

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "inventory"
VERSION = "0.0.0"
MAKERS = {"cdx.json": cyclonedx.to_json, "cdx.xml": cyclonedx.to_xml, "spdx.json": spdx.to_json}
CASES = {
    "before": inventory(),
    "after": after_a_run(),
    "lock": from_lock(locked(), "ws", 1_700_000_000),
    "empty": from_lock((), "ws"),
    "hostile": hostile(),
}


def problems(kind: str, text: str) -> list[str]:
    """What the standard's validator holds against a document."""
    if kind == "cdx.json":
        found: Any = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text, all_errors=True)
    elif kind == "cdx.xml":
        found = XmlValidator(SchemaVersion.V1_6).validate_str(text, all_errors=True)
    else:
        found = validate_full_spdx_document(JsonLikeDictParser().parse(json.loads(text)))
    return [str(one)[:500] for one in found or ()]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("case", CASES)
def test_a_document_is_valid_by_its_standards_own_validator(case: str, kind: str) -> None:
    assert problems(kind, MAKERS[kind](CASES[case], VERSION)) == []


def test_the_validators_are_able_to_complain() -> None:
    text = cyclonedx.to_json(inventory(), VERSION)
    assert problems("cdx.json", text.replace('"library"', '"book"'))
    assert problems("cdx.xml", cyclonedx.to_xml(inventory(), VERSION).replace('type="library"', 'type="book"'))
    assert problems("spdx.json", spdx.to_json(inventory(), VERSION).replace("SPDXRef-Workspace", "Workspace"))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("case", ["before", "after", "lock"])
def test_a_document_is_its_golden_file(case: str, kind: str) -> None:
    text = MAKERS[kind](CASES[case], VERSION) + "\n"
    path = GOLDEN / f"{case}.{kind}"
    if os.environ.get("CARGO_SANDBOX_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("kind", MAKERS)
def test_another_process_writes_the_same_bytes(kind: str) -> None:
    code = (
        "import sys; from tests.unit.preflight.inventory.test_documents import MAKERS, CASES, VERSION; "
        f"sys.stdout.write(MAKERS[{kind!r}](CASES['after'], VERSION))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=True)
    assert done.stdout.decode() == MAKERS[kind](CASES["after"], VERSION)


@pytest.mark.parametrize("kind", MAKERS)
def test_text_of_the_worst_kind_is_shown_as_escapes_and_cut(kind: str) -> None:
    text = MAKERS[kind](hostile(), VERSION)
    for bad in ("\x1b", "\x07", "\u202e", "\ufffe", "\ud800", "\\u001b", "\\u0007", "\\u202e", "\\ud800"):
        # JSON writes a control as \\u001b: with one backslash it would still be one for who reads it.
        assert bad not in text.replace("\\\\u", "")
    assert max(map(len, text.split("\n"))) < 12_000
    assert "A" * 600 not in text and "secret" not in text


@pytest.mark.parametrize("kind", MAKERS)
def test_no_secret_and_no_folder_of_this_machine_is_in_a_document(kind: str) -> None:
    text = MAKERS[kind](after_a_run(), VERSION)
    assert "secret" not in text and "/home/" not in text and "/ws/" not in text and "/beside" not in text


def component(made: Inventory, name: str) -> dict[str, Any]:
    data = json.loads(cyclonedx.to_json(made, VERSION))
    return next(one for one in data["components"] if one["name"] == name)


def test_what_ran_at_build_time_is_told_by_properties() -> None:
    found = component(after_a_run(), "csbench-sys")["properties"]
    assert {"name": "cargo-sandbox:build-script", "value": "ran"} in found
    assert {"name": "cargo-sandbox:verdict", "value": "violation"} in found
    assert {"name": "cargo-sandbox:finding", "value": "CS0102 high"} in found
    assert {"name": "cargo-sandbox:baseline", "value": "changed"} in found
    before = component(inventory(), "csbench-sys")["properties"]
    assert {"name": "cargo-sandbox:build-script", "value": "no run recorded"} in before
    unknown = component(from_lock(locked(), "ws"), "csbench-sys")["properties"]
    assert {"name": "cargo-sandbox:build-script", "value": "unknown"} in unknown
    assert {"name": "cargo-sandbox:verdict", "value": "no run recorded"} in unknown


def test_scopes_licences_and_hashes_are_in_the_standards_own_fields() -> None:
    made = inventory()
    scopes = {one["name"]: one.get("scope") for one in json.loads(cyclonedx.to_json(made, VERSION))["components"]}
    assert [scopes[name] for name in ("csbench-lib", "csbench-syn", "csbench-check", "csbench-win")] == [
        "required", "excluded", "excluded", "optional",
    ]  # fmt: skip
    assert component(from_lock(locked(), "ws"), "cc").get("scope") is None
    declared = {"acknowledgement": "declared"}
    assert component(made, "csbench-derive")["licenses"] == [{"license": {"id": "MIT"} | declared}]
    assert component(made, "cc")["licenses"] == [{"expression": "MIT OR Apache-2.0"} | declared]
    assert component(made, "csbench-sys")["licenses"] == [{"license": {"name": "see the file COPYING"} | declared}]
    assert component(made, "csbench-git")["licenses"] == [{"license": {"name": "ask us"} | declared}]
    assert "licenses" not in component(made, "app")
    assert component(made, "cc")["hashes"] == [{"alg": "SHA-256", "content": find(made, "cc").checksum}]
    assert "hashes" not in component(made, "csbench-git")


def test_a_checksum_that_is_none_is_no_hash() -> None:
    items = tuple(replace(item, checksum="beef") for item in inventory().items)
    found = component(replace(inventory(), items=items), "cc")
    assert "hashes" not in found
    assert {"name": "cargo-sandbox:checksum", "value": "malformed"} in found["properties"]


def test_the_graph_is_whole_and_begins_at_the_workspace() -> None:
    data = json.loads(cyclonedx.to_json(inventory(), VERSION))
    refs = {one["bom-ref"]: one["name"] for one in data["components"]}
    needs = {one["ref"]: one.get("dependsOn", []) for one in data["dependencies"]}
    assert set(needs) == {*refs, "workspace"} and data["metadata"]["component"]["bom-ref"] == "workspace"
    assert [refs[ref] for ref in needs["workspace"]] == ["app", "csbench-tool"]
    lib = next(ref for ref, name in refs.items() if name == "csbench-lib")
    assert sorted(refs[ref] for ref in needs[lib]) == ["csbench-sys", "csbench-win"]


def test_spdx_tells_build_and_dev_dependencies_from_others() -> None:
    data = json.loads(spdx.to_json(inventory(), VERSION))
    names = {one["SPDXID"]: one["name"] for one in data["packages"]} | {"SPDXRef-DOCUMENT": "document"}
    found = {
        (names[one["spdxElementId"]], one["relationshipType"], names[one["relatedSpdxElement"]])
        for one in data["relationships"]
    }
    assert ("cc", "BUILD_DEPENDENCY_OF", "csbench-sys") in found
    assert ("csbench-check", "DEV_DEPENDENCY_OF", "app") in found
    assert ("csbench-lib", "DEPENDS_ON", "csbench-win") in found
    assert {("ws", "CONTAINS", "app"), ("document", "DESCRIBES", "ws")} <= found
    declared = {one["name"]: one["licenseDeclared"] for one in data["packages"]}
    assert declared["cc"] == "MIT OR Apache-2.0"
    assert {declared[name] for name in ("app", "csbench-git", "csbench-sys", "csbench-tool")} == {"NOASSERTION"}
    assert [one["licenseId"] for one in data["hasExtractedLicensingInfos"]] == ["LicenseRef-acme"]


def location(source: str) -> str:
    """The download location of a package from there."""
    base = find(inventory(), "csbench-git")
    made = replace(inventory(), items=(replace(base, source=source, origin=origin_of(source)),), roots=(0,))
    text = spdx.to_json(replace(made, items=tuple(replace(one, depends=()) for one in made.items)), VERSION)
    assert problems("spdx.json", text) == []
    return str(json.loads(text)["packages"][1]["downloadLocation"])


def test_a_download_location_is_told_only_where_the_standard_can_write_it() -> None:
    assert location(CRATES_IO) == "https://static.crates.io/crates/csbench-git/1.2.3/download"
    assert location("git+https://a:b@github.com/x/y.git?rev=1#0abc") == "git+https://github.com/x/y.git@0abc"
    for other in (
        GIT,
        PRIVATE,
        "git+https://github.com/x y#0abc",
        "git+file:///home/ann/x#0abc",
        "git+https://x.com/y",
    ):
        assert location(other) == "NOASSERTION"


def test_two_packages_of_one_name_and_version_stay_two() -> None:
    made = inventory()
    twin = replace(find(made, "cc"), source="x")
    made = replace(made, items=(*made.items, twin, twin))
    for kind, make in MAKERS.items():
        assert problems(kind, make(made, VERSION)) == []
    refs = [one["bom-ref"] for one in json.loads(cyclonedx.to_json(made, VERSION))["components"]]
    assert len(refs) == len(set(refs)) == len(made.items)


def test_serial_and_time_change_with_the_inventory_alone() -> None:
    one, other = (json.loads(cyclonedx.to_json(made, VERSION)) for made in (inventory(), after_a_run()))
    assert one["serialNumber"] != other["serialNumber"]
    assert one["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(["a", "1.0.0", CRATES_IO, GIT, PRIVATE, "/", "a 1.0.0"])
LOCKS = st.lists(
    st.builds(LockedPackage, TEXTS, TEXTS, TEXTS | st.none(), TEXTS | st.none(), st.tuples(TEXTS)), max_size=5
)


@given(LOCKS, TEXTS)
@settings(max_examples=25, deadline=None)
def test_any_lock_file_gives_documents_that_the_validators_take(packages: list[LockedPackage], name: str) -> None:
    made = from_lock(packages, name)
    for kind, make in MAKERS.items():
        assert problems(kind, make(made, VERSION)) == []

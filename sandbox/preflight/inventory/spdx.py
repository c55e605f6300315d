"""SPDX 2.3 as JSON, written by hand from the specification (spdx.github.io/spdx-spec/v2.3).

The project's own library drags an RDF store along, and this is a few tables; the tests validate with that library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sandbox.preflight.inventory import licences, properties
from sandbox.preflight.inventory.model import Edge, Inventory, Item
from sandbox.preflight.inventory.origin import purl
from sandbox.preflight.inventory.properties import plain
from sandbox.preflight.inventory.refs import serial, spdx_id, unique

_DOCUMENT, _ROOT = "SPDXRef-DOCUMENT", "SPDXRef-Workspace"
_NOTHING = "NOASSERTION"
# As the specification's own pattern (§7.7) and its validator have it: the last part of a host has two to five letters.
_REPOSITORY = re.compile(
    r"(?:https?|ssh|git)://[a-z0-9]+(?:[-.][a-z0-9]+)*\.[a-z]{2,5}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/+-]*)?"
)


def to_json(inventory: Inventory, version: str) -> str:
    """The document, without a final newline. `version` is ours. Equal inventories give equal text."""
    when = datetime.fromtimestamp(inventory.stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tool = f"cargo-sandbox-{version}"
    refs = unique(inventory.items, [spdx_id(f"{item.name}-{item.version}") for item in inventory.items])
    refs = [ref.replace("#", "-") for ref in refs]
    name = plain(inventory.name) or "workspace"
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": f"urn:uuid:{serial(inventory)}",
        "creationInfo": {"created": when, "creators": [f"Tool: {tool}"]},
        "comment": "\n".join(f"{key}={value}" for key, value in properties.of_inventory(inventory)),
        "packages": [
            _root(inventory, name),
            *(_package(item, ref, tool, when) for item, ref in zip(inventory.items, refs, strict=True)),
        ],
        "relationships": list(_relationships(inventory, refs)),
    }
    extracted = _extracted(inventory)
    if extracted:
        document["hasExtractedLicensingInfos"] = extracted
    return json.dumps(document, indent=2)


def _root(inventory: Inventory, name: str) -> dict[str, Any]:
    version = {"versionInfo": plain(inventory.version)} if inventory.version else {}
    return {"SPDXID": _ROOT, "name": name, **version, "primaryPackagePurpose": "APPLICATION", **_unsaid()}


def _unsaid() -> dict[str, Any]:
    return {
        "downloadLocation": _NOTHING, "filesAnalyzed": False, "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING, "copyrightText": _NOTHING,
    }  # fmt: skip


def _package(item: Item, ref: str, tool: str, when: str) -> dict[str, Any]:
    one = purl(item)
    package = {
        "SPDXID": ref,
        "name": plain(item.name) or "?",
        "versionInfo": plain(item.version),
        "primaryPackagePurpose": "APPLICATION" if item.programs else "LIBRARY",
        **_unsaid(),
        "downloadLocation": _location(item),
        "annotations": [
            {
                "annotationDate": when, "annotationType": "OTHER", "annotator": f"Tool: {tool}",
                "comment": "\n".join(f"{name}={value}" for name, value in properties.of_item(item)),
            }
        ],
    }  # fmt: skip
    if item.licence.state == "expression" and "DocumentRef-" not in item.licence.text:
        package["licenseDeclared"] = item.licence.text
    else:
        package["licenseComments"] = _comment(item)
    if properties.checksum_state(item) == "locked":
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": item.checksum}]
    if one is not None:
        package["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": one.to_string()}
        ]
    if item.repository:
        package["sourceInfo"] = f"repository: {item.repository}"
    return package


def _location(item: Item) -> str:
    kind, url, revision = item.origin
    if kind == "crates.io":
        name, version = item.name, item.version
        if (name + version).isascii() and not set(name + version) & set("/?#%\\ ") and (name + version).isprintable():
            return f"https://static.crates.io/crates/{name}/{version}/download"
    if kind == "git" and _REPOSITORY.fullmatch(url) and revision.isalnum() and revision.isascii():
        return f"git+{url}@{revision}"
    return _NOTHING


def _comment(item: Item) -> str:
    words = {
        "expression": f"Cargo.toml states an expression with references to other documents: {item.licence.text}",
        "other": f"Cargo.toml states what is no SPDX expression: {item.licence.text}",
        "file": f"Cargo.toml names a licence file and no expression: {item.licence.text}",
        "none": "Cargo.toml states no licence",
        "unread": f"not known: {item.licence.text}",
    }
    return plain(words[item.licence.state])


def _relationships(inventory: Inventory, refs: list[str]) -> Iterator[dict[str, str]]:
    yield _related(_DOCUMENT, "DESCRIBES", _ROOT)
    for at in inventory.roots:
        yield _related(_ROOT, "CONTAINS" if inventory.items[at].member else "DEPENDS_ON", refs[at])
    for item, ref in zip(inventory.items, refs, strict=True):
        for edge in item.depends:
            yield _edge(ref, edge, refs[edge.item])


def _edge(ref: str, edge: Edge, to: str) -> dict[str, str]:
    if "normal" in edge.kinds or "other" in edge.kinds:
        return _related(ref, "DEPENDS_ON", to)
    return _related(to, "BUILD_DEPENDENCY_OF" if "build" in edge.kinds else "DEV_DEPENDENCY_OF", ref)


def _related(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}


def _extracted(inventory: Inventory) -> list[dict[str, str]]:
    names = {
        name
        for item in inventory.items
        if item.licence.state == "expression"
        for name in licences.references(item.licence.text)
    }
    return [
        {"licenseId": name, "extractedText": "not read: a package's Cargo.toml names this licence by reference"}
        for name in sorted(names)
    ]

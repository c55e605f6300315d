"""CycloneDX 1.6 (ECMA-424), JSON and XML, by the CycloneDX library. Imported late: the library costs 0.4 s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseAcknowledgement, LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.output.xml import XmlV1Dot6
from cyclonedx.spdx import is_supported_id

from sandbox.preflight.inventory import properties
from sandbox.preflight.inventory.model import Inventory, Item, Licence, Use
from sandbox.preflight.inventory.origin import purl
from sandbox.preflight.inventory.properties import plain
from sandbox.preflight.inventory.refs import serial, unique

_SCOPES: Mapping[Use, ComponentScope | None] = {
    "runtime": ComponentScope.REQUIRED,
    "build": ComponentScope.EXCLUDED,
    "dev": ComponentScope.EXCLUDED,
    "other": ComponentScope.OPTIONAL,
    "unknown": None,
}
"""The schema's own words: excluded is "not reachable within a call graph at runtime", optional "not installed"."""


def to_json(inventory: Inventory, version: str) -> str:
    """The document as JSON, without a final newline. `version` is ours."""
    return JsonV1Dot6(bom_of(inventory, version)).output_as_string(indent=2)


def to_xml(inventory: Inventory, version: str) -> str:
    """The document as XML, without a final newline."""
    return XmlV1Dot6(bom_of(inventory, version)).output_as_string(indent=2)


def bom_of(inventory: Inventory, version: str) -> Bom:
    """The whole document. Equal inventories give equal documents, serial number and time included."""
    purls = [purl(item) for item in inventory.items]
    refs = unique(inventory.items, [plain(one.to_string() if one else "") for one in purls])
    components = [_component(item, ref) for item, ref in zip(inventory.items, refs, strict=True)]
    for component, one in zip(components, purls, strict=True):
        component.purl = one
    root = Component(
        name=plain(inventory.name),
        version=plain(inventory.version) or None,
        type=ComponentType.APPLICATION,
        bom_ref="workspace",
    )
    return Bom(
        serial_number=serial(inventory),
        components=components,
        dependencies=[
            _dependency("workspace", (refs[at] for at in inventory.roots)),
            *(
                _dependency(ref, (refs[edge.item] for edge in item.depends))
                for item, ref in zip(inventory.items, refs, strict=True)
            ),
        ],
        metadata=BomMetaData(
            timestamp=datetime.fromtimestamp(inventory.stamp, UTC),
            tools=ToolRepository(
                components=[Component(name="cargo-sandbox", version=version, type=ComponentType.APPLICATION)]
            ),
            lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD if inventory.ran else LifecyclePhase.PRE_BUILD)],
            component=root,
            properties=[Property(name=name, value=value) for name, value in properties.of_inventory(inventory)],
        ),
    )


def _component(item: Item, ref: str) -> Component:
    hashes = []
    if properties.checksum_state(item) == "locked":
        hashes.append(HashType(alg=HashAlgorithm.SHA_256, content=item.checksum))
    links = []
    if item.repository:
        links.append(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(item.repository)))
    return Component(
        name=plain(item.name),
        version=plain(item.version),
        type=ComponentType.APPLICATION if item.programs else ComponentType.LIBRARY,
        bom_ref=ref,
        scope=_SCOPES[item.use],
        hashes=hashes,
        licenses=_licences(item.licence),
        external_references=links,
        properties=[Property(name=name, value=value) for name, value in properties.of_item(item)],
    )


def _licences(licence: Licence) -> list[License]:
    declared = LicenseAcknowledgement.DECLARED
    if licence.state == "expression":
        if is_supported_id(licence.text):
            return [DisjunctiveLicense(id=licence.text, acknowledgement=declared)]
        return [LicenseExpression(licence.text, acknowledgement=declared)]
    if licence.state == "other":
        return [DisjunctiveLicense(name=plain(licence.text), acknowledgement=declared)]
    if licence.state == "file":
        return [DisjunctiveLicense(name=plain(f"see the file {licence.text}"), acknowledgement=declared)]
    return []


def _dependency(ref: str, needs: Iterable[str]) -> Dependency:
    return Dependency(BomRef(ref), [Dependency(BomRef(need)) for need in needs])

"""Libraries that are loaded at run time are found where cargo has put them."""

from __future__ import annotations

import pytest

from tests.engine.compare import same
from tests.engine.crates import manifest, scripted
from tests.engines import core
from tests.harness import Lab

pytestmark = pytest.mark.engine


@core
def test_a_script_that_needs_a_dylib_of_the_workspace_finds_it(lab: Lab) -> None:
    """As by cargo: only where no package makes one, nobody looks for libraries among the outputs."""
    files = scripted(
        'fn main() { println!("cargo:rustc-env=NUMBER={}", shared::number()); }\n',
        'fn main() { println!("{}", env!("NUMBER")); }\n',
        more='\n[build-dependencies]\nshared = { path = "shared" }\n',
    )
    files |= {
        "shared/Cargo.toml": manifest("shared", '\n[lib]\ncrate-type = ["dylib"]\n'),
        "shared/src/lib.rs": "pub fn number() -> u32 { 7 }\n",
    }
    assert same(lab.project(files), "run", fresh_after=True).out == b"7\n"

"""Two clean builds of one workspace, at two places and with different -j, behave the same."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from sandbox.behaviour.canonical import canonical, schema, to_json, unit_json
from sandbox.behaviour.compare import compare_runs
from sandbox.behaviour.model import Behaviour, Profile
from sandbox.behaviour.profile import profile_of
from sandbox.trace.reader import RunReader
from tests.engine.crates import KITCHEN, scripted
from tests.engines import ENGINES, once, only
from tests.harness import Done, Lab, ordinary_user, sandboxed
from tests.users import me

pytestmark = pytest.mark.engine


def behaviours(done: Done) -> Profile:
    with RunReader(done.run.path) as run:
        return profile_of(run)


def script(found: Profile, package: str) -> Behaviour:
    return next(one for one in found.behaviours if (one.key.role, one.key.package) == ("script", package))


def test_two_clean_builds_at_two_places_with_different_jobs_behave_the_same(lab: Lab) -> None:
    found = []
    for name, jobs in (("ws", "1"), ("another-place/and deeper", "4")):
        done = sandboxed(lab.project(KITCHEN, name), "build", "-j", jobs)
        assert done.code == 0, done.shown
        found.append(behaviours(done))
    one, two = found
    assert (one.holes, two.holes) == ((), ())
    assert compare_runs(one, two) == {}
    assert [canonical(unit_json(unit, evidence=False)) for unit in one.behaviours] == [
        canonical(unit_json(unit, evidence=False)) for unit in two.behaviours
    ]
    jsonschema.Draft202012Validator(schema()).validate(to_json(one))

    native = script(one, "native-sys")
    directives = {(fact.act, fact.object) for fact in native.of("directive")}
    assert ("rustc-link-search", "native=$OUT_DIR") in directives
    assert ("metadata", "number=42") in directives
    assert [(fact.act, fact.object) for fact in native.of("used")] == [("linked", "$OUT_DIR/libanswer.a")]
    (linked,) = native.of("used")
    (library,) = (path for path in done.project.build_dir.rglob("libanswer.a"))
    assert linked.digest == f"sha256:{hashlib.sha256(library.read_bytes()).hexdigest()}"
    compiled = next(fact for fact in native.of("exec") if fact.object.endswith("/cc"))
    assert compiled.digest == f"sha256:{hashlib.sha256(Path(shutil.which('cc') or '').read_bytes()).hexdigest()}"
    ran = {fact.object: fact.digest for unit in one.behaviours for fact in unit.of("exec") if fact.act == "exec"}
    assert {name: digest for name, digest in ran.items() if not digest.startswith("sha256:")} == {}
    assert compiled.chain == ("$SCRIPT/build-script-build", "$SCRIPT/build_script_build-<hash>.real")
    assert all(dict(fact.detail)["where"] == "inside" for fact in native.of("write") if fact.owner == "own output")
    middle = next(one for one in one.behaviours if one.key.crate == "middle")
    assert [macro.rpartition("/")[2] for macro in middle.macros] == ["libderive-<hash>.so"]


def test_what_allocators_read_by_chance_is_counted_and_is_no_behaviour(lab: Lab) -> None:
    """glibc's counts processors where threads happen to meet."""
    reads = 'fn main() { for name in ["stat", "uptime"] { std::fs::read(format!("/proc/{name}")).unwrap(); } }'
    done = sandboxed(lab.project(scripted(reads)), "build")
    assert done.code == 0, done.shown
    seen = {fact.object for unit in behaviours(done).behaviours for fact in unit.of("read")}
    assert "/proc/uptime" in seen and "/proc/stat" not in seen


@once("it makes a container with each engine, for root and for somebody else")
@only("root", "nobody else can become another user")
def test_whoever_builds_and_with_whichever_engine_builds_behave_the_same(lab: Lab) -> None:
    found = {}
    for engine in ENGINES:
        there = replace(lab, engine=engine)
        for user in (me(), ordinary_user(there)):
            done = sandboxed(there.project(KITCHEN, user=user), "build", options=["--engine", engine])
            assert done.code == 0 and done.run.result["engine"] == engine, done.shown
            found[engine, user.name] = behaviours(done)
    first, *others = found.items()
    for name, other in others:
        assert other.holes == (), name
        assert compare_runs(first[1], other) == {}, (first[0], name)


def test_one_more_act_is_one_more_fact_of_that_unit_alone(lab: Lab) -> None:
    before = behaviours(sandboxed(lab.project(scripted("fn main() {}")), "build"))
    more = 'fn main() { let _ = std::fs::write("/tmp/$OUT_DIR", "x"); }'
    after = behaviours(sandboxed(lab.project(scripted(more)), "build"))
    ((key, gap),) = compare_runs(before, after).items()
    assert (key.role, key.package) == ("script", "app")
    assert [(fact.kind, fact.act, fact.object, fact.owner) for fact in gap.added] == [
        ("write", "write", "$TMP/\\$OUT_DIR", "scratch")
    ]
    assert gap.removed == gap.unsure == ()

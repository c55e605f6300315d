"""Two clean builds of one workspace, at two places and with different -j, behave the same."""

from __future__ import annotations

import jsonschema
import pytest

from sandbox.behaviour.canonical import canonical, schema, to_json, unit_json
from sandbox.behaviour.compare import compare_runs
from sandbox.behaviour.model import Behaviour, Profile
from sandbox.behaviour.profile import profile_of
from sandbox.trace.reader import RunReader
from tests.engine.crates import KITCHEN, scripted
from tests.harness import Done, Lab, sandboxed

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
    compiled = next(fact for fact in native.of("exec") if fact.object.endswith("/cc"))
    assert compiled.chain == ("$SCRIPT/build-script-build", "$SCRIPT/build_script_build-<hash>.real")
    assert all(dict(fact.detail)["where"] == "inside" for fact in native.of("write") if fact.owner == "own output")
    middle = next(one for one in one.behaviours if one.key.crate == "middle")
    assert [macro.rpartition("/")[2] for macro in middle.macros] == ["libderive-<hash>.so"]


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

"""An allowance takes away what it names and nothing else; what it takes is kept, and what nobody needs is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sandbox.cargo.metadata import BuildScript, Facts, Package
from sandbox.judge.model import Finding
from sandbox.policy.apply import apply, waives, walls
from sandbox.policy.deny import denied, how_to_allow
from sandbox.policy.model import Allowance, ProjectPolicy

TODAY = date(2026, 11, 29)
SUM = "a" * 64


def _package(name: str, version: str = "1.0.0", source: str | None = "registry+x", pin: str | None = SUM) -> Package:
    folder = f"/src/{name}-{version}"
    script = (BuildScript("build_script_build", f"{folder}/build.rs"),)
    return Package(
        name, name, version, source, pin, f"{folder}/Cargo.toml", script, False, None, (), ()
    )  # fmt: skip


def _facts(*packages: Package) -> Facts:
    return Facts("/ws", "/ws/target", packages, (0,), (0,), ((),) * len(packages))


def _finding(code: str = "CS0103", subject: str = "/usr/share/x/y", **more: Any) -> Finding:
    return replace(
        Finding(code, "high", "t", "u1", "script", "ring", "1.0.0", "/src/ring-1.0.0", subject, "d", "h"), **more
    )


def _policy(**more: Any) -> ProjectPolicy:
    return ProjectPolicy(
        allowances=(Allowance("ring", "why", origin="cargo-sandbox.toml:3", **({"local": True} | more)),)
    )


FACTS = _facts(_package("ring"), _package("own", source=None, pin=None))


@pytest.mark.parametrize(
    ("allowance", "finding"),
    [
        ({"paths": ("/usr/share/x",), "write": True}, {}),
        ({"rules": ("CS0103",)}, {}),
        ({"rules": ("CS0103",), "paths": ("/usr/share",)}, {}),
        ({"rules": ("CS0103",), "version": "1", "checksum": SUM}, {}),
        ({"paths": ("/usr/share/x",)}, {"code": "CS0110"}),
        ({"paths": ("$HOME/x",)}, {"code": "CS0301", "fact": '{"class":"read","act":"open","object":"$HOME/x/y"}'}),
        ({"programs": ("cmake",)},
         {"code": "CS0301", "fact": '{"class":"exec","act":"exec","object":"/usr/bin/cmake","owner":"system"}'}),
        ({"programs": ("$OUT_DIR/tool",)},
         {"code": "CS0301", "fact": '{"class":"exec","act":"exec","object":"$OUT_DIR/tool","owner":"output"}'}),
        ({"directives": ("rustc-link-arg",)},
         {"code": "CS0301", "fact": '{"class":"directive","act":"rustc-link-arg","object":"-s"}'}),
        ({"directives": ("rustc-link-arg=-s",)},
         {"code": "CS0301", "fact": '{"class":"directive","act":"rustc-link-arg","object":"-s"}'}),
        ({"rules": ("CS0101",), "checksum": SUM}, {"code": "CS0101", "severity": "critical"}),
        ({"rules": ("CS0103",), "expires": TODAY}, {}),
    ],
)  # fmt: skip
def test_what_is_allowed_is_taken_away_and_kept(allowance: dict[str, Any], finding: dict[str, Any]) -> None:
    found = _finding(**finding)
    done = apply([found], _policy(**allowance), TODAY, FACTS, None)
    assert done.findings == ()
    assert [(one.finding, one.allowance.reason) for one in done.waived] == [(found, "why")]
    assert done.waived[0].shown.evidence == ("allowed by cargo-sandbox.toml:3: why",)
    assert done.line == "1 finding allowed by cargo-sandbox.toml"
    assert not done.unused


@pytest.mark.parametrize(
    ("allowance", "finding"),
    [
        ({"rules": ("CS0103",)}, {"package": "other"}),
        ({"rules": ("CS0102",)}, {}),
        ({"rules": ("CS0103",), "version": "2"}, {}),
        ({"rules": ("CS0103",), "checksum": "b" * 64}, {}),
        ({"rules": ("CS0103",), "checksum": SUM}, {"version": "9.9.9"}),
        ({"rules": ("CS0103",), "paths": ("/usr/lib",)}, {}),
        ({"rules": ("CS0103",), "expires": date(2026, 11, 28)}, {}),
        ({"paths": ("/usr/share/x",)}, {}),
        ({"paths": ("/usr/share/x",), "write": True}, {"subject": "/usr/share/xy"}),
        ({"paths": ("/usr/share/x",), "write": True}, {"subject": "/usr/share/x/../../../home/me/.ssh/id"}),
        ({"paths": ("/usr/share/x",), "write": True}, {"code": "CS0101"}),
        ({"paths": ("/usr/share/x",), "write": True}, {"severity": "critical"}),
        ({"rules": ("CS0101",)}, {"code": "CS0101", "severity": "critical"}),
        ({"programs": ("cc",)},
         {"code": "CS0301", "fact": '{"class":"exec","act":"exec","object":"$TMP/cc","owner":"scratch"}'}),
        ({"programs": ("cc",)}, {"code": "CS0104", "subject": "/tmp/cc"}),
        ({"directives": ("rustc-link-arg",)},
         {"code": "CS0301", "fact": '{"class":"exec","act":"rustc-link-arg","object":"-s"}'}),
        ({"paths": ("/usr/share/x",), "write": True}, {"fact": "[broken"}),
    ],
)  # fmt: skip
def test_nothing_else_is_taken_away(allowance: dict[str, Any], finding: dict[str, Any]) -> None:
    found = _finding(**finding)
    done = apply([found], _policy(**allowance), TODAY, FACTS, ())
    assert found in done.findings
    assert done.waived == ()


def test_a_critical_finding_of_an_own_package_is_allowed_by_name_and_rule() -> None:
    found = _finding("CS0101", package="own", manifest_dir="/src/own-1.0.0", severity="critical")
    policy = ProjectPolicy(allowances=(Allowance("own", "why", rules=("CS0101",)),))
    assert waives(policy, found, TODAY, FACTS)
    assert waives(policy, found, TODAY, None) is None


def test_an_unused_allowance_is_told_of_a_package_that_ran_and_an_expired_one_always() -> None:
    done = apply([], _policy(rules=("CS0103",)), TODAY, FACTS, {"ring"})
    assert [(one.code, one.severity, one.subject) for one in done.findings] == [
        ("CS0405", "low", "cargo-sandbox.toml:3")
    ]
    assert apply([], _policy(rules=("CS0103",)), TODAY, FACTS, {"else"}).findings == ()
    assert apply([], _policy(rules=("CS0103",), local=False), TODAY, FACTS, {"ring"}).findings == ()
    assert apply([], _policy(paths=("/x",), write=True), TODAY, FACTS, {"ring"}).findings == ()
    old = apply([_finding()], _policy(rules=("CS0103",), expires=date(2026, 1, 1)), TODAY, FACTS)
    assert [one.code for one in old.findings] == ["CS0103", "CS0405"]
    assert "expired on 2026-01-01" in old.findings[1].detail


def test_walls_open_for_packages_of_the_graph_only() -> None:
    def opened(*packages: Package, **more: Any) -> Any:
        return walls(_policy(paths=("/t/x", "$HOME/t"), write=True, env=("A",), **more), _facts(*packages), TODAY)

    assert opened(_package("ring")) == (("A",), (("ring", "/t/x"),))
    assert opened(_package("other")) == ((), ())
    assert opened(_package("ring"), version="2") == ((), ())
    assert opened(_package("ring"), checksum="b" * 64) == ((), ())
    assert opened(_package("ring"), expires=date(2020, 1, 1)) == ((), ())
    # The guard can't tell two versions apart, so none may write.
    assert opened(_package("ring"), _package("ring", "2.0.0"), version="1") == (("A",), ())


def test_scripts_that_are_not_listed_are_denied_with_the_lines_that_allow_them() -> None:
    facts = _facts(_package("ring"), _package("libc", "0.2.1"), _package("plain")._replace(scripts=()))
    found = denied(facts, ("libc@0.2",))
    assert [(one.code, one.package, one.subject) for one in found] == [("CS0404", "ring", "/src/ring-1.0.0/build.rs")]
    assert how_to_allow(found, ("libc@0.2",)) == '[build-scripts]\ndeny = true\nallow = ["libc@0.2", "ring"]'
    assert denied(facts, ("ring", "libc@0.3"))[0].package == "libc"
    assert denied(facts, ("ring", "libc")) == ()

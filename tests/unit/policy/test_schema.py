"""A file of policy is understood whole or refused with the line and the remedy."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cli.options import OPTIONS
from sandbox.policy.model import Layer, PolicyError
from sandbox.policy.schema import Source, parse

TREE = Source("tree", "/ws/cargo-sandbox.toml", "/ws", "/home/me")
USER = Source("user", "/home/me/.config/cargo-sandbox/config.toml", "/ws", "/home/me")

WHOLE = """
policy = "strict"
engine = "docker"
deny = "medium"
on-violation = "report"
allow-env = ["A", "B*"]
allow-read = ["/data", "~/models", "fixtures"]
allow-write = ["cxx=target/cxxbridge"]
time-limit = "15m"
memory-limit = "4G"
process-limit = 100
cpu-limit = 1.5
seccomp = "strict"
strict = true
report = ["out/report.json", "sarif:out/x"]

[build-scripts]
deny = true
allow = ["ring", "libc@0.2"]

[[allow]]
package = "ring"
version = "0.17"
path = ["/usr/share/ring", "~/ring"]
write = true
reason = "why"
expires = 2027-01-31

[[allow]]
package = "other"
rule = "CS0103"
reason = "because"
"""


def test_every_kind_of_setting_is_read() -> None:
    layer = parse(WHOLE, TREE)
    assert layer.values["allow_read"] == ("/data", "/home/me/models", "/ws/fixtures")
    assert layer.values["allow_write"] == (("cxx", "/ws/target/cxxbridge"),)
    assert (layer.values["time_limit_s"], layer.values["memory_limit"]) == (900.0, 4 << 30)
    assert (layer.values["process_limit"], layer.values["cpu_limit"]) == (100, 1.5)
    assert layer.values["report"] == (("json", "/ws/out/report.json"), ("sarif", "/ws/out/x"))
    assert (layer.deny_build_scripts, layer.allowed_scripts) == (True, ("ring", "libc@0.2"))
    ring, other = layer.allowances
    assert ring.paths == ("/usr/share/ring", "/home/me/ring", "$HOME/ring")
    assert (ring.expires, ring.write, ring.local) == (date(2027, 1, 31), True, True)
    assert ring.origin == "/ws/cargo-sandbox.toml:22"
    assert other.rules == ("CS0103",)


def test_every_option_has_a_key_or_a_table() -> None:
    for option in OPTIONS:
        with pytest.raises(PolicyError) as caught:
            parse(f"{option.flag[2:]} = {{}}", USER)
        in_table = option.field in ("deny_build_scripts", "allow_build_script")
        assert ("[build-scripts]" in caught.value.hint) == in_table
        assert "is not a known key" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ('\nalow-env = ["A"]', ":2: `alow-env`", "`allow-env`"),
        ('deny = "sometimes"', ":1: `deny`", ""),
        ("deny = 3", ":1: `deny`", ""),
        ('strict = "yes"', ":1: `strict`", ""),
        ('allow-env = "A"', ":1: `allow-env`", '["…"]'),
        ("untrusted = true", ":1: `untrusted`", "--untrusted"),
        ('report = ["../x.json"]', ":1: `report`", "below the workspace root"),
        ('report = ["/etc/x.json"]', ":1: `report`", "below the workspace root"),
        ("[build-scripts]\ndeny = true\nalow = []", ":3: `build-scripts.alow`", "`allow`"),
        ('[build-scripts]\nallow = ["a b"]', ":2: `build-scripts.allow`", "NAME@"),
        ('[[allow]]\npackage = "a"\nrule = "CS0101"', ":1: `allow.reason`", "reason"),
        ('[[allow]]\nreason = "x"\nrule = "CS0101"', ":1: `allow.package`", "package"),
        ('[[allow]]\npackage = "a"\nreason = "x"', ":2: `allow.package` allows nothing", "rule"),
        ('[[allow]]\npackage = "a"\nreason = " "\nrule = "CS0101"', ":3: `allow.reason`", "reason"),
        ('[[allow]]\npackage = "a"\nreason = "x"\nrule = "evil"', ":4: `allow.rule`", "CS0103"),
        ('[[allow]]\npackage = "a"\nreason = "x"\npath = "/"', ":4: `allow.path`", "rule"),
        ('[[allow]]\npackage = "a"\nreason = "x"\npath = "~/"', ":4: `allow.path`", "rule"),
        ('[[allow]]\npackage = "a"\nreason = "x"\npath = "$HOME/../x"', ":4: `allow.path`", "$HOME"),
        ('[[allow]]\npackage = "a"\nreason = "x"\nenv = "A"\nwrite = true', ":5: `allow.write`", "path"),
        ('[[allow]]\npackage = "a"\nreason = "x"\nenv = "A"\nexpires = "2027"', ":5: `allow.expires`", "2027-01-31"),
        ('[[allow]]\npackage = "a"\nreason = "x"\nenv = "A"\nversion = "new"', ":5: `allow.version`", "Cargo.toml"),
        ('[[allow]]\npackage = "a"\nenv = "A"\nreason = "x"\n[[allow]]\npakage = "b"', ":6: `allow.pakage`", "package"),
    ],
)
def test_a_mistake_names_its_line_and_the_remedy(text: str, where: str, hint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text, TREE)
    assert caught.value.message.startswith("/ws/cargo-sandbox.toml" + where)
    assert hint in caught.value.hint
    assert caught.value.hint


def test_broken_toml_is_a_mistake_in_the_file() -> None:
    with pytest.raises(PolicyError, match="line 2"):
        parse("deny = 'high'\nstrict = maybe", TREE)


_WORDS = st.text("a1$/~.@=*-", max_size=8)
_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), _WORDS, st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=3)),
    max_leaves=6,
)
_KEYS = st.sampled_from([*(option.flag[2:] for option in OPTIONS), "allow", "build-scripts", "nonsense"])


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_tables_of_any_shape_are_understood_or_refused_and_nothing_else(table: dict[str, object]) -> None:
    from sandbox.policy.schema import read

    try:
        layer = read(table, TREE)
    except PolicyError as error:
        assert error.hint
    else:
        assert isinstance(layer, Layer)


@given(st.text("[]ab=\"'\n \\u\0é#", max_size=200))
def test_text_of_any_kind_is_understood_or_refused(text: str) -> None:
    try:
        parse(text, TREE)
    except PolicyError as error:
        assert error.exit_code == 2

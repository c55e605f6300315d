"""What policy tells the supply-chain checks: read whole or refused, added up, an untrusted tree only tightens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cli.config import to_json
from sandbox.cli.options import Settings, parse
from sandbox.policy import schema
from sandbox.policy.load import combine
from sandbox.policy.model import Layer, Permit, PolicyError, Supply
from sandbox.policy.schema import Source
from sandbox.policy.supply import DEFAULT_AGE_DAYS, loosened, merged, tightened

TREE = Source("tree", "/ws/cargo-sandbox.toml", "/ws", "/home/me")
WHOLE = """
[sources]
"acme-*" = "registry:acme"
acme_core = "https://index.invalid/"
vendored = "path"
allowed = ["crates-io", "git:https://host.invalid/x", "sparse+https://index.invalid/"]
internal = ["acme-web", "corp-*"]

[names]
allow = [{ name = "proc-macro1", reason = "ours" }]

[advisories]
db = "audit/db"
max-age-days = 7
ignore = [{ id = "RUSTSEC-2020-0001", reason = "not reached", expires = 2027-01-31 }]

[audit]
cooldown-days = 3
deny = "medium"
"""


def test_every_table_is_read() -> None:
    layer = schema.parse(WHOLE, TREE)
    assert layer.values == {"advisory_db": "/ws/audit/db"}
    assert layer.supply == Supply(
        sources=(("acme-*", "registry:acme"), ("acme_core", "https://index.invalid/"), ("vendored", "path")),
        allowed_sources=("crates-io", "git:https://host.invalid/x", "sparse+https://index.invalid/"),
        internal=("acme-web", "corp-*"),
        names=(Permit("proc-macro1", "ours"),),
        advisories=(Permit("RUSTSEC-2020-0001", "not reached", date(2027, 1, 31)),),
        max_age_days=7,
        cooldown_days=3,
        deny="medium",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sources = 3", "`sources` is a table"),
        ('[sources]\n"acme-*" = "somewhere"', ":2: `sources.acme-*` names no source"),
        ('[sources]\n"acme-*" = 3', "names no source"),
        ('[sources]\n"a b" = "path"', "names no package"),
        ('[sources]\nallowed = ["nowhere"]', "'nowhere' is no source"),
        ("[sources]\nallowed = 3", "is a list of texts"),
        ('[sources]\ninternal = ["a b"]', "names no package"),
        ("[names]\nalow = []", "`names.alow` is not a known key"),
        ('[names]\nallow = ["x"]', "is a list of tables"),
        ('[names]\nallow = [{ name = "x" }]', "must say why for x"),
        ('[names]\nallow = [{ name = "x", reason = " " }]', "must say why for x"),
        ('[names]\nallow = [{ name = "x/y", reason = "r" }]', "an entry whose name is"),
        ('[names]\nallow = [{ name = "x", reason = "r", until = 1 }]', "unknown key 'until'"),
        ('[names]\nallow = [{ name = "x", reason = "r", expires = "soon" }]', "no proper date for x"),
        ('[advisories]\nignore = [{ id = "x", reason = "r" }]', "an entry whose id is"),
        ("[advisories]\nmax-age-days = 0", "is no number of days"),
        ("[advisories]\nmax-age-days = true", "is no number of days"),
        ('[advisories]\ndb = ""', "is no folder"),
        ("[audit]\ncooldown-days = -1", "is no number of days"),
        ('[audit]\ndeny = "sometimes"', "is no severity"),
        ('advisory-db = "x"', "`advisory-db` is not understood here"),
        ("[audits]", "`audits` is not a known key"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_its_place_and_remedy(text: str, why: str) -> None:
    with pytest.raises(PolicyError) as caught:
        schema.parse(text, TREE)
    assert why in caught.value.message
    assert caught.value.hint
    assert "/ws/cargo-sandbox.toml" in caught.value.message


def _layer(kind: str, db: str = "", **said: object) -> Layer:
    return Layer(kind, f"/{kind}.toml", {"advisory_db": db} if db else {}, supply=Supply(**said))  # type: ignore[arg-type]


def test_lists_add_up_and_of_a_pattern_or_number_the_nearest_counts() -> None:
    tree = _layer("tree", sources=(("a-*", "path"),), internal=("t",), max_age_days=5)
    user = _layer(
        "user", sources=(("a-*", "crates-io"), ("b", "path")), internal=("u",), max_age_days=9, cooldown_days=2
    )
    _, policy = combine(Settings(), [tree, user])
    assert policy.supply.sources == (("a-*", "path"), ("b", "path"))
    assert (policy.supply.internal, policy.supply.max_age_days, policy.supply.cooldown_days) == (("t", "u"), 5, 2)
    shown = to_json(policy)["settings"]
    assert shown["sources.a-*"] == {"value": "path", "origin": "/tree.toml"}
    assert shown["sources.internal"] == {"value": ("t", "u"), "origin": "/tree.toml, /user.toml"}
    assert shown["audit.cooldown-days"] == {"value": 2, "origin": "/user.toml"}
    assert shown["audit.deny"] == {"value": None, "origin": "default"}


def test_the_command_line_s_database_goes_before_the_variable_s_and_the_files_() -> None:
    tree = _layer("tree", db="/tree/db")
    env = {"CARGO_SANDBOX_ADVISORY_DB": "/env/db"}
    assert combine(parse(["--advisory-db", "/my/db", "audit"], env)[0], [tree])[0].advisory_db == "/my/db"
    assert combine(parse(["audit"], env)[0], [tree])[0].advisory_db == "/env/db"
    settings, policy = combine(parse(["audit"], {})[0], [tree])
    assert settings.advisory_db == "/tree/db"
    assert policy.loosened == ("advisory-db = /tree/db",), "it hides what the fetched database knows"
    for mine in (["--advisory-db", "/my/db", "audit"], ["--advisory-db", "/tree/db", "audit"]):
        assert combine(parse(mine, {})[0], [tree])[1].loosened == (), "the tree's is not read"
    assert to_json(policy)["settings"]["advisory-db"]["origin"] == "/tree.toml"


def test_an_untrusted_tree_names_no_database_though_nobody_else_does() -> None:
    settings, policy = combine(parse(["--untrusted", "audit"], {})[0], [_layer("tree", db="/tree/db")])
    assert (settings.advisory_db, policy.ignored) == ("", ("advisory-db = /tree/db",))


def test_what_a_trusted_tree_loosens_is_honoured_and_said() -> None:
    user = _layer(
        "user", db="/mine", sources=(("a", "path"),), allowed_sources=("path",), max_age_days=5, cooldown_days=9
    )
    tree = _layer(
        "tree", db="/theirs", sources=(("a", "crates-io"),), allowed_sources=("crates-io",), names=(Permit("x", "r"),),
        advisories=(Permit("RUSTSEC-2020-0001", "r"),), max_age_days=6, cooldown_days=8, deny="never",
    )  # fmt: skip
    settings, policy = combine(Settings(), [tree, user])
    assert settings.advisory_db == "/theirs"
    assert policy.supply.allowed_sources == ("crates-io", "path")
    assert policy.loosened == (
        "advisory-db = /theirs", "[sources]", "[sources] allowed", "1 [names] allow", "1 [advisories] ignore",
        "[advisories] max-age-days = 6", "[audit] cooldown-days = 8", "[audit] deny = never",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        ({"sources": (("acme-*", "registry:acme"),)}, {"sources": (("acme-core", "crates-io"),)}, ("[sources]",)),
        ({"sources": (("acme-*", "registry:acme"),)}, {"sources": (("acme-*", "crates-io"),)}, ("[sources]",)),
        ({"sources": (("acme-*", "path"), ("b", "path"))}, {"sources": (("b", "path"),)}, ()),
        ({}, {"sources": (("acme-core", "crates-io"),)}, ()),
        ({}, {"internal": ("serdee",)}, ("[sources] internal",)),
        ({"internal": ("acme",)}, {"internal": ("acme", "serd*")}, ("[sources] internal",)),
        ({"internal": ("acme", "corp")}, {"internal": ("corp",)}, ()),
    ],
)  # fmt: skip
def test_a_tree_s_rules_beside_somebody_else_s_and_its_own_names_are_said(
    mine: dict[str, Any], theirs: dict[str, Any], words: tuple[str, ...]
) -> None:
    layers = [_layer("tree", **theirs), _layer("user", **mine)]
    assert combine(Settings(), layers)[1].loosened == words
    untrusted, policy = combine(parse(["--untrusted", "audit"], {})[0], layers)
    assert untrusted.untrusted
    if words:
        assert policy.ignored == words
        assert policy.supply == Supply(**mine)


def test_an_untrusted_tree_can_allow_no_name_ignore_no_advisory_and_widen_no_source() -> None:
    user = _layer("user", sources=(("acme-*", "registry:acme"),), allowed_sources=("path",))
    tree = _layer(
        "tree", db="/theirs", sources=(("acme-evil", "crates-io"),), allowed_sources=("crates-io",), internal=("serd",),
        names=(Permit("x", "r"),), advisories=(Permit("RUSTSEC-2020-0001", "r"),), max_age_days=6, cooldown_days=8,
        deny="low",
    )  # fmt: skip
    settings, policy = combine(parse(["--untrusted", "audit"], {})[0], [tree, user])
    assert settings.advisory_db == ""
    assert policy.supply == replace_numbers(user.supply, 6, 8, "low")
    assert policy.ignored == (
        "advisory-db = /theirs", "[sources]", "[sources] allowed", "[sources] internal", "1 [names] allow",
        "1 [advisories] ignore",
    )  # fmt: skip


def replace_numbers(supply: Supply, age: int, cooldown: int, deny: str) -> Supply:
    return supply._replace(max_age_days=age, cooldown_days=cooldown, deny=deny)


def test_an_untrusted_tree_may_restrict_sources_where_nobody_else_does() -> None:
    tree = _layer("tree", sources=(("a-*", "path"),), allowed_sources=("path",))
    _, policy = combine(parse(["--untrusted", "audit"], {})[0], [tree])
    assert (policy.supply.sources, policy.supply.allowed_sources) == ((("a-*", "path"),), ("path",))
    assert policy.ignored == ()


_PERMITS = st.lists(st.builds(Permit, st.sampled_from("ab"), st.just("r")), max_size=2).map(tuple)
_SUPPLY = st.builds(
    Supply,
    sources=st.lists(st.tuples(st.sampled_from(["a", "a*"]), st.sampled_from(["path", "crates-io"])), max_size=2).map(
        tuple
    ),
    allowed_sources=st.lists(st.sampled_from(["path", "crates-io"]), max_size=2).map(tuple),
    internal=st.lists(st.sampled_from("ab"), max_size=2).map(tuple),
    names=_PERMITS,
    advisories=_PERMITS,
    max_age_days=st.none() | st.integers(1, 60),
    cooldown_days=st.none() | st.integers(0, 9),
    deny=st.none() | st.sampled_from(["never", "critical", "high", "medium", "low"]),
)


@given(_SUPPLY, _SUPPLY)
def test_no_untrusted_tree_makes_anything_looser(tree: Supply, user: Supply) -> None:
    kept, _ = tightened(user, tree, "high")
    after = merged([kept, user])
    assert set(after.names) == set(user.names)
    assert set(after.advisories) == set(user.advisories)
    assert after.internal == merged([user]).internal
    assert not user.sources or after.sources == merged([user]).sources
    assert not user.allowed_sources or set(after.allowed_sources) == set(user.allowed_sources)
    assert (after.max_age_days or DEFAULT_AGE_DAYS) <= (user.max_age_days or DEFAULT_AGE_DAYS)
    assert (after.cooldown_days or 0) >= (user.cooldown_days or 0)
    levels = ("never", "critical", "high", "medium", "low")
    assert levels.index(after.deny or "high") >= levels.index(user.deny or "high")
    assert loosened(user, kept, "high") == ()


def test_the_layer_of_a_file_that_says_nothing_asks_for_nothing() -> None:
    assert replace(schema.parse("", TREE)).supply == Supply()

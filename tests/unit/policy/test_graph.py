"""What came into the graph since it was accepted, and how grave it is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.metadata import BuildScript, Facts, Package
from sandbox.policy import graph_state
from sandbox.policy.graph import Graph, Node, compare, graph_of
from sandbox.policy.model import PolicyError

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
NO_FACTS = Facts("/", "/t", (), (), (), ())


def _node(version: str = "1.0.0", source: str = REGISTRY, pin: str = "a", script: str = "", name: str = "x",
          has: bool = True, macro: bool = False) -> Node:  # fmt: skip
    return Node(name, version, source, pin, has, macro, script)


def _found(old: Graph, new: Graph) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in compare(old, new, NO_FACTS)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((), (_node(),), [("CS0401", "medium")]),
        ((), (_node(has=False, macro=True),), [("CS0401", "medium")]),
        ((), (_node(has=False),), []),
        ((), (_node(source=""),), [("CS0401", "low")]),
        ((_node(source="registry+other"),), (_node(),), [("CS0401", "medium")]),
        ((_node(has=False),), (_node("1.0.1"),), [("CS0402", "high")]),
        ((_node(has=False),), (_node("1.1.0"),), [("CS0402", "medium")]),
        ((_node(has=False),), (_node("2.0.0", has=False, macro=True),), [("CS0402", "medium")]),
        ((_node(has=False),), (_node(pin="b"),), [("CS0402", "high")]),
        ((_node(has=False, source=""),), (_node(source=""),), [("CS0402", "low")]),
        ((_node(),), (_node("1.0.1"),), []),
        ((_node(), _node("2.0.0", has=False)), (_node("2.0.1"),), [("CS0402", "high")]),
        ((_node(script="s"),), (_node(script="s"),), []),
        ((_node(script="s"),), (_node(script="t"),), [("CS0403", "high")]),
        ((_node(script="s"),), (_node(script="t", pin="b"),), [("CS0403", "high")]),
        ((_node(script="s"),), (_node(script="s", pin="b"),), [("CS0403", "high")]),
        ((_node(has=False, macro=True),), (_node(has=False, macro=True, pin="b"),), [("CS0403", "high")]),
        ((_node(script="unreadable"),), (_node(script="unreadable"),), []),
        (
            (_node(script="unreadable", pin="", source=""),),
            (_node(script="unreadable", pin="", source=""),),
            [("CS0403", "low")],
        ),
        ((_node(script="s", source="", pin=""),), (_node(script="t", source="", pin=""),), [("CS0403", "low")]),
        ((_node(script="s", source="git+x"),), (_node(script="t", source="git+x"),), [("CS0403", "low")]),
        ((_node(script="s", source="git+x"),), (_node(script="t", source="git+x", pin="b"),), []),
        ((_node(script=""),), (_node(script="t"),), []),
        ((_node(),), (), []),
    ],
)
def test_a_change_of_the_graph_is_judged(old: Graph, new: Graph, expected: list[tuple[str, str]]) -> None:
    assert _found(old, new) == expected


_NODES = st.builds(
    Node, st.text("ab-_", min_size=1, max_size=3), st.sampled_from(["1.0.0", "1.0.1-rc.1", "2.0.0"]),
    st.sampled_from(["", REGISTRY, "git+https://x/\"\\\n\u202e"]), st.sampled_from(["", "a" * 64]), st.booleans(),
    st.booleans(), st.sampled_from(["", "b" * 64]),
)  # fmt: skip
_GRAPHS = st.lists(_NODES, max_size=5, unique_by=lambda node: node[:3]).map(lambda nodes: tuple(sorted(nodes)))


@given(_GRAPHS)
def test_a_graph_comes_back_as_it_was_saved_and_equal_ones_are_equal_bytes(made: Graph) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = graph_state.save(Path(folder), made, "2026-11-29")
        assert graph_state.load(Path(folder)) == made
        assert path.read_text() == graph_state.render(tuple(reversed(made)), "2026-11-29")
        assert list(Path(folder).iterdir()) == [path]


@given(_GRAPHS)
def test_a_graph_has_nothing_new_for_itself(made: Graph) -> None:
    assert compare(made, made, NO_FACTS) == ()


_BROKEN = [
    "", "x", "schema = 2\npackages = []", "schema = 1", "schema = 1\npackages = [1]",
    "schema = 1\npackages = [{ name = 'a' }]",
    "schema = 1\npackages = [{ name = 'a', version = '1', build_script = 1 }]",
]  # fmt: skip


@pytest.mark.parametrize("text", _BROKEN)
def test_a_broken_file_is_not_taken_for_none(tmp_path: Path, text: str) -> None:
    assert graph_state.load(tmp_path) is None
    (tmp_path / "graph.lock").write_text(text)
    with pytest.raises(PolicyError) as caught:
        graph_state.load(tmp_path)
    assert caught.value.hint


def test_a_file_that_lies_outside_the_tree_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    root.mkdir()
    graph_state.save(tmp_path / "elsewhere", ())
    (root / "cargo-sandbox.baseline").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PolicyError, match="out of the tree"):
        graph_state.load(root / "cargo-sandbox.baseline", root)


def _package(number: int, folder: Path) -> Package:
    script = (BuildScript("b", str(folder / "build.rs")),) if number % 4 == 0 else ()
    return Package(
        f"p{number}", f"package-{number}", "1.0.0", f"{REGISTRY}#x", "c" * 64, f"/src/p{number}/Cargo.toml", script,
        False, None, (), (),
    )  # fmt: skip


def test_the_graph_is_made_of_the_resolved_workspace_and_cheap(tmp_path: Path) -> None:
    (tmp_path / "build.rs").write_text("fn main() {}\n" * 100)
    packages = tuple(_package(number, tmp_path) for number in range(400))
    facts = Facts("/ws", "/t", packages, (0,), (0,), ((),) * 400)
    started = time.perf_counter()
    plain = graph_of(facts)
    assert time.perf_counter() - started < 0.1
    assert [node.script for node in plain] == [""] * 400
    digests = graph_state.digests(facts)
    hashed = graph_of(facts, digests)
    first = next(node for node in hashed if node.name == "package-0")
    assert (first.source, first.pin, first.has_script, len(first.script)) == (REGISTRY, "c" * 64, True, 64)
    (tmp_path / "build.rs").write_text("// other\n")
    changed = graph_of(facts, graph_state.digests(facts))
    assert {one.code for one in compare(hashed, changed, facts)} == {"CS0403"}
    (tmp_path / "build.rs").unlink()
    assert len(compare(hashed, graph_of(facts, graph_state.digests(facts)), facts)) == 100

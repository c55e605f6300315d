"""Finding the workspace. Random workspaces were compared with `cargo metadata`; the cases below keep the rules."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.cargo import manifest as manifest_module
from sandbox.cargo.config import load
from sandbox.cargo.globs import Budget, expand
from sandbox.cargo.workspace import Workspace, discover, locate
from sandbox.errors import WorkspaceError


class Tree:
    def __init__(self, top: Path) -> None:
        self.top = top
        self.env = {"HOME": str(top / "home")}

    def package(self, where: str, more: str = "", name: str = "") -> Path:
        file = self.top / where / "Cargo.toml"
        (file.parent / "src").mkdir(parents=True, exist_ok=True)
        (file.parent / "src" / "lib.rs").touch()
        file.write_text(f'[package]\nname = "{name or file.parent.name}"\nversion = "0.1.0"\nedition = "2021"\n{more}')
        return file

    def put(self, where: str, text: str) -> Path:
        file = self.top / where
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def find(self, where: str, manifest_path: str | None = None) -> Workspace:
        return discover(self.top / where, manifest_path, self.env)

    def names(self, paths: tuple[Path, ...]) -> list[str]:
        return [str(path.relative_to(self.top).parent) for path in paths]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_lone_package_is_its_own_root(tree: Tree) -> None:
    file = tree.package("app")
    found = tree.find("app/src")
    assert (found.root, found.manifest, found.root_manifest) == (file.parent, file, file)
    assert found.lock_file == file.parent / "Cargo.lock"
    assert (found.members, found.default_members, found.path_roots, found.ancestors) == ((file,), (file,), (), ())


def test_a_virtual_workspace_has_members_by_pattern_and_not_the_excluded(tree: Tree) -> None:
    tree.put("ws/Cargo.toml", '[workspace]\nmembers = ["crates/*", "tool"]\nexclude = ["crates/old"]\n')
    for where in ("ws/crates/a", "ws/crates/.b", "ws/crates/old", "ws/tool", "ws/other"):
        tree.package(where)
    tree.put("ws/crates/README.md", "")
    found = tree.find("ws")
    assert tree.names(found.members) == ["ws/crates/.b", "ws/crates/a", "ws/tool"]
    assert found.default_members == found.members
    assert tree.find("ws/crates/a/src").root == tree.top / "ws"
    assert tree.find("ws/crates/old").root == tree.top / "ws/crates/old"


def test_path_dependencies_inside_the_root_are_members_those_outside_are_shown(tree: Tree) -> None:
    tree.package(
        "ws",
        '[workspace]\n[dependencies]\na = { path = "a" }\n'
        '[target."cfg(unix)".build-dependencies]\nb = { path = "../b" }\n',
    )
    tree.package("ws/a", '[dev-dependencies]\nc = { path = "../../c" }\n')
    tree.package(
        "b", '[dependencies]\nd = { path = "../more/d" }\n[dev-dependencies]\nunseen = { path = "../unseen" }\n'
    )
    for where in ("c", "more/d", "unseen", "ws/unused"):
        tree.package(where)
    found = tree.find("ws")
    assert tree.names(found.members) == ["ws", "ws/a"]
    assert found.path_roots == (tree.top / "b", tree.top / "c", tree.top / "more/d")


def test_a_package_outside_brings_its_own_workspace_root(tree: Tree) -> None:
    tree.package("app", '[dependencies]\nlib = { path = "../libs/deep/lib" }\n')
    tree.put(
        "libs/Cargo.toml", '[workspace]\nmembers = ["deep/*"]\n[workspace.dependencies]\nfar = { path = "../far" }\n'
    )
    tree.package("libs/deep/lib", "[dependencies]\nfar.workspace = true\n")
    tree.package("far")
    found = tree.find("app")
    assert found.path_roots == (tree.top / "far", tree.top / "libs")
    assert tree.top / "libs/Cargo.toml" in found.manifests


def test_inherited_paths_count_from_the_workspace_root(tree: Tree) -> None:
    tree.put(
        "ws/Cargo.toml",
        '[workspace]\nmembers = ["x/y"]\n[workspace.dependencies]\n'
        'out = { path = "../out" }\nnever = { path = "../never" }\n',
    )
    tree.package("ws/x/y", "[dependencies]\nout = { workspace = true, features = [] }\n")
    tree.package("out")
    tree.package("never")
    assert tree.find("ws/x/y").path_roots == (tree.top / "out",)


def test_a_pointer_names_a_root_that_is_not_above(tree: Tree) -> None:
    tree.put("main/Cargo.toml", '[workspace]\nmembers = ["../side"]\n')
    tree.package("side", 'workspace = "../main"\n')
    found = tree.find("side")
    assert found.root == tree.top / "main"
    assert found.path_roots == (tree.top / "side",)


def test_patches_and_replacements_of_the_root_and_of_the_configuration_are_shown(tree: Tree) -> None:
    tree.package(
        "ws/app",
        '[workspace]\n[patch.crates-io]\na = { path = "../../a" }\n[replace]\n"b:1.0.0" = { path = "../../b" }\n',
    )
    tree.put("ws/.cargo/config.toml", 'paths = ["../d"]\n[patch.crates-io]\nc = { path = "../c" }\n')
    for where in "abcd":
        tree.package(where)
    found = tree.find("ws/app")
    assert found.path_roots == tuple(tree.top / where for where in "abcd")
    assert found.ancestors == (tree.top / "ws/.cargo/config.toml",)


def test_vendored_sources_outside_are_shown_when_they_are_such(tree: Tree) -> None:
    tree.package("ws/app")
    tree.put(
        "ws/.cargo/config.toml",
        '[source.a]\ndirectory = "../vendor"\n[source.b]\ndirectory = "../private"\n'
        '[source.c]\nlocal-registry = "../reg"\n',
    )
    tree.put("vendor/serde/.cargo-checksum.json", "{}")
    tree.put("private/letter.txt", "dear")
    tree.put("reg/index/s/e/serde", "")
    assert tree.find("ws/app").path_roots == (tree.top / "reg", tree.top / "vendor")


def test_a_link_that_leads_out_of_the_tree_is_shown_where_it_ends(tree: Tree) -> None:
    tree.put("ws/Cargo.toml", '[workspace]\nmembers = ["linked"]\n')
    tree.package("elsewhere/real")
    (tree.top / "ws/linked").symlink_to(tree.top / "elsewhere/real")
    found = tree.find("ws")
    assert tree.names(found.members) == ["ws/linked"]
    assert found.path_roots == (tree.top / "elsewhere/real",)


def test_manifests_above_that_are_no_root_are_read_and_shown_as_files(tree: Tree) -> None:
    above = tree.put("Cargo.toml", '[workspace]\nexclude = ["app"]\n')
    tree.package("app")
    found = tree.find("app")
    assert found.root == tree.top / "app"
    assert found.ancestors == (above,)
    assert above in found.manifests


def test_a_manifest_above_that_is_a_link_to_elsewhere_is_not_shown(tree: Tree) -> None:
    secret = tree.put("home/.cargo/credentials.toml", '[registry]\ntoken = "x"\n')
    (tree.top / "repo/app").mkdir(parents=True)
    (tree.top / "repo/Cargo.toml").symlink_to(secret)
    tree.package("repo/app")
    assert tree.find("repo/app").ancestors == ()


def test_the_search_upward_ends_at_the_cargo_home_and_at_packaged_crates(tree: Tree) -> None:
    tree.package("home", "[workspace]\n")
    tree.package("home/.cargo/registry/src/x/dep")
    assert tree.find("home/.cargo/registry/src/x/dep").root.name == "dep"
    tree.package("ws", "[workspace]\n")
    tree.package("ws/target/package/app-0.1.0")
    assert tree.find("ws/target/package/app-0.1.0").root.name == "app-0.1.0"


def test_default_members_count_only_for_the_root_itself(tree: Tree) -> None:
    tree.put("ws/Cargo.toml", '[workspace]\nmembers = ["a", "b"]\ndefault-members = ["b"]\n')
    tree.package("ws/a")
    tree.package("ws/b")
    assert tree.names(tree.find("ws").default_members) == ["ws/b"]
    assert tree.names(tree.find("ws/a").default_members) == ["ws/a"]


def test_path_bases_of_the_configuration_are_followed(tree: Tree) -> None:
    tree.package("ws/app", '[dependencies]\nx = { base = "libs", path = "x" }\ny = { base = "unknown", path = "y" }\n')
    tree.put("ws/.cargo/config.toml", '[path-bases]\nlibs = "../shared"\n')
    tree.package("shared/x")
    assert tree.find("ws/app").path_roots == (tree.top / "shared/x",)


def test_missing_dependencies_and_members_are_left_for_cargo(tree: Tree) -> None:
    tree.package("ws", '[workspace]\nmembers = ["gone", "none/*"]\n[dependencies]\nx = { path = "../gone" }\n')
    found = tree.find("ws")
    assert tree.names(found.members) == ["ws"]
    assert found.path_roots == ()


def test_a_given_configuration_and_lock_file_are_used(tree: Tree) -> None:
    tree.package("app")
    tree.package("over")
    config = load(tree.top / "app", tree.top / "home", ['paths = ["../over"]'])
    found = discover(tree.top / "app", None, tree.env, config=config, lockfile_path="locks/Cargo.lock")
    assert found.path_roots == (tree.top / "over",)
    assert found.lock_file == tree.top / "app/locks/Cargo.lock"


def test_the_manifest_is_looked_for_upward_or_taken_as_given(tree: Tree) -> None:
    file = tree.package("app")
    assert locate(file.parent / "src", None) == file
    assert locate(tree.top, "app/src/../Cargo.toml") == file
    for wrong, words in (
        ("nope/Cargo.toml", "does not exist"),
        ("app", "directory"),
        ("app/src/lib.rs", "must be a path"),
    ):
        with pytest.raises(WorkspaceError, match=words) as caught:
            locate(tree.top, wrong)
        assert caught.value.exit_code == 101


def test_without_a_manifest_the_message_is_cargos(tree: Tree) -> None:
    with pytest.raises(WorkspaceError) as caught:
        tree.find(".")
    assert caught.value.message == f"could not find `Cargo.toml` in `{tree.top}` or any parent directory"


@pytest.mark.parametrize("text", ["[", "a = " + "[" * 5000, "\ufffe", "[package]\nname = 'a'\nname = 'b'"])
def test_a_broken_manifest_is_named_with_the_reason(tree: Tree, text: str) -> None:
    file = tree.put("app/Cargo.toml", text)
    with pytest.raises(WorkspaceError) as caught:
        tree.find("app")
    assert str(file) in caught.value.message
    assert caught.value.file == str(file)


@pytest.mark.parametrize(
    "text",
    [
        "package = 1\nworkspace = 2\ndependencies = 3\npatch = 4\ntarget = 5\nreplace = 6",
        "[workspace]\nmembers = 1\nexclude = {}\ndefault-members = [1, [2]]\ndependencies = []",
        "[package]\nworkspace = true\n[dependencies]\na = { path = 1 }\nb = { workspace = 'x' }\nc = []",
        "[target]\nx = 1\n[target.y]\ndependencies = 'z'\n[patch]\na = 1\n[patch.b]\nc = 1",
        "[workspace]\nmembers = ['', '.', '/', '//', '..', '\\u0000', '[', '**/[', '" + "../" * 500 + "']",
    ],
)
def test_nonsense_in_a_manifest_is_no_crash(tree: Tree, text: str) -> None:
    tree.put("a/b/Cargo.toml", text)
    assert tree.find("a/b").root == tree.top / "a/b"


def test_a_manifest_that_is_no_file_or_far_too_large_is_refused_at_once(tree: Tree) -> None:
    file = tree.package("app")
    os.truncate(file, 9 << 20)
    with pytest.raises(WorkspaceError, match="larger than"):
        tree.find("app")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(WorkspaceError, match="not a regular file"):
        tree.find("app")
    file.unlink()
    file.symlink_to("Cargo.toml")
    with pytest.raises(WorkspaceError, match="could not find"):
        tree.find("app")


def test_links_in_a_circle_end(tree: Tree) -> None:
    tree.put("ws/Cargo.toml", '[workspace]\nmembers = ["**"]\n')
    tree.package("ws/a")
    (tree.top / "ws/a/again").symlink_to(tree.top / "ws")
    assert "ws/a" in tree.names(tree.find("ws").members)


def test_packages_that_depend_on_each_other_end(tree: Tree) -> None:
    tree.package("ws", '[workspace]\n[dependencies]\na = { path = "a" }\n')
    tree.package("ws/a", '[dependencies]\nws = { path = ".." }\no = { path = "../../o" }\n')
    tree.package("o", '[dependencies]\na = { path = "../ws/a" }\n')
    assert tree.names(tree.find("ws").members) == ["ws", "ws/a"]


def test_too_many_manifests_or_entries_are_refused(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("ws/Cargo.toml", '[workspace]\nmembers = ["*"]\n')
    for number in range(12):
        tree.package(f"ws/p{number}")
    monkeypatch.setattr(manifest_module, "MAX_MANIFESTS", 10)
    with pytest.raises(WorkspaceError, match="more than 10 manifests"):
        tree.find("ws")
    with pytest.raises(WorkspaceError, match="too many files"):
        expand(tree.top / "ws", "**", Budget(20))


def test_more_bytes_than_allowed_in_all_manifests_are_refused(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("ws/Cargo.toml", '[workspace]\nmembers = ["*"]\n')
    tree.package("ws/a", "#" * 1000)
    monkeypatch.setattr(manifest_module, "MAX_TOTAL_BYTES", 900)
    with pytest.raises(WorkspaceError, match="all manifests together"):
        tree.find("ws")


PATTERNS = [
    "a",
    "./a",
    "b/*",
    "b/?",
    "b/[xy]",
    "b/[!x]",
    "*",
    "**/z",
    "b/**/z",
    "c/*/z",
    "../out",
    "a/../b/x",
    "gone",
    "?/x",
]
EXCLUDES = ["a", "b", "./b/x", "b/*", "c/d", "../out"]
PLACES = ["a", "b/x", "b/y", "b/.h", "c/d/z", "z", "../out"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_members_are_those_that_cargo_names(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tree = Tree(tmp_path_factory.mktemp("ws"))
    places = data.draw(st.lists(st.sampled_from(PLACES), min_size=1, unique=True))
    members = data.draw(st.lists(st.sampled_from(PATTERNS), max_size=3, unique=True))
    exclude = data.draw(st.lists(st.sampled_from(EXCLUDES), max_size=2, unique=True))
    for place in places:
        target = data.draw(st.sampled_from(["", *places]))
        depends = ""
        if target not in ("", place):
            section = data.draw(
                st.sampled_from(["dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"])
            )
            depends = f'[{section}]\n{_name(target)} = {{ path = "{os.path.relpath(target, place)}" }}\n'
        tree.package(f"ws/{place}", depends, _name(place))
    tree.put(
        "ws/Cargo.toml",
        f"[workspace]\nresolver = '2'\nmembers = {json.dumps(members)}\nexclude = {json.dumps(exclude)}\n",
    )
    cwd = tree.top / "ws" / data.draw(st.sampled_from([".", *places]))
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    told = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    found = discover(Path(os.path.normpath(cwd)), None, tree.env)
    if told.returncode == 0:
        answer = json.loads(told.stdout)
        assert str(found.root) == answer["workspace_root"]
        assert sorted(map(str, found.members)) == sorted(item["manifest_path"] for item in answer["packages"])


def _name(place: str) -> str:
    return "p" + "".join(letter if letter.isalnum() else "_" for letter in place)

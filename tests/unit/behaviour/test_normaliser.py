"""Paths become tokens: nothing is dropped, no two roots become one, nothing can pass for a token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.behaviour import patterns
from sandbox.behaviour.normalise import Normal, classed, escape
from tests.unit.behaviour.made import Build

DIGESTS = {
    1: "0e0d8c5f1e14350daf7f40a511c95c7d5659e6f2c6f7584ded6d1cab4449aa3b",
    2: "10fd4c665bf9112edd7d14f27d312f7b3bd5d2cee1fbc5044d9f12f3ff598ce8",
}

COMPONENT = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20).filter(
    lambda part: part not in (".", "..")
)
TOKENS = ("$OUT_DIR", "$SRC", "$TMP", "<hash>", "\\$OUT_DIR", "out", "evil", "4711", "ccAb12Xy.s", "a-0123456789abcdef")
COMPONENT = COMPONENT | st.sampled_from(TOKENS)
# Random text seldom holds what is special here.
HOSTILE = st.text("\\$<>ab/\udcff\ud800x9", max_size=12)
RELATIVE = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)


def roots(build: Build) -> list[str]:
    """Folders of every kind, none below another one with the same token."""
    return [
        build.out, build.script.rpartition("/")[0], f"{build.ws}/evil", build.good, build.toolchain, build.build_dir,
        f"{build.ws}/target", build.cargo_home, build.ws, build.home, "/tmp", "/var/tmp", "/dev/shm", build.scratch,
        "/run/cargo-sandbox/scratch", "/usr", "/etc", "/opt", "/proc", "/dev", "/srv/elsewhere",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("{out}/gen.rs", "$OUT_DIR/gen.rs"),
        ("{ws}/evil/src/lib.rs", "$SRC/src/lib.rs"),
        ("{good}/src/lib.rs", "$DEP(good@2.0.0)/src/lib.rs"),
        ("{ws}/other/Cargo.toml", "$WORKSPACE/other/Cargo.toml"),
        ("{ws}/target/debug/x", "$TARGET/debug/x"),
        ("{build_dir}/debug/deps/liba-0123456789abcdef.rlib", "$BUILD/debug/deps/liba-<hash>.rlib"),
        ("{home}/.ssh/id", "$HOME/.ssh/id"),
        ("{cargo_home}/git/checkouts/a-0123456789abcdef/1a2b3c4/x", "$CARGO_HOME/git/checkouts/a-<hash>/<rev>/x"),
        ("{toolchain}/bin/rustc", "$SYSROOT/bin/rustc"),
        ("{scratch}/ccAb12Xy.s", "$SCRATCH/cc<random>.s"),
        ("/run/cargo-sandbox/scratch/cs-999-zzzzzz/x", "$SCRATCHES/cs-<unit>/x"),
        ("{scratch}/prost-buildezwWc7/set", "$SCRATCH/prost-build<random>/set"),
        ("/tmp/csbench-payload", "$TMP/csbench-payload"),
        ("/tmp/tmp.AbCdEf0123/x", "$TMP/tmp.<random>/x"),
        ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/usr/lib/gcc/x86_64-linux-gnu/<version>/cc1"),
        ("/usr/bin/python3.11", "/usr/bin/python<version>"),
        ("/usr/lib/libstdc++.so.6.0.30", "/usr/lib/libstdc++.so.<version>"),
        ("/proc/4711/environ", "/proc/<pid>/environ"),
        ("/proc/20/task/21/fd/3", "/proc/<self>/task/<tid>/fd/<fd>"),
        ("/dev/pts/3", "/dev/pts/<number>"),
        ("{ws}-other/x", "$HOME/ws-other/x"),
        ("/", "/"),
    ],
)
def test_a_path_gets_the_token_of_the_innermost_root(raw: str, normal: str) -> None:
    build = Build()
    names = {name: getattr(build, name) for name in ("out", "ws", "good", "build_dir", "home", "cargo_home")}
    names |= {"toolchain": build.toolchain, "scratch": build.scratch}
    assert build.names().path(raw.format(**names), pid=20) == normal


@given(RELATIVE, RELATIVE)
def test_two_roots_never_become_one(rest: str, other: str) -> None:
    build = Build()
    names = build.names()
    found: dict[str, str] = {}
    for root in roots(build):
        # What lies below a root must not reach into another root itself.
        for path in {f"{root}/{rest}", f"{root}/{other}"}:
            top, _ = names.root(path)
            normal = names.path(path).removesuffix(path[len(top) :])
            before = found.setdefault(names.path(path), top)
            assert before == top, (path, normal)


@given(RELATIVE)
def test_what_is_normal_stays_as_it_is(rest: str) -> None:
    build = Build()
    names = build.names()
    for root in roots(build):
        once = names.path(f"{root}/{rest}")
        assert names.path(once) == once == names.words(once)
        assert isinstance(names.path(once), Normal)


@given(RELATIVE)
def test_a_path_at_another_place_has_the_same_normal_form_and_so_has_that(rest: str) -> None:
    here, there = Build(), Build("/srv/b/tree", "/root", "/srv/cargo", "/opt/rust", "fedcba9876543210", 31)
    for one, two in zip(roots(here), roots(there), strict=True):
        a, b = here.names().path(f"{one}/{rest}"), there.names().path(f"{two}/{rest}")
        if here.names().root(f"{one}/{rest}")[0] == one and there.names().root(f"{two}/{rest}")[0] == two:
            assert a == b


@given(HOSTILE)
def test_text_of_the_build_s_own_never_reads_like_a_token(raw: str) -> None:
    shown = escape(raw)
    bare = shown.replace("\\\\", "").replace("\\$", "").replace("\\<", "")
    assert "$" not in bare and "<" not in bare


@given(HOSTILE, HOSTILE)
def test_escaping_keeps_different_texts_different(one: str, two: str) -> None:
    assert (escape(one) == escape(two)) == (one == two)


def test_a_file_called_like_a_token_is_escaped_wherever_it_lies() -> None:
    build = Build()
    names = build.names()
    assert names.path("/tmp/$OUT_DIR/x") == "$TMP/\\$OUT_DIR/x"
    assert names.path("$OUT_DIR/x") == "\\$OUT_DIR/x"
    assert names.path("/tmp/cc<random>.s") == "$TMP/cc\\<random>.s"
    assert names.words("$SRC and <hash>") == "\\$SRC and \\<hash>"
    assert names.path(f"{build.out}/a\\b") == "$OUT_DIR/a\\\\b"


def test_a_name_that_is_not_utf8_is_shown_by_its_bytes() -> None:
    assert Build().names().path("/tmp/\udcff") == "$TMP/\\xff"
    assert Build().names().path("/tmp/\\xff") == "$TMP/\\\\xff"


def test_two_folders_of_one_name_and_version_say_where_they_lie() -> None:
    build = Build()
    plan = build.plan()
    plan["owners"] += [["/x", "good", "2.0.0", f"{build.ws}/good"]]
    from sandbox.behaviour.roots import roots_of

    tokens = list(roots_of(plan, build.ws).packages.values())
    assert "$DEP(good@2.0.0 workspace/good)" in tokens
    assert "$DEP(good@2.0.0 cargo-home/registry/src/index-1949cf8c6b5b557f/good-2.0.0)" in tokens
    assert len(set(tokens)) == 3


def test_a_package_name_can_not_forge_a_token() -> None:
    build = Build()
    plan = build.plan()
    plan["owners"] = [["/x", "a)/$OUT_DIR", "1", f"{build.ws}/a"]]
    from sandbox.behaviour.normalise import Normaliser
    from sandbox.behaviour.roots import roots_of

    assert Normaliser(roots_of(plan, build.ws)).path(f"{build.ws}/a/x") == "$DEP(a)/\\$OUT_DIR@1)/x"


def test_a_distribution_s_toolchain_is_told_from_the_system_around_it() -> None:
    build = Build(toolchain="/usr")
    names = build.names()
    assert names.path("/usr/bin/rustc") == "$SYSROOT/bin/rustc"
    assert names.path("/usr/lib/rustlib/x86_64-unknown-linux-gnu") == "$SYSROOT/lib/rustlib/x86_64-unknown-linux-gnu"
    assert names.path("/usr/bin/curl") == "/usr/bin/curl"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("native={out}", "native=$OUT_DIR"),
        ("-L{out}/lib -lfoo", "-L$OUT_DIR/lib -lfoo"),
        ("A={ws}/evil:{home}", "A=$SRC:$HOME"),
        ("src/lib.rs", "src/lib.rs"),
        ("rev 0123456789abcdef0123456789abcdef01234567", "rev <sha1>"),
        ("built 2026-11-20T10:00:00.123Z", "built <time>"),
        ("values(\"a\", '/usr/lib/12')", "values(\"a\", '/usr/lib/<version>')"),
    ],
)
def test_paths_are_found_in_words(raw: str, normal: str) -> None:
    build = Build()
    assert build.names().words(raw.format(out=build.out, ws=build.ws, home=build.home)) == normal


def test_a_root_with_a_space_is_found_in_words() -> None:
    build = Build(ws="/home/ann/my work: new")
    assert build.names().words(f"x={build.out}/a b") == "x=$OUT_DIR/a b"


def test_classes_take_the_random_part_only() -> None:
    assert classed("rmetaAb12Xy", "component") == "rmeta<random>"
    assert classed("rmetadata", "component") == "rmetadata"
    assert classed("evil-0123456789abcdef.d", "component") == "evil-<hash>.d"
    assert classed("deadbeef", "component") == "deadbeef"
    assert classed("ccAb12Xy.s", "component") == "ccAb12Xy.s"


@pytest.mark.parametrize("number", ["0123456789abcdef", "123456789abcdef", "1cq0qsvqkbmkwlnkhv2w2lm7z"])
def test_an_object_of_a_codegen_unit_has_one_name_however_long_its_number_is(number: str) -> None:
    build = Build()
    assert build.names().path(f"{build.out}/a_0.{number}-cgu.0.rcgu.o") == "$OUT_DIR/a_0.<cgu>-cgu.0.rcgu.o"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("conf10929", "conf<number>"),
        ("conf10929.dir/conf10929.file", "conf<number>.dir/conf<number>.file"),
        ("conf3660subs.awk", "conf<number>subs.awk"),
        ("confpg4e9T/out", "conf<random>/out"),
        ("config.log", "config.log"),
        ("configured", "configured"),
        ("conftest.c", "conftest.c"),
    ],
)
def test_autoconfs_own_files_have_one_name_in_each_build(raw: str, normal: str) -> None:
    build = Build()
    assert build.names().path(f"{build.out}/build/{raw}") == f"$OUT_DIR/build/{normal}"
    assert build.names().leads(f"{build.out}/build/link", raw) == normal


def test_config_guesss_folder_is_one_in_scratch_space_alone() -> None:
    build = Build()
    assert build.names().path("/tmp/cg1sdQD3/dummy.c") == "$TMP/cg<random>/dummy.c"
    assert build.names().path(f"{build.out}/cg1sdQD3") == "$OUT_DIR/cg1sdQD3"


def test_where_a_link_leads_is_normal_also_for_an_absolute_way() -> None:
    build = Build()
    assert build.names().leads(f"{build.out}/link", f"{build.out}/conf12.file") == "$OUT_DIR/conf<number>.file"
    assert build.names().leads(f"{build.out}/link", "../$OUT_DIR") == r"../\$OUT_DIR"


def test_a_change_of_the_table_takes_a_new_version() -> None:
    assert patterns.digest() == DIGESTS[patterns.VERSION], "raise VERSION and put the new digest beside it"


def test_every_pattern_takes_one_group_and_names_a_class() -> None:
    for pattern in patterns.PATTERNS:
        assert pattern.compiled.groupindex == {"x": 1} or "x" in pattern.compiled.groupindex
        assert pattern.name.isalnum()

"""The planner: pure, and no workspace whatever makes it show a secret."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import SetupError
from sandbox.plan.build import build_environment, build_plan, guard_settings, role_settings
from sandbox.plan.check import check
from sandbox.plan.facts import BUILDER, BuildFacts, HostFacts, Policy, SystemEntry, ToolFacts
from sandbox.plan.resolve import resolve_plan
from sandbox.plan.seccomp import Filter
from sandbox.plan.secrets import DECOYS, SECRET_DIRS, SECRET_NAMES, is_within

HOME = "/home/ann"
PREPARED = f"{HOME}/.cache/cargo-sandbox/prepared/0"
HOST = HostFacts(
    home=HOME,
    homes=(HOME,),
    user="ann",
    uid=1000,
    gid=1000,
    env={"PATH": f"/usr/bin:{HOME}/bin", "LANG": "C.UTF-8", "AWS_SECRET_ACCESS_KEY": "x", "CARGO_REGISTRY_TOKEN": "x"},
    system=(SystemEntry("/usr"), SystemEntry("/bin", "usr/bin"), SystemEntry("/etc/ssl/certs")),
    guard="/usr/lib/guard",
    guard_digest="sha256:00",
    memory_bytes=8 << 30,
    state_dir=f"{HOME}/.local/state/cargo-sandbox",
)
TOOL = ToolFacts(
    cargo=f"{HOME}/.rustup/toolchains/stable/bin/cargo",
    rustc=f"{HOME}/.rustup/toolchains/stable/bin/rustc",
    rustdoc=f"{HOME}/.rustup/toolchains/stable/bin/rustdoc",
    clippy_driver="",
    root=f"{HOME}/.rustup/toolchains/stable",
    name="stable",
)


def facts(**changes: object) -> BuildFacts:
    base = BuildFacts(
        command=(TOOL.cargo, "build"),
        cwd=f"{HOME}/src/app",
        roots=(f"{HOME}/src/app",),
        files=(),
        masked=(),
        target_dir=f"{HOME}/src/app/target",
        build_dir=f"{HOME}/src/app/target/.cargo-sandbox/build",
        cargo_home=f"{HOME}/.cargo",
        cargo_home_entries=("registry", "git", "config.toml", "bin"),
        prepared=PREPARED,
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def plan_for(build: BuildFacts, policy: Policy | None = None):
    return check(build_plan(HOST, TOOL, build, policy or Policy(), "sha256:11"), HOST.homes, PREPARED)


def test_the_same_facts_give_the_same_digest_and_other_facts_another() -> None:
    assert plan_for(facts()).digest() == plan_for(facts()).digest()
    assert plan_for(facts()).digest() != plan_for(facts(cwd=f"{HOME}/src/app/sub")).digest()


def test_only_the_target_dir_is_writable_on_the_host() -> None:
    assert [m.target for m in plan_for(facts()).mounts if m.kind == "rw"] == [f"{HOME}/src/app/target"]


def test_what_was_opened_to_one_package_is_writable_too_and_in_no_folder_that_all_units_share() -> None:
    plan = plan_for(facts(opened=("/home/ann/ws/contrib",)))
    assert "/home/ann/ws/contrib" in plan.written and plan.scratch == "/tmp"
    assert plan_for(facts(opened=("/tmp/ws/contrib",))).scratch == ""


def test_programs_look_for_their_libraries_in_fewer_places_unless_the_user_says_how() -> None:
    assert dict(plan_for(facts()).env)["GLIBC_TUNABLES"] == "glibc.cpu.hwcap_mask=0"
    own = dataclasses.replace(HOST, env=HOST.env | {"GLIBC_TUNABLES": "glibc.malloc.check=1"})
    env, _ = build_environment(own, TOOL, facts(), Policy(allow_env=("GLIBC_TUNABLES",)))
    assert env["GLIBC_TUNABLES"] == "glibc.malloc.check=1"


def test_every_decoy_stands_in_the_fresh_home() -> None:
    decoys = {m.target for m in plan_for(facts()).mounts if m.why == "decoy"}
    assert decoys == {f"{HOME}/{path}" for path, _ in DECOYS}


def test_the_home_is_fresh_before_anything_is_put_into_it() -> None:
    mounts = plan_for(facts()).mounts
    home = next(i for i, m in enumerate(mounts) if m.target == HOME)
    assert mounts[home].kind == "tmpfs"
    assert all(i > home for i, m in enumerate(mounts) if m.target.startswith(HOME + "/"))


def test_secrets_in_the_environment_stay_outside_and_are_named() -> None:
    env, withheld = build_environment(HOST, TOOL, facts(), Policy())
    assert "LANG" in env
    assert not {"AWS_SECRET_ACCESS_KEY", "CARGO_REGISTRY_TOKEN"} & env.keys()
    assert {"AWS_SECRET_ACCESS_KEY", "CARGO_REGISTRY_TOKEN"} <= set(withheld)


def test_a_variable_allowed_by_name_passes() -> None:
    env, withheld = build_environment(HOST, TOOL, facts(), Policy(allow_env=("AWS_*",)))
    assert env["AWS_SECRET_ACCESS_KEY"] == "x"
    assert "AWS_SECRET_ACCESS_KEY" not in withheld


def test_the_search_path_begins_with_the_toolchain_and_leaves_out_what_is_not_there() -> None:
    env, _ = build_environment(HOST, TOOL, facts(), Policy())
    parts = env["PATH"].split(":")
    assert parts[0] == f"{HOME}/.rustup/toolchains/stable/bin"
    assert f"{HOME}/bin" not in parts


def test_masked_files_are_hidden_unless_named() -> None:
    build = facts(masked=(f"{HOME}/src/app/.env", f"{HOME}/src/app/.env.test"))
    masks = {m.target for m in plan_for(build, Policy(allow_dotenv=(".env.test",))).mounts if m.why == "masked"}
    assert masks == {f"{HOME}/src/app/.env"}


@pytest.mark.parametrize("root", ["/", HOME, "/home", f"{HOME}/.ssh", f"{HOME}/.aws/project", "/etc", "/root"])
def test_a_workspace_that_would_show_a_secret_is_refused(root: str) -> None:
    with pytest.raises(SetupError) as caught:
        plan_for(facts(roots=(root,), cwd=root))
    assert caught.value.exit_code == 121
    assert caught.value.hint


def test_a_target_dir_that_holds_the_sources_is_refused() -> None:
    with pytest.raises(SetupError):
        plan_for(facts(target_dir=f"{HOME}/src"))


def test_the_description_names_every_mount() -> None:
    plan = plan_for(facts())
    text = "\n".join(plan.describe())
    assert all(mount.target in text for mount in plan.mounts)


def test_a_strict_policy_asks_the_guard_for_a_landlock_that_covers_truncate() -> None:
    asked = [
        dict(guard_settings(plan_for(facts(), Policy(strict=strict)), Filter(b"", ())))["require_landlock"]
        for strict in (False, True)
    ]
    assert asked == [b"1", b"3"]


def test_settings_for_the_guard_hold_no_nul_bytes() -> None:
    for _, value in guard_settings(plan_for(facts()), Filter(b"\x00\x01", ((425, 38),))):
        assert b"\0" not in value
    assert role_settings(facts(scripts=(("build_script_build", "/a/build.rs"),)), TOOL, Policy()).endswith(b"\0")


def test_roles_are_told_where_no_library_is_to_be_sought_unless_a_package_makes_one() -> None:
    none, some = facts(), facts(dylibs=True)
    told = f"unsearched\0{none.build_dir}\0unsearched\0{none.target_dir}\0".encode()
    assert told in role_settings(none, TOOL, Policy())
    assert b"unsearched" not in role_settings(some, TOOL, Policy())


_part = st.sampled_from(
    ["home", "ann", "src", "app", ".ssh", ".aws", ".cargo", "credentials.toml", ".netrc", "etc", "usr", "target", "x",
     ".rustup", ".config", "gh", "credentials", "tmp"]
)  # fmt: skip
_path = st.lists(_part, min_size=0, max_size=5).map(lambda parts: "/" + "/".join(parts))


@given(
    roots=st.lists(_path, min_size=1, max_size=4),
    files=st.lists(_path, max_size=3),
    masked=st.lists(_path, max_size=2),
    target=_path,
    cargo_home=_path,
    allow=st.lists(_path, max_size=2),
)
def test_no_plan_ever_shows_a_credential_or_lets_writable_places_overlap(
    roots: list[str], files: list[str], masked: list[str], target: str, cargo_home: str, allow: list[str]
) -> None:
    build = facts(
        roots=tuple(roots), files=tuple(files), masked=tuple(masked), target_dir=target, cargo_home=cargo_home
    )
    try:
        plan = plan_for(build, Policy(allow_read=tuple(allow)))
    except SetupError:
        return
    shown = [m for m in plan.mounts if m.kind in ("ro", "rw") and not is_within(m.source, PREPARED)]
    for mount in shown:
        assert mount.source.rsplit("/", 1)[-1] not in SECRET_NAMES
        assert not is_within(HOME, mount.source)
        assert not any(is_within(mount.source, f"{HOME}/{secret}") for secret in SECRET_DIRS)
    writable = [m.target for m in shown if m.kind == "rw"]
    assert not any(a != b and (is_within(a, b) or is_within(b, a)) for a in writable for b in writable)
    assert len(writable) == len(set(writable))


def test_what_the_user_lets_pass_by_hand_reaches_the_build_and_no_record() -> None:
    host = dataclasses.replace(HOST, env={**HOST.env, "MY_TOKEN": "hunter2", "RUSTFLAGS": "-Copt-level=1"})
    plan = build_plan(host, TOOL, facts(), Policy(allow_env=("MY_*", "RUSTFLAGS")), "sha256:11")
    assert ("env", b"MY_TOKEN=hunter2") in guard_settings(plan, Filter(b"", ()))
    assert "hunter2" not in "\n".join(plan.describe()) + str(plan.to_json())
    assert ("MY_TOKEN", "(not shown)") in plan.to_json()["env"]  # type: ignore[operator]
    assert ("RUSTFLAGS", "-Copt-level=1") in plan.to_json()["env"]  # type: ignore[operator]


def test_in_an_image_system_and_toolchain_are_the_images_own() -> None:
    host = dataclasses.replace(HOST, image="sha256:1")
    plan = build_plan(host, TOOL, facts(roots=("/usr/src/app",)), Policy(), "sha256:11")
    assert plan.image == "sha256:1" and plan.digest() != plan_for(facts(roots=("/usr/src/app",))).digest()
    shown = {mount.target: mount for mount in plan.mounts}
    assert not {"/usr", "/bin", TOOL.root} & set(shown)
    assert shown["/usr/src/app"].kind == "ro", "sources lie on this machine, wherever that is"


def test_cargos_downloads_in_an_image_trust_whom_this_machine_trusts() -> None:
    def resolve(host: HostFacts, offline: bool) -> tuple[dict[str, str], set[tuple[str, str]]]:
        plan = resolve_plan(
            host, TOOL, Policy(), command=("/c",), roots=(), files=(), overlay="", workspace="", cargo_home="",
            prepared=PREPARED, offline=offline,
        )  # fmt: skip
        return dict(plan.env), {(mount.target, mount.source) for mount in plan.mounts}

    env = {**HOST.env, "CARGO_HTTP_CAINFO": "/corp.pem"}
    host = dataclasses.replace(HOST, env=env, image="sha256:1", authorities="/corp.pem")
    inside = "/run/cargo-sandbox/authorities.pem"
    settings, mounts = resolve(host, offline=False)
    assert settings["SSL_CERT_FILE"] == settings["CARGO_HTTP_CAINFO"] == inside and "GIT_SSL_CAINFO" not in settings
    assert (inside, "/corp.pem") in mounts
    settings, mounts = resolve(host, offline=True)
    assert "SSL_CERT_FILE" not in settings and inside not in {target for target, _ in mounts}
    settings, mounts = resolve(HOST, offline=False)
    assert "SSL_CERT_FILE" not in settings and inside not in {target for target, _ in mounts}
    build = build_plan(host, TOOL, facts(), Policy(), "sha256:11")
    assert inside not in {mount.target for mount in build.mounts}


def test_builds_that_share_a_user_do_not_share_a_limit_of_processes() -> None:
    def limited(uid: int) -> bool:
        plan = dataclasses.replace(plan_for(facts()), uid=uid)
        return any(
            key == "rlimit" and value.startswith(b"nproc=") for key, value in guard_settings(plan, Filter(b"", ()))
        )

    assert limited(1000) and not limited(BUILDER)


def test_somebody_elses_build_has_their_ids_and_the_resolve_step_the_callers() -> None:
    host = dataclasses.replace(HOST, uid=60800, gid=60800, caller=(0, 0))
    build = build_plan(host, TOOL, facts(), Policy(), "sha256:11")
    assert (build.uid, build.gid) == (60800, 60800)
    resolve = resolve_plan(
        host, TOOL, Policy(), command=("/c",), roots=(), files=(), overlay="", workspace="", cargo_home="",
        prepared=PREPARED, offline=False,
    )  # fmt: skip
    assert (resolve.uid, resolve.gid) == (0, 0)

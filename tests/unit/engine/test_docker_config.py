"""What the Docker daemon is asked for: a golden example, and promises that hold for every plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine.docker_config import Container, Daemon, container, inside_ids
from sandbox.engine.docker_image import name, skeleton
from sandbox.errors import InternalError, SetupError
from sandbox.plan.model import Limits, Mount, Plan

GOLDEN = Path(__file__).parent / "golden" / "docker-container.json"
OLD = Daemon("20.10.24", (1, 41), "/run/docker.sock", runtime="runc")
NEW = Daemon("29.5.1", (1, 52), "/run/docker.sock", runtime="runc")
PLAN = Plan(
    command=("/opt/rust/bin/cargo", "build"),
    cwd="/home/ann/app",
    mounts=(
        Mount("symlink", "/bin", "usr/bin", why="system"),
        Mount("ro", "/usr", "/usr", why="system"),
        Mount("ro", "/etc/passwd", "/home/ann/.cache/cs/prepared/0/etc/passwd", why="made for the build"),
        Mount("proc", "/proc"),
        Mount("dev", "/dev"),
        Mount("tmpfs", "/tmp", size=1 << 30, mode=0o1777, why="scratch"),
        Mount("tmpfs", "/dev/shm", size=1 << 30, mode=0o1777, why="shared memory"),
        Mount("tmpfs", "/run", size=16 << 20),
        Mount("tmpfs", "/home/ann", size=1 << 30, mode=0o700, why="fresh home"),
        Mount("ro", "/home/ann/.cargo/registry", "/home/ann/.cargo/registry", why="cargo home"),
        Mount("ro", "/home/ann/.ssh/id_rsa", "/home/ann/.cache/cs/prepared/0/decoys/.ssh/id_rsa", why="decoy"),
        Mount("ro", "/srv/app", "/srv/app", why="sources"),
        Mount("rw", "/srv/app/target", "/srv/app/target", why="target dir"),
        Mount("ro", "/run/cargo-sandbox/guard", "/opt/cs/guard", why="guard"),
    ),
    env=(("HOME", "/home/ann"),),
    limits=Limits(memory_bytes=8 << 30, processes=4096),
    recorded=True,
    uid=1000,
    gid=1000,
)


def asked(plan: Plan = PLAN, daemon: Daemon = OLD, **more: Any) -> Container:
    return container(plan, daemon, image="i:1", profile="{}", labels={"l": "1"}, **more)


def host_config(plan: Plan = PLAN, daemon: Daemon = OLD, **more: Any) -> dict[str, Any]:
    return dict(asked(plan, daemon, **more).body["HostConfig"])


def test_a_plan_becomes_the_container_that_it_always_became() -> None:
    assert asked().body == json.loads(GOLDEN.read_text()), "if this is meant, write the golden file anew"


paths = st.lists(
    st.text("abcxyz.-_", min_size=1, max_size=6).filter(lambda part: part not in (".", "..")), min_size=1, max_size=4
).map(lambda parts: "/" + "/".join(parts))
kinds = st.sampled_from(["ro", "rw", "tmpfs", "symlink", "dir", "proc", "dev"])
mounts = st.builds(
    Mount,
    kind=kinds,
    target=paths,
    source=paths,
    size=st.integers(0, 1 << 40),
    mode=st.sampled_from([0o700, 0o755, 0o1777]),
    why=st.sampled_from(["", "fresh home", "sources", "decoy"]),
)
limits = st.builds(
    Limits,
    memory_bytes=st.integers(0, 1 << 40),
    cpus=st.sampled_from([0.0, 0.5, 4.0]),
    processes=st.integers(0, 10000),
    open_files=st.integers(16, 1 << 20),
    file_bytes=st.integers(0, 1 << 40),
)
plans = st.builds(
    Plan,
    command=st.just(("/c", "a")),
    cwd=paths,
    mounts=st.lists(mounts, max_size=8).map(tuple),
    env=st.just((("A", "b"),)),
    limits=limits,
    recorded=st.booleans(),
    network=st.booleans(),
    uid=st.integers(1, 1 << 31),
    gid=st.integers(1, 1 << 31),
)
daemons = st.builds(
    Daemon,
    version=st.just("1"),
    api=st.tuples(st.just(1), st.integers(41, 60)),
    socket=st.sampled_from(["/run/docker.sock", "/a/b"]),
    remapped=st.booleans(),
    ipv6=st.booleans(),
    runtime=st.sampled_from(["", "runc", "runsc"]),
)


@given(plans, daemons)
def test_no_plan_whatever_takes_a_wall_down(plan: Plan, daemon: Daemon) -> None:
    try:
        made = asked(plan, daemon)
    except (SetupError, InternalError):
        return
    body, host = made.body, made.body["HostConfig"]
    assert not host["Privileged"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Devices"]
    assert host["SecurityOpt"] == ["no-new-privileges:true", "seccomp={}"]
    assert host["ReadonlyRootfs"] and host["AutoRemove"] and not host["Binds"]
    assert (host["IpcMode"], host["CgroupnsMode"], host["PidMode"], host["UTSMode"]) == ("private", "private", "", "")
    assert host["NetworkMode"] == ("host" if plan.network else "none")
    assert not (plan.network and body["NetworkDisabled"])
    assert not (plan.network and plan.recorded)
    assert host["LogConfig"]["Type"] == "none" and not body["Tty"]
    assert body["User"] == f"{plan.uid}:{plan.gid}"
    assert host.get("NanoCpus", 0) == plan.limits.cpus * 10**9
    assert host.get("Memory") == host.get("MemorySwap") and ("Memory" in host) == bool(plan.limits.memory_bytes)
    assert {"Name": "core", "Soft": 0, "Hard": 0} in host["Ulimits"]
    wanted = {mount.target: mount for mount in plan.mounts if mount.kind not in ("proc", "dev")}
    for bind in host["Mounts"]:
        mount = wanted[bind["Target"]]
        assert bind["Type"] == "bind" and bind["Source"] == mount.source
        assert bind["ReadOnly"] == (mount.kind == "ro")
        assert bind["BindOptions"]["Propagation"] == "rprivate"
        assert bind["BindOptions"].get("NonRecursive") or bind["BindOptions"].get("ReadOnlyForceRecursive")
        assert not (daemon.socket + "/").startswith(mount.source + "/")
    for options in host["Tmpfs"].values():
        words = options.split(",")
        assert {"nosuid", "nodev"} <= set(words)
        assert any(word.startswith("size=") and word != "size=0" for word in words)
        assert any(word.startswith("nr_inodes=") for word in words)


@given(plans)
def test_the_image_is_equal_for_equal_plans_and_holds_no_file(plan: Plan) -> None:
    import io
    import tarfile

    archive = skeleton(plan)
    assert archive == skeleton(plan)
    with tarfile.open(fileobj=io.BytesIO(archive)) as image:
        for entry in image:
            assert entry.isdir() or entry.issym()
            assert (entry.uid, entry.gid, entry.mtime) == (0, 0, 0)


def test_the_image_has_the_plans_modes_and_links_and_its_content_for_a_name() -> None:
    import io
    import tarfile

    archive = skeleton(PLAN)
    with tarfile.open(fileobj=io.BytesIO(archive)) as image:
        found = {entry.name: entry for entry in image}
    assert found["tmp"].mode == 0o1777 and found["home/ann"].mode == 0o700 and found["home"].mode == 0o755
    assert found["bin"].linkname == "usr/bin"
    assert "home/ann/.cargo" not in found, "what lies in a home is made when the container starts"
    other = replace(PLAN, mounts=(*PLAN.mounts, Mount("symlink", "/lib", "usr/lib")))
    assert name(archive) != name(skeleton(other))
    assert name(archive) == name(skeleton(replace(PLAN, cwd="/elsewhere")))


def test_what_lies_below_a_read_only_mount_is_read_only_too_or_not_there() -> None:
    [usr, *_] = host_config(daemon=OLD)["Mounts"]
    assert usr["BindOptions"] == {"Propagation": "rprivate", "NonRecursive": True}
    [usr, *_] = host_config(daemon=NEW)["Mounts"]
    assert usr["BindOptions"] == {"Propagation": "rprivate", "ReadOnlyForceRecursive": True}


def test_folders_of_a_home_belong_to_the_user_although_mounts_lie_in_them() -> None:
    tmpfs = host_config()["Tmpfs"]
    assert "uid=1000,gid=1000" in tmpfs["/home/ann/.cargo"] and "uid=1000,gid=1000" in tmpfs["/home/ann/.ssh"]
    assert not any(path.startswith("/run/") for path in tmpfs)


def test_a_resolve_step_has_network_no_guard_and_no_input() -> None:
    body = asked(replace(PLAN, recorded=False, network=True)).body
    assert body["HostConfig"]["NetworkMode"] == "host" and not body["NetworkDisabled"] and not body["OpenStdin"]
    assert (body["Entrypoint"], body["Cmd"], body["Env"]) == (["/opt/rust/bin/cargo"], ["build"], ["HOME=/home/ann"])


def test_only_runc_is_left_to_make_a_network_namespace_alone() -> None:
    assert (
        asked(daemon=OLD).body["NetworkDisabled"]
        and asked(daemon=OLD, runtime="io.containerd.runc.v2").body["NetworkDisabled"]
    )
    for runtime, usual in (("runsc", "runc"), ("", "runsc"), ("", "")):
        made = asked(daemon=replace(OLD, runtime=usual), runtime=runtime).body
        assert not made["NetworkDisabled"] and made["HostConfig"]["NetworkMode"] == "none"


def test_network_for_crates_code_is_our_own_bug() -> None:
    with pytest.raises(InternalError):
        asked(replace(PLAN, network=True))
    assert host_config(replace(PLAN, network=True, removed_walls=("network",)))["NetworkMode"] == "host"


@pytest.mark.parametrize("source", ["/run/docker.sock", "/run"])
def test_the_daemons_socket_is_never_shown(source: str) -> None:
    with pytest.raises(SetupError, match="socket"):
        asked(replace(PLAN, mounts=(*PLAN.mounts, Mount("ro", "/x", source))))


@pytest.mark.parametrize("target", ["/proc/sys", "/dev/sda", "/sys", "/"])
def test_nothing_is_mounted_over_the_kernels_own_places(target: str) -> None:
    with pytest.raises(InternalError):
        asked(replace(PLAN, mounts=(Mount("ro", target, "/srv"),)))


def test_a_link_within_a_writable_folder_is_made_there_and_one_in_a_home_is_refused() -> None:
    overlay = (Mount("rw", "/srv/ws", "/tmp/overlay"), Mount("symlink", "/srv/ws/link", "elsewhere"))
    assert asked(replace(PLAN, mounts=overlay)).links == (("/tmp/overlay/link", "elsewhere"),)
    home = (Mount("tmpfs", "/home/ann", why="fresh home"), Mount("symlink", "/home/ann/out", "/srv/out"))
    with pytest.raises(SetupError, match="/home/ann/out"):
        asked(replace(PLAN, mounts=home))


def test_a_place_whose_name_is_no_text_is_refused_and_not_left_unmasked() -> None:
    masked = Mount("ro", "/srv/app/.env.\udcfe", "/srv/empty", why="masked")
    with pytest.raises(SetupError, match="Docker daemon") as caught:
        asked(replace(PLAN, mounts=(*PLAN.mounts, masked)))
    assert caught.value.wall == "secrets"


def test_a_rootless_daemons_user_is_root_inside_and_nobody_else_can_use_it() -> None:
    assert inside_ids(PLAN, replace(OLD, rootless_uid=1000)) == (0, 0)
    with pytest.raises(SetupError, match="rootless"):
        inside_ids(PLAN, replace(OLD, rootless_uid=1001))


def test_an_image_by_name_is_shown_as_it_is() -> None:
    with pytest.raises(SetupError, match="/bin"):
        asked(replace(PLAN, image="sha256:1"))
    shown = replace(PLAN, image="sha256:1", mounts=tuple(mount for mount in PLAN.mounts if mount.why != "system"))
    body = asked(shown).body
    assert "/usr" not in {mount["Target"] for mount in body["HostConfig"]["Mounts"]}
    assert body["HostConfig"]["ReadonlyRootfs"]


def test_a_runtime_is_passed_on() -> None:
    assert host_config(runtime="runsc")["Runtime"] == "runsc"
    assert "Runtime" not in host_config()

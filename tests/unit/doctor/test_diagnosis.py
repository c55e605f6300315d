"""What a host is worth: every wall was seen to stand, or the tier says that it was not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.doctor.diagnose import checks, diagnose, standing
from sandbox.doctor.facts import Bubblewrap, Docker, Host, Probe
from sandbox.doctor.known_bad import load
from sandbox.doctor.model import WALLS, Check
from sandbox.doctor.tier import Standing
from sandbox.plan.facts import RuntimeFacts
from tests.unit.doctor import hosts

ENTRIES = load()


def tiers(host: Host, engine: str = "auto") -> tuple[str, str, str]:
    """The engine of a build, its tier, and Docker's."""
    found = diagnose(host, ENTRIES, engine)
    return found.chosen.engine, found.chosen.tier, found.standings[1].tier


def check(host: Host, name: str) -> Check:
    return next(entry for entry in checks(host, ENTRIES) if entry.id == name)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (hosts.MODERN, ("bubblewrap", "standard", "standard")),
        (hosts.DEBIAN_12, ("bubblewrap", "degraded", "degraded")),
        (hosts.UBUNTU_24, ("docker", "standard", "standard")),
        (hosts.OLD_KERNEL, ("bubblewrap", "none", "none")),
        (hosts.NO_LANDLOCK, ("bubblewrap", "none", "none")),
        (hosts.ROOTLESS, ("bubblewrap", "standard", "standard")),
        (hosts.REMAPPED, ("bubblewrap", "standard", "standard")),
        (hosts.DESKTOP, ("bubblewrap", "standard", "degraded")),
        (hosts.NO_ENGINE, ("bubblewrap", "none", "none")),
    ],
)
def test_each_host_has_the_tier_that_its_walls_allow(host: Host, expected: tuple[str, str, str]) -> None:
    assert tiers(host) == expected


def test_the_engine_that_the_user_named_is_judged_even_if_another_would_do() -> None:
    assert tiers(hosts.UBUNTU_24, "bubblewrap")[:2] == ("bubblewrap", "none")
    assert tiers(hosts.NO_ENGINE, "docker")[:2] == ("docker", "none")


def test_gvisor_and_virtual_machines_are_strong_and_it_is_said_that_the_guard_was_not_tried_there() -> None:
    found = diagnose(hosts.GVISOR, ENTRIES, "docker --runtime runsc").chosen
    assert found.tier == "strong"
    assert "the verdict of a run is incomplete" in found.reasons[-1].words
    as_default = replace(hosts.GVISOR, docker=replace(hosts.GVISOR.docker, default_runtime="runsc"))
    assert tiers(as_default, "docker")[1] == "strong"


GVISOR = RuntimeFacts("runsc", notify=False, landlock=0, confined=False, kernel="4.4.0", network=False)


def tried(runtime: RuntimeFacts, host: Host = hosts.GVISOR) -> Standing:
    return diagnose(replace(host, runtime=runtime), ENTRIES, f"docker --runtime {runtime.name}").chosen


def test_a_runtime_that_was_tried_is_strong_and_what_the_guard_can_t_do_there_is_said() -> None:
    found = tried(GVISOR)
    assert (found.tier, len(found.reasons)) == ("strong", 3)
    assert "can't record there: no user notification" in found.reasons[0].words
    assert "no Landlock" in found.reasons[1].words
    assert "only the guard's" in found.reasons[2].words
    assert tried(replace(GVISOR, notify=True, landlock=7, confined=True)).reasons == ()


def test_a_name_alone_makes_no_runtime_strong() -> None:
    release = hosts.GVISOR.kernel.release
    assert tried(replace(GVISOR, kernel=release)).tier == "degraded"
    assert tried(RuntimeFacts("runsc", landlock=7, kernel=release)).tier == "standard"


@pytest.mark.parametrize(
    ("changed", "tier"),
    [
        ({}, "standard"),
        ({"landlock": 2}, "degraded"),
        ({"landlock": 0}, "degraded"),
        ({"notify": False}, "degraded"),
        ({"subreaper": False}, "degraded"),
        ({"confined": False}, "degraded"),
        ({"filters": False}, "none"),
        ({"no_new_privs": False}, "none"),
        ({"error": "exec format error"}, "none"),
    ],
)
def test_another_runtime_is_worth_what_was_found_in_it(changed: dict[str, object], tier: str) -> None:
    found = tried(replace(RuntimeFacts("crun", landlock=7, kernel="6.18.4"), **changed), hosts.MODERN)  # type: ignore[arg-type]
    assert (found.engine, found.tier) == ("docker --runtime crun", tier)
    assert bool(found.reasons) == (tier != "standard")


def test_a_daemon_that_is_known_to_be_bad_is_not_strong_with_any_runtime() -> None:
    old = replace(hosts.GVISOR, docker=replace(hosts.GVISOR.docker, version="28.2.2"))
    assert diagnose(old, ENTRIES, "docker --runtime runsc").chosen.tier == "degraded"
    assert tried(GVISOR, old).tier == "degraded"


def test_a_daemon_that_the_engine_refuses_can_t_be_used_and_the_engine_s_remedy_is_given() -> None:
    remote = replace(hosts.MODERN, docker=Docker(error="the Docker daemon is on another machine", remedy="unset it"))
    assert tiers(remote)[2] == "none"
    found = check(remote, "docker")
    assert (found.state, found.found, found.fix) == ("missing", remote.docker.error, "unset it")


def test_a_remapping_is_not_praised_since_our_builds_are_taken_out_of_it() -> None:
    states = {name: check(host, "docker-userns") for name, host in (("no", hosts.MODERN), ("yes", hosts.REMAPPED))}
    assert {found.state for found in states.values()} == {"note"}
    assert "not those of our builds" in states["yes"].found
    assert check(hosts.ROOTLESS, "docker-userns").state == "good"


@pytest.mark.parametrize(
    ("kernel", "uid", "fix"),
    [
        (replace(hosts.UBUNTU_24.kernel), 1000, "bwrap-userns-restrict"),
        (replace(hosts.UBUNTU_24.kernel, apparmor_userns=None, userns_clone=0), 1000, "unprivileged_userns_clone=1"),
        (replace(hosts.UBUNTU_24.kernel, apparmor_userns=0, max_userns=0), 1000, "max_user_namespaces"),
        (replace(hosts.UBUNTU_24.kernel), 0, "bwrap --unshare-user"),
    ],
)
def test_a_host_that_forbids_user_namespaces_gets_the_remedy_that_fits(kernel: object, uid: int, fix: str) -> None:
    found = check(replace(hosts.UBUNTU_24, kernel=kernel, uid=uid), "user-namespaces")  # type: ignore[arg-type]
    assert found.state == "missing"
    assert "Permission denied" in found.found
    assert fix in found.fix


@pytest.mark.parametrize(
    ("words", "switches", "fix"),
    [
        (
            "Can't mount proc on /newroot/proc: Operation not permitted",
            {"apparmor_userns": 1},
            "systempaths=unconfined",
        ),
        ("pivot_root: Operation not permitted", {"apparmor_userns": 1}, "seccomp=unconfined"),
        ("No permissions to create new namespace", {"apparmor_userns": 1}, "seccomp=unconfined"),
        ("No permissions to create new namespace", {"userns_clone": 0}, "unprivileged_userns_clone=1"),
    ],
)
def test_what_bwrap_says_counts_for_more_than_a_switch_that_does_not_explain_it(
    words: str, switches: dict[str, int], fix: str
) -> None:
    host = hosts.UBUNTU_24
    kernel = replace(host.kernel, **{"apparmor_userns": 0, **switches})  # type: ignore[arg-type]
    found = check(
        replace(host, kernel=kernel, uid=1000, bubblewrap=replace(host.bubblewrap, error=f"bwrap: {words}")),
        "user-namespaces",
    )
    assert found.state == "missing" and fix in found.fix


@pytest.mark.parametrize(
    ("abi", "state", "lacks"),
    [(1, "weak", "truncate"), (2, "weak", "truncate"), (3, "note", "ioctl"), (5, "note", "signals"), (6, "good", "")],
)
def test_each_level_of_landlock_says_what_it_lacks(abi: int, state: str, lacks: str) -> None:
    found = check(hosts.host(hosts.kernel("6.1.0", landlock=abi)), "bubblewrap-landlock")
    assert (found.state, lacks in found.means) == (state, True)


def test_a_daemon_that_keeps_files_behind_a_process_is_told_to_be_slow_and_no_more() -> None:
    slow = replace(hosts.MODERN, docker=replace(hosts.NEW_DOCKER, storage="fuse-overlayfs"))
    assert check(slow, "docker-storage").state == "note" and "overlay2" in check(slow, "docker-storage").fix
    assert diagnose(slow, ENTRIES).standings == diagnose(hosts.MODERN, ENTRIES).standings
    usual = replace(hosts.MODERN, docker=replace(hosts.NEW_DOCKER, storage="overlay2"))
    assert "docker-storage" not in {entry.id for entry in diagnose(usual, ENTRIES).checks}


def test_slow_notifications_are_worth_a_note_only() -> None:
    slow = hosts.host(hosts.kernel("6.5.0", sync_wakeup=False, wait_killable=False))
    assert check(slow, "bubblewrap-sync-wakeup").state == "note"
    assert tiers(slow)[1] == "standard"


def _without(name: str) -> Host:
    """A modern host on which one thing is not as it should be."""
    host, probe = hosts.MODERN, hosts.inside(hosts.MODERN.kernel)

    def seen(changed: Probe) -> Host:
        return replace(host, bubblewrap=replace(host.bubblewrap, inside=changed))

    if name in ("net", "mnt", "pid", "user"):
        return seen(replace(probe, namespaces=probe.namespaces | {name: hosts.OUTSIDE[name]}))
    if name.startswith("unread "):
        return seen(replace(probe, namespaces=probe.namespaces | {name.removeprefix("unread "): ""}))
    if name == "landlock":
        return seen(replace(probe, landlock=2))
    if name == "capabilities":
        return seen(replace(probe, bounding=1 << 21))
    if name == "walls":
        return replace(host, removed_walls=("seccomp",))
    if name == "machine":
        return replace(host, kernel=replace(host.kernel, machine="riscv64"))
    if name == "program":
        return replace(host, bubblewrap=Bubblewrap())
    if name == "version":
        return replace(host, bubblewrap=replace(host.bubblewrap, version="0.6.2"))
    if name == "silent":
        return replace(host, bubblewrap=replace(host.bubblewrap, version=""))
    return seen(replace(probe, **{name: False}))  # type: ignore[arg-type]


_BREAKABLE = (
    "net", "mnt", "pid", "user", "unread net", "unread mnt", "unread pid", "landlock", "capabilities", "walls",
    "machine", "program", "version", "silent", "sizes_fit", "new_listener", "answered", "continued", "close_range",
)  # fmt: skip


@pytest.mark.parametrize("name", _BREAKABLE)
def test_one_thing_that_is_not_as_it_should_be_is_enough_to_lose_standard(name: str) -> None:
    found = diagnose(_without(name), ENTRIES, "bubblewrap").chosen
    assert found.tier in ("degraded", "none")
    assert found.reasons


@given(
    st.lists(
        st.builds(
            Check,
            id=st.just("c"),
            title=st.just("t"),
            state=st.sampled_from(("good", "note", "weak", "unseen", "missing")),
            found=st.just(""),
            engines=st.lists(st.sampled_from(("bubblewrap", "docker")), unique=True).map(tuple),
            walls=st.lists(st.sampled_from(WALLS), unique=True).map(tuple),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_no_set_of_checks_gives_standard_while_a_wall_is_missing_weak_or_unseen(
    found: list[Check], whole: bool
) -> None:
    if whole:
        found = [Check("all", "t", "good", "", engines=("bubblewrap",), walls=WALLS), *found]
    own = [entry for entry in found if "bubblewrap" in entry.engines]
    fine = all(entry.state in ("good", "note") for entry in own)
    held = {wall for entry in own for wall in entry.walls}
    tier = standing("bubblewrap", found).tier
    assert (tier == "standard") == (fine and held == set(WALLS))
    assert tier != "strong"


@given(st.sampled_from(("bubblewrap", "docker")), st.data())
def test_taking_any_check_of_a_wall_away_is_noticed(engine: str, data: st.DataObject) -> None:
    found = checks(hosts.MODERN, ENTRIES)
    wall = data.draw(st.sampled_from(WALLS))
    kept = [entry for entry in found if engine not in entry.engines or wall not in entry.walls]
    left = standing(engine, kept)
    assert left.tier == "degraded"
    assert any(wall in reason.words for reason in left.reasons)


@given(
    st.builds(
        Docker,
        error=st.just(""),
        version=st.text(),
        api=st.text(),
        runc=st.text(),
        kernel=st.text(),
    )
)
def test_whatever_a_daemon_says_of_itself_is_judged_without_a_crash_and_never_standard(docker: Docker) -> None:
    assert tiers(replace(hosts.MODERN, docker=docker))[2] in ("none", "degraded")

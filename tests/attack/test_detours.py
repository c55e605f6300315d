"""A decoy is a decoy by whatever way it is reached: each detour is charged to the crate that took it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sandbox.plan.secrets import DECOYS, RC_FILES
from tests.attack.arena import Acts, Arena, Attack
from tests.attack.kernel_calls import numbers
from tests.engines import core

pytestmark = [pytest.mark.attack, pytest.mark.engine]

CANARY = "CSBENCH-CANARY"
SECRETS = [path for path, _ in DECOYS if path not in RC_FILES]


def shell(text: str) -> tuple[str, ...]:
    """Commands in an empty folder of the unit's own. DIR, NAME and HOME stand for parts of the decoy's path."""
    return ("run", "/bin/sh", "-ec", f'cd "$(mktemp -d)"; {text}')


# Ways to the file NAME in the folder DIR, which is HOME or below it (FROM_HOME is the file seen from there).
BY_LINKS: Mapping[str, Sequence[str]] = {
    "dots-after-link": shell("ln -s HOME/.ssh link; cat link/../FROM_HOME"),
    "dots-after-cwd": shell("cd HOME/.ssh; cat /proc/self/cwd/../FROM_HOME"),
    "hard-link-of-a-link": shell("ln -s DIR/NAME one; ln -P one two; cat two"),
    "copy-of-a-link": shell("ln -s DIR/NAME one; cp -a one two; cat two"),
    "renamed-parent": shell("mkdir one; ln -s DIR one/link; mv one two; cat two/link/NAME"),
    "chain-of-links": shell(
        "for i in 1 2 3 4 5 6 7 8 9; do ln -sfn /tmp/csbench-$$-$((i + 1)) /tmp/csbench-$$-$i; done; "
        "ln -sfn DIR /tmp/csbench-$$-10; cat /tmp/csbench-$$-1/NAME; rm /tmp/csbench-$$-*"
    ),
    "folder-called-deleted": shell(
        "mkdir 'd (deleted)'; ln -s DIR 'd (deleted)/link'; exec 9<'d (deleted)'; cat /proc/self/fd/9/link/NAME"
    ),
    "deep": ("deep", "{tmp}", "DIR/NAME"),
}
BY_DESCRIPTORS: Mapping[str, Sequence[str]] = {
    "self-cwd": shell("cd DIR; cat /proc/self/cwd/NAME"),
    "self-root": ("read", "/proc/self/rootDIR/NAME"),
    "thread-root": ("read", "/proc/thread-self/rootDIR/NAME"),
    "thread-cwd": shell("cd DIR; cat /proc/thread-self/cwd/NAME"),
    "task-root": ("read", "glob:/proc/self/task/*/rootDIR/NAME"),
    "child-root": shell("sleep 1 & cat /proc/$!/rootDIR/NAME"),
    "dev-fd": shell("exec 9<DIR; cat /dev/fd/9/NAME"),
    "dev-stdin": shell("exec <DIR; cat /dev/stdin/NAME"),
    "openat": ("openat", "DIR", "NAME"),
    "openat-of-a-place": ("openat-path", "DIR", "NAME"),
    "place-opened-again": ("path-fd", "DIR/NAME"),
}


def reading(arena: Arena, ways: Mapping[str, Sequence[str]]) -> tuple[Acts, dict[str, str]]:
    """Acts that read another decoy each, and which one."""
    assert len(ways) <= len(SECRETS)
    home = str(arena.project.home)
    goals = dict(zip(ways, SECRETS, strict=False))
    acts = {}
    for name, words in ways.items():
        folder, _, file = f"{home}/{goals[name]}".rpartition("/")
        parts = {"FROM_HOME": goals[name], "HOME": home, "DIR": folder, "NAME": file}
        for mark, text in parts.items():
            words = [word.replace(mark, text) for word in words]
        acts[name] = tuple(words)
    return acts, {name: f"{home}/{path}" for name, path in goals.items()}


def found_by(found: Attack, package: str, goals: Mapping[str, str]) -> set[str]:
    """The ways whose decoy is in a finding of a package."""
    subjects = {entry["subject"] for entry in found.run.findings("CS0101") if entry["package"] == package}
    return {name for name, path in goals.items() if path in subjects}


@core
@pytest.mark.parametrize("ways", [BY_LINKS, BY_DESCRIPTORS], ids=["links", "descriptors"])
def test_every_detour_to_a_decoy_is_charged_to_the_crate_that_took_it(
    arena: Arena, ways: Mapping[str, Sequence[str]]
) -> None:
    acts, goals = reading(arena, ways)
    found = arena.attack(script=acts, macro=acts)
    assert found.done.code == 0, found.done.shown
    decoys = {f"{arena.project.home}/{path}": content.strip() for path, content in DECOYS}
    for told in (found.script, found.macro):
        seen = {name: told[name].replace("|", "\n") for name in acts}
        assert {name: text for name, text in seen.items() if decoys[goals[name]] not in text} == {}, "it got there"
    for package in ("csbench-script", "csbench-consumer"):
        assert found_by(found, package, goals) == set(ways), package
    assert {entry["package"] for entry in found.run.findings("CS0101")} == {"csbench-script", "csbench-consumer"}


def test_without_the_decoys_each_detour_reaches_the_real_file_and_by_letters_alone_nobody_sees_it(weak: Arena) -> None:
    ways = {**BY_LINKS, **{name: BY_DESCRIPTORS[name] for name in ("self-cwd", "self-root", "dev-fd", "child-root")}}
    acts, goals = reading(weak, ways)
    weak.project.write({f"~/{path}": f"{CANARY} in {path}\n" for path in SECRETS})
    try:
        found = weak.attack(script=acts, removed=("home", "landlock"))
    finally:
        weak.project.remove(*(f"~/{path}" for path in SECRETS))
    assert {name: text for name, text in found.script.items() if CANARY not in text} == {}
    blind = weak.attack(script=acts, removed=("follow",))
    # What the working directory or a descriptor is, the kernel says without a look at links.
    assert found_by(blind, "csbench-script", goals) == set(), blind.done.shown


@core
def test_a_link_that_came_with_the_crate_leads_to_a_decoy_no_less(arena: Arena) -> None:
    home, packed = arena.project.home, arena.project.dir / "csbench-script" / "assets" / "deep"
    ways = {"file": home / SECRETS[0], "folder": (home / SECRETS[1]).parent}
    packed.mkdir(parents=True)
    try:
        for name, target in ways.items():
            (packed / name).symlink_to(target)
        acts = {
            "file": ("read", "{here}/assets/deep/file"),
            "folder": ("read", f"{{here}}/assets/deep/folder/{Path(SECRETS[1]).name}"),
        }
        found = arena.attack(script=acts)
        assert found.done.code == 0, found.done.shown
        goals = {"file": f"{home}/{SECRETS[0]}", "folder": f"{home}/{SECRETS[1]}"}
        assert found_by(found, "csbench-script", goals) == set(ways), found.done.shown
    finally:
        shutil.rmtree(packed.parent)


def changes(arena: Arena) -> Acts:
    """Acts that would change a decoy each, none of them by its own path."""
    home = str(arena.project.home)
    made = f"ln -s {home}/.ssh link; echo csbench > mine; "
    return {
        "append": shell(made + "echo csbench >> link/../.bashrc"),
        "rename-to": shell(made + "mv -f mine link/../.bash_profile"),
        "rename-from": shell(made + "mv -f link/../.zshrc mine"),
        "unlink": shell(made + "rm -f link/../.netrc"),
        "link": shell(made + "ln -f mine link/../.npmrc"),
        "symlink": shell(made + "ln -s mine link/../.pypirc"),
        "hard-link": shell(made + "ln link/../.git-credentials one"),
        "end": ("symlink", f"{home}/.profile", "{tmp}/csbench-end"),
        "truncate": ("truncate", "{tmp}/csbench-end"),
    }


def test_a_change_by_a_detour_is_refused_and_named_by_the_place_it_would_have_changed(
    arena: Arena, weak: Arena
) -> None:
    acts = changes(arena)
    home = f"{arena.project.home}/"
    goals = {name: f"{home}{acts[name][-1].rpartition('/')[2]}" for name in acts if acts[name][0] == "run"}
    goals |= {"rename-from": f"{home}.zshrc", "truncate": f"{home}.profile", "hard-link": f"{home}.git-credentials"}
    found = arena.attack(script=acts, macro=acts)
    assert found.done.code == 0, found.done.shown
    for told, package in ((found.script, "csbench-script"), (found.macro, "csbench-consumer")):
        done = {name: told[name] for name in goals if "exit status: 0" in told[name] or told[name] == "ok"}
        assert done == {}, package
        assert found_by(found, package, goals) == set(goals), package
    blind = weak.attack(script=changes(weak), removed=("follow",))
    assert "CS0101" not in blind.codes(), "by its letters each of them is in the unit's own folder"


def test_another_crates_output_is_known_through_a_link_at_the_end(arena: Arena) -> None:
    acts = {
        "end": ("symlink", "glob:{deps}/libcsbench_victim-*.rlib", "{tmp}/csbench-end"),
        "truncate": ("truncate", "{tmp}/csbench-end"),
    }
    found = arena.attack(macro=acts)
    assert found.macro["truncate"] == "ok", found.macro
    assert {"CS0108", "CS0112"} <= found.codes(), "the seal and the record find it, each alone"
    again = arena.attack()
    assert again.done.code == 0 and not again.codes(), again.done.shown


def nameless() -> Acts:
    number = str(numbers()["execveat"])
    return {
        "memfd": ("memfd", "/bin/true"),
        "memfd-at": ("memfd-at", "/bin/true", number),
        "memfd-link": ("memfd-link", "/bin/true", "{tmp}/csbench-link"),
        "memfd-folder": ("memfd-folder", "/bin/true"),
        "deleted": ("deleted", "/bin/true", "{tmp}/csbench-gone"),
        "deleted-at": ("deleted-at", "/bin/true", "{tmp}/csbench-gone", number),
    }


def test_a_program_that_never_had_a_file_or_has_it_no_more_is_found(arena: Arena) -> None:
    acts = nameless()
    found = arena.attack(script=acts, macro=acts)
    for told in (found.script, found.macro):
        assert {name: told[name] for name in acts} == dict.fromkeys(acts, "ok:exit 0"), "memory is no wall"
    for unit, package in ((found.script_unit, "csbench-script"), (found.macro_unit, "csbench-consumer")):
        assert found.select(kind="memfd", unit=unit)
        assert len(found.select(kind="exec", unit=unit, note="memfd")) == 4
        assert len(found.select(kind="exec", unit=unit, note="deleted")) == 2
        assert "CS0104" in found.codes(package)


def test_a_dropped_program_is_known_by_each_of_its_names(arena: Arena) -> None:
    drop = "printf '#!/bin/sh\\nexit 0\\n' > one; chmod 755 one; "
    names = {
        "link": "ln -s one two; ./two",
        "hard-link": "ln one two; ./two",
        "cwd": "/proc/self/cwd/one",
        "renamed": "mv one two; ./two",
        "copied": "cp one two; ./two",
        "folder": "ln -s . here; here/one",
    }
    acts = {name: shell(drop + text) for name, text in names.items()}
    found = arena.attack(script=acts)
    assert {name for name in acts if found.script[name].startswith("ok:exit status: 0")} == set(acts), found.script
    places = {entry["subject"].split("/")[-2] for entry in found.run.findings("CS0104")}
    assert len(places) == len(acts), found.run.findings("CS0104")


def test_a_program_that_only_runs_does_not_act_even_as_an_interpreter(arena: Arena, weak: Arena) -> None:
    """The kernel opens the interpreter itself, so that its name is not asked about; what it then does is."""
    key = f"{arena.project.home}/.ssh/id_rsa"
    text = (
        "cp /bin/cat hidden; chmod 0111 hidden; printf '#!%s/hidden\\n' \"$PWD\" > one; chmod 755 one; "
        "./one {key} || ./hidden {key}"
    )
    found = arena.attack(script={"hidden": shell(text.replace("{key}", key))})
    assert "PRIVATE KEY" not in found.script["hidden"], found.script
    assert found.select(kind="dumpable", unit=found.script_unit, outcome="denied")
    assert "CS0106" in found.codes("csbench-script")
    key = f"{weak.project.home}/.ssh/id_rsa"
    open_ = weak.attack(script={"hidden": shell(text.replace("{key}", key))}, removed=("deny",))
    assert "PRIVATE KEY" in open_.script["hidden"], open_.script

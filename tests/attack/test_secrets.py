"""A build sees decoys where secrets would be; the real ones reach neither it nor the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.plan.secrets import DECOYS, RC_FILES
from tests.attack.arena import Acts, Arena, workspace
from tests.engines import core
from tests.harness import Lab, Project, guard_binary, sandboxed

pytestmark = [pytest.mark.attack, pytest.mark.engine]

CANARY = "CSBENCH-CANARY"
SPLIT = "CSBENCH{-}-CANARY"  # the word for csbench-actor, but not in its file of acts
TOKENS = {
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-aws",
    "CARGO_REGISTRY_TOKEN": f"{CANARY}-cargo",
    "CARGO_REGISTRIES_MINE_TOKEN": f"{CANARY}-registry",
    "GITHUB_TOKEN": f"{CANARY}-github",
    "SSH_AUTH_SOCK": f"/nonexistent/{CANARY}",
    "DATABASE_URL": f"postgres://u:{CANARY}@db.invalid/x",
    "http_proxy": f"http://u:{CANARY}@proxy.invalid:3128",
    "SOMETHING_ELSE": f"{CANARY}-other",
    "CARGO_TARGET_LOOKS_HARMLESS_TOKEN": f"{CANARY}-target",
}


DOTENV = ("dotenv", "dotenv-production", "dotenv-other-crate", "dotenv-own", "dotenv-linked", "dotenv-target")


def plant(project: Project) -> None:
    """Real-looking secrets in all the places where decoys stand, and some more."""
    files = {f"~/{path}": f"{CANARY} in {path}\n" for path, _ in DECOYS}
    files |= {
        "~/.ssh/id_csbench": f"{CANARY} own key\n",
        "~/.config/csbench/token": f"{CANARY} unknown program\n",
        "~/Documents/diary.txt": f"{CANARY} diary\n",
        "~/.cargo/config.toml": f'[registry]\ntoken = "{CANARY}-in-config"\n\n[term]\nverbose = false\n',
        "~/.cargo/.crates.toml": f"# {CANARY}\n",
        ".env": f"KEY={CANARY}\n",
        ".env.production": f"KEY={CANARY}\n",
        "csbench-victim/.env.local": f"KEY={CANARY}\n",
        "csbench-script/.env": f"KEY={CANARY}\n",
        "secrets/dev.conf": f"KEY={CANARY}\n",
    }
    project.write(files)
    (project.dir / ".env.linked").symlink_to("secrets/dev.conf")


def unplant(project: Project) -> None:
    """Leave the arena as it was: a secret in the tree is no part of the other tests."""
    project.remove("secrets", ".env", ".env.production", ".env.linked", "csbench-victim/.env.local")
    project.remove("csbench-script/.env", "~/.cargo/config.toml")


def readings(project: Project) -> Acts:
    """Every way to them."""
    home, tree = project.home, project.dir
    acts: dict[str, tuple[str, ...]] = {
        f"decoy-{number}": ("read", f"{home}/{path}") for number, (path, _) in enumerate(DECOYS)
    }
    return acts | {
        "own-key": ("read", f"{home}/.ssh/id_csbench"),
        "diary": ("read", f"{home}/Documents/diary.txt"),
        "cargo-config": ("read", f"{home}/.cargo/config.toml"),
        "dotenv": ("read", f"{tree}/.env"),
        "dotenv-production": ("read", f"{tree}/.env.production"),
        "dotenv-other-crate": ("read", f"{tree}/csbench-victim/.env.local"),
        "dotenv-own": ("read", "{here}/.env"),
        "dotenv-linked": ("read", f"{tree}/.env.linked"),
        "dotenv-target": ("read", f"{tree}/secrets/dev.conf"),
        "variables": ("variables", SPLIT),
        "environ-self": ("search", SPLIT, "/proc/self"),
        "environ-cargo": ("proc", "cargo", "environ"),
        "environ-init": ("proc", "init", "environ"),
        "everywhere": ("search", SPLIT, str(home.parent), "/tmp", "/var", "/run", "/etc", "/dev/shm"),
    }


@pytest.fixture
def planted(arena: Arena) -> Arena:
    return _planted(arena)


def _planted(arena: Arena) -> Arena:
    plant(arena.project)
    return arena


@core
def test_decoys_stand_where_the_secrets_are_and_no_canary_gets_in_or_into_the_record(planted: Arena) -> None:
    project = planted.project
    try:
        found = planted.attack(
            script=readings(project), macro={"key": ("read", f"{project.home}/.ssh/id_ed25519")}, env=TOKENS
        )
    finally:
        unplant(project)
    assert found.done.code == 0, found.done.shown
    for number, (path, content) in enumerate(DECOYS):
        seen = found.script[f"decoy-{number}"]
        shown = content.rstrip("\n").replace("\n", "|")
        assert seen.rstrip("|") == (f"ok:{shown}" if content else "ok"), path
    for name in ("own-key", "diary"):
        assert found.script[name] == "ENOENT", name
    for name in DOTENV:
        assert found.script[name] == "ok", f"{name} is there and empty"
    for name in ("environ-cargo", "environ-init"):
        assert found.script[name] == "EACCES", name
    for name in ("variables", "environ-self", "everywhere"):
        assert found.script[name] == "ok", name
    assert found.macro["key"].startswith("ok:-----BEGIN OPENSSH PRIVATE KEY")
    held = [name for name in found.run.path.iterdir() if CANARY.encode() in name.read_bytes()]
    text = "".join(str(part) for part in (found.events, found.run.units(), found.run.plan, found.run.header))
    assert not held and CANARY not in text and CANARY.encode() not in found.run.output()
    assert CANARY not in found.done.stdout + found.done.stderr


@core
def test_each_touch_of_a_decoy_is_found_and_reading_a_shells_start_file_is_not(planted: Arena) -> None:
    project = planted.project
    reads = {f"decoy-{number}": ("read", f"{project.home}/{path}") for number, (path, _) in enumerate(DECOYS)}
    acts = {**reads, "persist": ("append", f"{project.home}/.bashrc", "# csbench")}
    try:
        found = planted.attack(script=acts, macro={"key": ("read", f"{project.home}/.ssh/id_ed25519")}, env=TOKENS)
    finally:
        unplant(project)
    secrets = {f"{project.home}/{path}" for path, _ in DECOYS if path not in RC_FILES}
    touched = {entry["subject"] for entry in found.run.findings("CS0101") if entry["package"] == "csbench-script"}
    assert touched == secrets | {f"{project.home}/.bashrc"}
    macro = [entry for entry in found.run.findings("CS0101") if entry["package"] == "csbench-consumer"]
    assert [entry["subject"] for entry in macro] == [f"{project.home}/.ssh/id_ed25519"]
    assert "csbench_macro" in "".join(macro[0]["macros"]), "the macros that the unit loaded are named"
    assert Path(project.home, ".bashrc").read_text() == f"{CANARY} in .bashrc\n"


def test_with_the_walls_away_the_same_acts_get_the_real_secrets(weak: Arena) -> None:
    project = weak.project
    plant(project)
    try:
        found = weak.attack(
            script=readings(project), env=TOKENS, removed=("home", "environment", "dotenv", "landlock", "deny")
        )
    finally:
        unplant(project)
    for number, (path, _) in enumerate(DECOYS):
        assert found.script[f"decoy-{number}"] == f"ok:{CANARY} in {path}|", path
    assert found.script["own-key"].startswith(f"ok:{CANARY}")
    for name in DOTENV:
        assert found.script[name] == f"ok:KEY={CANARY}|", name
    assert set(TOKENS) <= set(found.script["variables"].removeprefix("ok:").split())
    assert CANARY in found.script["environ-cargo"], "Landlock is what hides another process's environment"


def test_a_plan_shows_no_secret(planted: Arena, weak: Arena) -> None:
    done = sandboxed(planted.project, "plan", "build", env=TOKENS)
    unplant(planted.project)
    assert done.code == 0 and CANARY not in done.stdout + done.stderr, done.shown
    assert "withheld" in done.stdout and "GITHUB_TOKEN" in done.stdout
    bare = {"CARGO_SANDBOX_TEST_BREAK": "environment", "CARGO_SANDBOX_TEST_GUARD": str(weak.guard)}
    assert CANARY in sandboxed(weak.project, "plan", "build", env=TOKENS | bare).stdout


def test_a_named_variable_and_a_named_dotenv_file_are_let_in_and_nothing_else(planted: Arena) -> None:
    project = planted.project
    options = (
        "--deny",
        "never",
        "--on-violation",
        "report",
        "--allow-env",
        "SOMETHING_ELSE",
        "--allow-dotenv",
        ".env.local",
    )
    try:
        found = planted.attack(script=readings(project), options=options, env=TOKENS)
    finally:
        unplant(project)
    assert found.script["variables"] == "ok:SOMETHING_ELSE"
    assert found.script["dotenv-other-crate"] == f"ok:KEY={CANARY}|"
    assert found.script["dotenv"] == found.script["dotenv-own"] == "ok"


def test_a_cargo_home_within_the_workspace_keeps_its_credentials(lab: Lab) -> None:
    """Usual in continuous integration, where only the checkout is cached."""
    project = lab.project(workspace())
    project.env["CARGO_HOME"] = str(project.dir / ".cargo-home")
    project.write(
        {
            ".cargo-home/credentials.toml": f'[registry]\ntoken = "{CANARY}"\n',
            ".cargo-home/config.toml": f'[registry]\ntoken = "{CANARY}-in-config"\n',
            ".cargo-home/registry/CACHEDIR.TAG": "",
        }
    )
    arena = Arena(project, guard_binary(), breakable=False)
    home = f"{project.dir}/.cargo-home"
    acts = {
        "credentials": ("read", f"{home}/credentials.toml"),
        "config": ("read", f"{home}/config.toml"),
        "everywhere": ("search", SPLIT, str(project.dir)),
        "write": ("put", f"{home}/registry/new", "x"),
    }
    found = arena.attack(script=acts, macro={"macro": acts["credentials"]})
    assert found.done.code == 0, found.done.shown
    assert CANARY not in found.script["credentials"] + found.script["config"] and found.script["everywhere"] == "ok"
    assert found.script["write"] in ("EACCES", "EROFS")
    touched = {(entry["package"], entry["subject"]) for entry in found.run.findings("CS0101")}
    assert touched == {(name, f"{home}/credentials.toml") for name in ("csbench-script", "csbench-consumer")}

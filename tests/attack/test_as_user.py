"""The walls stand for an ordinary user as they do for root, whose namespace maps another id."""

from __future__ import annotations

import pytest

from tests.attack import listeners
from tests.attack.arena import Arena, workspace
from tests.attack.kernel_calls import CALLS
from tests.attack.test_host_files import REFUSED, on_attributes, on_outputs, on_sources
from tests.attack.test_network import ELSEWHERE, elsewhere
from tests.attack.test_processes import limits, looks
from tests.attack.test_secrets import CANARY, SPLIT, TOKENS
from tests.harness import Lab, guard_binary, ordinary_user

pytestmark = [pytest.mark.attack, pytest.mark.engine, pytest.mark.user]


def test_every_wall_stands_for_an_ordinary_user(lab: Lab) -> None:
    project = lab.project(workspace() | {".env": f"KEY={CANARY}", "~/.ssh/id_rsa": CANARY}, user=ordinary_user(lab))
    arena = Arena(project, guard_binary(), breakable=False)
    first = arena.attack()
    assert first.done.code == 0 and not first.codes(), first.done.shown
    files = {"mine": ("put", "{out}/mine.rs", "x"), **on_sources(arena), **on_outputs(arena), **on_attributes()}
    secrets = {
        "key": ("read", f"{project.home}/.ssh/id_rsa"),
        "dotenv": ("read", f"{project.dir}/.env"),
        "variables": ("variables", SPLIT),
        "everywhere": ("search", SPLIT, str(project.home.parent), "/tmp", "/run", "/etc"),
    }
    calls = {name: call.act() for name, call in CALLS.items() if call.kind not in ("chmod", "mknod")}
    others = {name: words for name, words in looks().items() if not name.startswith("neighbour")}
    with listeners.tcp() as tcp:
        host = {"host": ("tcp", tcp.address), "shadow": ("read", "/etc/shadow"), "root": ("list", "/root/.ssh")}
        acts = {
            **files,
            **secrets,
            **elsewhere(),
            **host,
            **calls,
            **others,
            **limits(),
            "kill": ("kill", "cargo", "9"),
        }
        found = arena.attack(script=acts, env=TOKENS)
        assert not tcp.heard
    assert found.done.code == 0, found.done.shown
    told = found.script
    assert {name: told.get(name) for name in acts if name not in told} == {}
    refused = {**files, **others, **limits(), "kill": ()}
    assert {
        name: told[name] for name in refused if told[name] not in REFUSED and name not in ("mine", "made-link")
    } == {}
    assert {told[name] for name in ELSEWHERE} == {"ENETUNREACH"} and told["host"] == "ECONNREFUSED"
    assert {name: told[name] for name, call in CALLS.items() if name in calls and told[name] != call.error} == {}
    assert told["key"].startswith("ok:-----BEGIN") and told["dotenv"] == told["variables"] == told["everywhere"] == "ok"
    assert told["shadow"] == "ENOENT" and told["root"] in ("ENOENT", "EACCES")
    assert {"CS0101", "CS0102", "CS0103", "CS0106"} <= found.codes("csbench-script")

"""The inert attacks of tests/attack, read instead of built: what is seen so, and what honestly is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.reader.cache import Cache
from sandbox.preflight.reader.helpers import Helpers
from sandbox.preflight.reader.kinds import RANKS
from sandbox.preflight.reader.packages import place_of

SCENARIOS = Path(__file__).parents[3] / "attack" / "scenarios"
ATTACK = "attack-like combination"
REACHES = "reaches"

SEEN = {
    "01-host-beacon-chat": ATTACK, "02-geo-lookup-beacon": REACHES, "03-env-dump": ATTACK,
    "04-named-secret-env": REACHES,
    "05-dotenv-lookalike-api": REACHES, "06-ssh-key-theft": REACHES, "07-cargo-token-theft": REACHES,
    "08-cloud-cred-sweep": REACHES, "09-metadata-service": ATTACK, "10-browser-wallet-tdata": REACHES,
    "15-dropper-inproc-tls": ATTACK, "16-dropper-curl-sh": ATTACK, "17-dropper-wget-python": ATTACK,
    "18-hijacked-release": ATTACK, "19-clean-wrapper-evil-dep": ATTACK, "20-staged-update": REACHES,
    "23-memfd-exec": ATTACK, "25-ci-gated": ATTACK, "26-anti-ci-anti-container": ATTACK, "27-toolchain-gated": ATTACK,
    "28-time-gate": ATTACK, "30-tracer-check": ATTACK, "31-double-fork-daemon": REACHES, "32-io-uring-io": ATTACK,
    "34-dns-exfil": REACHES, "35-legit-service-exfil": REACHES, "36-shell-rc-persist": ATTACK,
    "37-authorized-keys": ATTACK, "38-systemd-or-cron": ATTACK, "40-git-hook-plant": ATTACK,
    "41-cargo-config-hijack": ATTACK, "43-registry-src-tamper": ATTACK, "44-target-artefact-patch": REACHES,
    "45-link-injection": ATTACK, "47-proc-macro-side-effect": ATTACK, "48-proc-macro-code-injection": REACHES,
    "50-worm-republish": ATTACK, "52-escape-probe": ATTACK, "54-nested-cargo-resolve": ATTACK,
}  # fmt: skip
UNSEEN = {
    "45-link-injection-from-source": "compiles C with cc and gives the linker its object, as many honest scripts do",
    "55-runtime-call": "nothing of it runs at build time",
}
"""Attacks that reading can't tell from harmless work; the run's record shows the first, nothing of ours the second."""

TWINS = {
    "03-env-dump-twin": "notable", "04-named-secret-env-twin": REACHES, "05-dotenv-lookalike-api-twin": REACHES,
    "15-dropper-inproc-tls-twin": REACHES, "16-dropper-curl-sh-twin": "notable",
    "17-dropper-wget-python-twin": "notable",
    "25-ci-gated-twin": "ordinary", "27-toolchain-gated-twin": "notable", "35-legit-service-exfil-twin": "notable",
    "44-target-artefact-patch-twin": "ordinary", "47-proc-macro-side-effect-twin": "notable",
}  # fmt: skip


def _rank(scenario: Path) -> str:
    """The gravest of all build-time code in a scenario, with what it calls in the library that all of them share."""
    gate = place_of(SCENARIOS / "gate", LockedPackage("csbench-gate", "0.1.0"))
    ranks = ["ordinary"]
    for manifest in sorted(scenario.rglob("Cargo.toml")):
        place = place_of(manifest.parent, LockedPackage(scenario.name, "0.1.0"))
        assert not place.fault
        place = replace(place, helpers=(("csbench_gate", 1),))
        for root in place.roots:
            unit, judged = Helpers([place, gate], Cache(None)).judged(0, root)
            assert (unit.unread, unit.undone) == ((), ())
            ranks.append(judged.rank)
    return max(ranks, key=RANKS.index)  # type: ignore[arg-type]


def _folders() -> list[Path]:
    return sorted(one for one in SCENARIOS.iterdir() if one.name[0].isdigit())


def test_every_scenario_is_accounted_for() -> None:
    assert {one.name for one in _folders()} == SEEN.keys() | UNSEEN.keys() | TWINS.keys()


@pytest.mark.parametrize("scenario", _folders(), ids=lambda path: path.name)
def test_each_scenario_is_ranked_as_recorded_here(scenario: Path) -> None:
    rank = _rank(scenario)
    if scenario.name in UNSEEN:
        assert rank in ("ordinary", "notable")
    else:
        assert rank == (SEEN | TWINS)[scenario.name]

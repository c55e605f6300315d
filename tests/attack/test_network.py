"""Nothing reaches a network from a build, and each attempt is in the record with its address and its crate."""

from __future__ import annotations

import pytest

from tests.attack import listeners
from tests.attack.arena import Acts, Arena
from tests.engines import core

pytestmark = [pytest.mark.attack, pytest.mark.engine]

# Addresses for documentation (RFC 5737, RFC 3849); an act for each call that names a peer.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "tcp": ("192.0.2.1:80", "connect"),
    "tcp6": ("[2001:db8::1]:443", "connect"),
    "tcp-mapped": ("[::ffff:192.0.2.2]:80", "connect"),
    "udp": ("192.0.2.3:9", "connect"),
    "udp6": ("[2001:db8::3]:9", "connect"),
    "sendto": ("192.0.2.4:9", "send"),
    "sendto6": ("[2001:db8::4]:9", "send"),
    "sendmsg": ("192.0.2.5:9", "send"),
    "sendmmsg": ("192.0.2.6:9", "send"),
    "fastopen": ("192.0.2.7:80", "send"),
    "tcp-dns": ("198.51.100.53:53", "connect"),
    "tcp-broadcast": ("255.255.255.255:9", "connect"),
    "sendto-multicast": ("224.0.0.251:5353", "send"),
    "tcp-metadata": ("169.254.169.254:80", "connect"),
}


def elsewhere() -> Acts:
    """An act for each of ELSEWHERE: the part of its name before a dash or digit is the verb."""
    return {name: (name.partition("-")[0].rstrip("6"), address) for name, (address, _) in ELSEWHERE.items()}


@core
def test_every_way_out_is_refused_and_recorded_with_its_address_and_crate(arena: Arena) -> None:
    found = arena.attack(script=elsewhere(), macro={"macro-tcp": ("tcp", "203.0.113.1:80")})
    assert found.done.code == 0, found.done.shown
    assert {name: found.script.get(name) for name in ELSEWHERE} == dict.fromkeys(ELSEWHERE, "ENETUNREACH")
    for address, kind in ELSEWHERE.values():
        host, _, port = address.rpartition(":")
        events = found.select(kind=kind, addr=host.strip("[]"), port=int(port))
        assert [(event["outcome"], event["by"], event["unit"]) for event in events[:1]] == [
            ("denied", "guard", found.script_unit)
        ], address
    assert found.macro["macro-tcp"] == "ENETUNREACH"
    event = found.select(kind="connect", addr="203.0.113.1")[0]
    assert (event["outcome"], event["unit"]) == ("denied", found.macro_unit)
    assert {"CS0102"} == found.acts("csbench-script") == found.acts("csbench-consumer")


def test_a_peer_is_seen_behind_others_and_with_an_address_that_lacks_a_family(arena: Arena) -> None:
    acts = {"last": ("sendmmsg-last", "192.0.2.8:9"), "bare": ("sendto-bare", "192.0.2.9:9")}
    found = arena.attack(script=acts)
    assert found.script == dict.fromkeys(acts, "ENETUNREACH")
    for address in ("192.0.2.8", "192.0.2.9"):
        events = found.select(kind="send", addr=address, unit=found.script_unit)
        assert [event["outcome"] for event in events] == ["denied"], address


def test_a_macro_that_knocks_at_a_local_socket_is_recorded(arena: Arena) -> None:
    acts = {"knock": ("unix", "/run/csbench.sock")}
    found = arena.attack(script=acts, macro={"m-knock": acts["knock"]})
    assert {found.script["knock"], found.macro["m-knock"]} == {"ENOENT"}
    events = found.select(kind="connect", path="/run/csbench.sock")
    assert {event["unit"] for event in events} == {found.script_unit, found.macro_unit}


def test_a_name_that_is_looked_up_is_recorded_by_name_and_not_answered(arena: Arena) -> None:
    acts = {
        "resolve": ("resolve", "csbench-resolve.invalid"),
        "query": ("query", "192.0.2.53:53", "csbench-query.invalid"),
        "local-query": ("query", "127.0.0.1:53", "csbench-local.invalid"),
        "localhost": ("resolve", "localhost"),
    }
    found = arena.attack(script=acts)
    assert found.script["resolve"].startswith("failed:")
    assert found.script["query"] in ("ENETUNREACH", "ECONNREFUSED")
    assert found.script["local-query"] == "ECONNREFUSED"
    assert "127.0.0.1:80" in found.script["localhost"]
    for name in ("csbench-resolve.invalid", "csbench-query.invalid", "csbench-local.invalid"):
        events = found.select(kind="dns", dns=name)
        assert events and {event["unit"] for event in events} == {found.script_unit}, name
        assert {event["outcome"] for event in events} == {"denied"}
    assert not found.select(kind="dns", dns="localhost")
    subjects = {finding["subject"] for finding in found.run.findings("CS0102")}
    assert {"csbench-resolve.invalid", "csbench-query.invalid", "csbench-local.invalid"} <= subjects


@core
def test_the_hosts_own_listeners_are_out_of_reach_and_in_reach_once_the_namespace_is_shared(
    arena: Arena, weak: Arena
) -> None:
    hidden = arena.project.home / "agent.sock"
    with (
        listeners.tcp() as tcp,
        listeners.udp() as udp,
        listeners.abstract() as abstract,
        listeners.unix(hidden) as unix,
    ):
        acts = {
            "tcp": ("tcp", tcp.address),
            "udp": ("sendto", udp.address),
            "abstract": ("abstract", abstract.address),
            "unix": ("unix", unix.address),
        }
        found = arena.attack(script=acts, macro={"macro-abstract": ("abstract", abstract.address)})
        assert found.done.code == 0, found.done.shown
        assert found.script["tcp"] == "ECONNREFUSED"
        assert found.script["abstract"] in ("EPERM", "ECONNREFUSED")
        assert found.macro["macro-abstract"] in ("EPERM", "ECONNREFUSED")
        assert found.script["unix"] == "ENOENT"
        assert not (tcp.heard or udp.heard or abstract.heard or unix.heard)
        assert found.select(
            kind="connect", addr=tcp.address.partition(":")[0], port=int(tcp.address.rpartition(":")[2])
        )

        shared = weak.attack(script=acts, removed=("network",))
        assert shared.script["tcp"] == "ok:connected" and tcp.heard == [b"csbench\n"]
        assert udp.heard == [b"csbench"]
        assert shared.script["abstract"] == "EPERM", "Landlock's scope is a second wall before abstract sockets"
        assert not abstract.heard

        shared = weak.attack(script=acts, removed=("network", "sigscope"))
        assert shared.script["abstract"] == "ok:connected" and abstract.heard


@core
def test_a_container_that_was_given_a_network_all_the_same_runs_nothing(arena: Arena) -> None:
    with listeners.tcp() as tcp:
        done = arena.attack(script={"tcp": ("tcp", tcp.address)}, removed=("network",)).done
        assert done.code == 121 and not tcp.heard, done.shown
    assert "the network wall can't be put up" in done.stderr and "was to have none" in done.stderr, done.shown


def test_without_the_guards_refusal_nobody_would_hear_of_the_attempts(weak: Arena) -> None:
    found = weak.attack(script=elsewhere(), removed=("deny",))
    assert {found.script[name] for name in ELSEWHERE} == {"ENETUNREACH"}, "the namespace holds by itself"
    assert not found.select(outcome="denied") and "CS0102" not in found.codes()

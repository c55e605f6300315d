"""Turns a profile of the Docker Engine into a filter as runc does, with the machine's own libseccomp.

Written from runc 1.1's libcontainer/seccomp/seccomp_linux.go (`InitSeccomp`, `matchCall`) and libseccomp's seccomp.h:
a rule with the default action is skipped, a name that libseccomp does not know too, and several conditions on one
argument become a rule each, of which any suffices.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from typing import Any

_ARCHES = {"SCMP_ARCH_X86_64": 0xC000003E, "SCMP_ARCH_AARCH64": 0xC00000B7}
_ACTIONS = {"SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_ERRNO": 0x00050000, "SCMP_ACT_TRACE": 0x7FF00000}
_OPERATORS = {
    "SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}  # fmt: skip
_UNKNOWN = -1  # __NR_SCMP_ERROR


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def compile_profile(profile: dict[str, Any], arch: str) -> tuple[bytes, set[str]]:
    """The program for `arch` (SCMP_ARCH_…), and the names that this libseccomp lacks."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(
        library.seccomp_init(ctypes.c_uint32(_action(profile, "defaultAction", "defaultErrnoRet")))
    )
    assert context
    entry = next(entry for entry in profile["archMap"] if entry["architecture"] == arch)
    for name in (arch, *entry["subArchitectures"]):
        _ok(library.seccomp_arch_add(context, ctypes.c_uint32(_ARCHES[name])), -17)
    native = library.seccomp_arch_native()
    if native & 0xFFFFFFFF not in {_ARCHES[arch]}:
        _ok(library.seccomp_arch_remove(context, ctypes.c_uint32(native)))
    missing = set()
    for rule in profile["syscalls"]:
        action = _action(rule, "action", "errnoRet")
        if action == _action(profile, "defaultAction", "defaultErrnoRet"):
            continue
        conditions = [
            _Comparison(arg["index"], _OPERATORS[arg["op"]], arg["value"], arg.get("valueTwo", 0))
            for arg in rule.get("args", ())
        ]
        repeated = len({condition.arg for condition in conditions}) < len(conditions)
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == _UNKNOWN:
                missing.add(name)
                continue
            for part in [[one] for one in conditions] if repeated else [conditions]:
                array = (_Comparison * len(part))(*part)
                _ok(library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(part), array))
    with tempfile.TemporaryFile() as file:
        _ok(library.seccomp_export_bpf(context, file.fileno()))
        library.seccomp_release(context)
        file.seek(0, os.SEEK_SET)
        return file.read(), missing


def _action(data: dict[str, Any], word: str, error: str) -> int:
    return int(_ACTIONS[data[word]] | data.get(error, 1 if data[word] != "SCMP_ACT_ALLOW" else 0))


def _ok(result: int, *fine: int) -> None:
    assert result == 0 or result in fine, os.strerror(-result)

"""Puts one more check among the supply-chain checks of the cargo-sandbox that a test starts with this folder in
PYTHONPATH: it knows packages by their names, as an advisory database would. Nothing else is changed."""

from __future__ import annotations

import os
import sys
import types


def _plant() -> None:
    from sandbox.errors import SandboxError
    from sandbox.preflight import checks
    from sandbox.preflight.model import Answer, Check, Subject, finding

    def look(subject: Subject) -> Answer:
        if os.environ.get("CSBENCH_BREAK"):
            raise SandboxError("the planted check is broken")
        codes = {"csbench-malware": "CS0550", "csbench-yanked": "CS0536", "csbench-old": "CS0553"}
        found = [
            finding(codes[one.name], one, "the planted list has it") for one in subject.locked if one.name in codes
        ]
        return Answer("planted", "done", tuple(found), looked_at=len(subject.locked))

    module = types.ModuleType("sandbox.preflight.planted")
    vars(module)["CHECKS"] = (Check("planted", "a list of names", look, fast=True),)
    sys.modules[module.__name__] = module
    vars(checks)["PARTS"] = {**checks.PARTS, "planted": True}


_plant()

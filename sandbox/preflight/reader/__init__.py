"""Reads code that runs while a project is built (build scripts, macros, and what they call) before it runs, and lists
what packages carry besides sources. Nothing is run or followed out of a package."""

from sandbox.preflight.reader.check import CHECKS
from sandbox.preflight.reader.explain import explain_package

__all__ = ["CHECKS", "explain_package"]

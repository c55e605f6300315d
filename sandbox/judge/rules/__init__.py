"""Rules over behaviours: data in, findings out (docs/rules.md).

`judge` and `Known` are all that a run needs; reading YAML (`load`), checking (`lint`) and making `rules.json`
(`compiled`) is for those who write rules.
"""

from sandbox.judge.rules.judge import judge
from sandbox.judge.rules.known import Known, NothingKnown

__all__ = ["Known", "NothingKnown", "judge"]

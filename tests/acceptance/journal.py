"""What a run has changed on a host beside its pots, kept there: a run that is killed can be taken back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from .host import Answer, UnfitError

Tool = Callable[..., Answer]


@dataclass
class Journal:
    """path: of the file on the host. state: of the run's store on this machine. outside: the run's directory
    on the machine outside. steps: command lines that put the host back, the last first."""

    tool: Tool
    path: str
    state: str = ""
    outside: str = ""
    steps: list[tuple[str, ...]] = field(default_factory=list)

    def save(self) -> None:
        """Write the file; what is to be put back is there before it is changed."""
        kept = {"state": self.state, "outside": self.outside, "steps": self.steps}
        answer = self.tool("tee", self.path, stdin=json.dumps(kept))
        if answer.code != 0:
            raise UnfitError(f"tee {self.path}: {answer.err.strip()}")

    def load(self) -> None:
        """Read the file of a run that was killed."""
        answer = self.tool("cat", self.path)
        if answer.code != 0:
            raise UnfitError(f"a run was killed before it did anything: remove the directory of {self.path}")
        kept = json.loads(answer.out)
        self.state, self.outside = kept["state"], kept["outside"]
        self.steps = [tuple(argv) for argv in kept["steps"]]

    def undo(self) -> None:
        """Put the host back, and report each step that fails."""
        while self.steps:
            argv = self.steps.pop()
            answer = self.tool(*argv)
            if answer.code != 0:
                print(f"acceptance: not put back: {' '.join(argv)}: {answer.err.strip()}", file=sys.stderr)

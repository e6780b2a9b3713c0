"""What shells complete names from. See etc/completions, and click's documentation on shell completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from potnet.cli.options import Options, opened


def stored_names(options: Options, what: Literal["pot", "bridge", "name"]) -> Sequence[str]:
    """The names in the store that a command with these options would use.

    As in a dry run nothing is made or changed. Whatever is wrong is for the command itself to say, since the
    user is in the middle of a line.
    """
    from potnet.operations import names

    find = {"pot": names.pot_names, "bridge": names.bridge_names, "name": names.all_names}[what]
    try:
        with opened(replace(options, dry_run=True, quiet=True, verbose=0), changes_host=False) as app:
            return find(app)
    except Exception:
        return ()

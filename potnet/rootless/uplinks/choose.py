"""Choose one of the uplinks."""

from __future__ import annotations

from pathlib import Path

from potnet.errors import HostError
from potnet.rootless.uplinks.lxc_user_nic import LxcUserNic
from potnet.rootless.uplinks.options import AUTO, Options
from potnet.rootless.uplinks.pasta import Pasta
from potnet.rootless.uplinks.shared import Shared
from potnet.rootless.uplinks.slirp4netns import Slirp4netns
from potnet.rootless.uplinks.uplink import Uplink, refusals, refuse
from potnet.rootless.uplinks.vpnkit import Vpnkit

#: The best first: ports at run time, then speed.
KINDS: tuple[type[Uplink], ...] = (Slirp4netns, Pasta, LxcUserNic, Vpnkit, Shared)
#: The automatic choice excludes the uplink that shares the machine's own network.
_BY_ITSELF = ("slirp4netns", "pasta", "lxc-user-nic", "vpnkit")


def choose(options: Options, directory: Path) -> Uplink:
    """Return the requested uplink, or the best one on this machine with all options. Raises PotnetError."""
    if options.uplink != AUTO:
        kind = next(each for each in KINDS if each.name == options.uplink)
        refuse(kind, options)
        lack = kind.missing(options)
        if lack is not None:
            what, _, how = lack.partition(": ")
            raise HostError(f"uplink {kind.name}: {what}", hint=how or None)
        return kind(options, directory)
    lacks = []
    for kind in (each for each in KINDS if each.name in _BY_ITSELF):
        lack = kind.missing(options) or next(iter(refusals(kind, options)), None)
        if lack is None:
            return kind(options, directory)
        lacks.append(f"  {kind.name}: {lack}")
    raise HostError(
        "this machine has no uplink for a host without root\n" + "\n".join(lacks),
        hint="on Debian: `apt-get install slirp4netns`",
    )

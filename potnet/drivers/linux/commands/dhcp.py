"""udhcpc(8), which gets addresses by DHCP for pots.

The scripts of distributions write the resolv.conf of the host, so potnet has one of its own for each pot.
"""

from __future__ import annotations

from potnet.drivers.linux.facts.names import OWN_ETC
from potnet.executors.base import Command, Limit
from potnet.host.jail_actions import ForgetDhcp, StartDhcp

#: Sets what a server has assigned. udhcpc(8) gives it in the environment, the mask as a length.
_SCRIPT = """#!/bin/sh
case $1 in
bound | renew)
	case $(ip -4 -o addr show dev "$interface") in
	*" $ip/$mask "*) ;;
	*)
		ip -4 addr flush dev "$interface"
		ip -4 addr add "$ip/$mask" brd + dev "$interface"
		;;
	esac
	set -- $router
	[ -z "$1" ] || ip -4 route replace default via "$1" dev "$interface"
	;;
deconfig)
	ip -4 addr flush dev "$interface"
	;;
esac
"""


def starting(action: StartDhcp) -> tuple[Command, ...]:
    """Return the commands that start a client; if no server answers, it goes on in the background."""
    path = _script(action.jail)
    options = ("subnet", "broadcast", *(("router",) if action.routes else ()))
    client = (
        # -b: in the background at last; -R: it releases the lease at its end; -o: no options without -O.
        "udhcpc", "-i", action.interface, "-s", path, "-b", "-t", "3", "-T", "2", "-A", "5", "-R", "-o",
        *(word for option in options for word in ("-O", option)),
    )  # fmt: skip
    return (
        Command(("tee", path), stdin=_SCRIPT),
        Command(("chmod", "700", path)),
        Command(("ip", "netns", "exec", action.jail, *client), timeout=Limit.LONG, quiet=True, inside=True),
    )


def forgetting(action: ForgetDhcp) -> Command:
    """Return the command that removes the script of a pot."""
    return Command(("rm", "-f", _script(action.jail)))


def _script(pot: str) -> str:
    """Return the path of a script; no pot has a dot in its name, and no pot can write there."""
    return f"{OWN_ETC}/{pot}.udhcpc"

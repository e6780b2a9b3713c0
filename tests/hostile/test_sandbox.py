"""The watch itself: what potnet makes passes, what data could make of it does not."""

from __future__ import annotations

import pytest
from sandbox import Said, Violation, check, hold

from potnet.executors.base import Command

PF = "nat on em0 inet from 10.192.0.0/10 to any -> (em0:0)\n"
PF6 = "nat on em0 inet6 from fd00:1::/64 to ! fd00:1::/64 -> (em0:0)\n"
NFT = 'add element inet potnet entering { "bridge0" : jump pot-filter/stove }\n'
IP = "link set dev epair0a master bridge0\n"


@pytest.mark.parametrize(
    ("argv", "stdin"),
    [
        (("pfctl", "-a", "pot-nat", "-f", "-"), PF),
        (("pfctl", "-a", "pot-rdr/stove.6", "-f", "-"), PF6),
        (("nft", "-f", "-"), NFT),
        (("ip", "-batch", "-"), "rule show\nroute show table all default\n"),
        (("ip", "-batch", "-"), IP),
        (("jail", "-f", "-", "-c", "x"), '"x" {\n\thost.hostname = "a\\"b\\$";\n\tpersist;\n}\n'),
        (("tee", "/x/etc/resolv.conf"), "anything; at $(all)\n"),
    ],
)
def test_what_potnet_makes_passes(argv: tuple[str, ...], stdin: str) -> None:
    check(Command(argv, stdin=stdin))


@pytest.mark.parametrize(
    ("argv", "stdin"),
    [
        (("pfctl", "-a", "pot-nat", "-f", "-"), f"{PF}pass quick all\n"),
        (("pfctl", "-a", "pot-nat", "-f", "-"), PF.replace("em0 inet", "em0;id inet")),
        (("pfctl", "-a", "pot-rdr/stove.6", "-f", "-"), PF6.replace("to !", "to ! any port !")),
        (("nft", "-f", "-"), f"{NFT}flush ruleset\n"),
        (("nft", "-f", "-"), NFT.replace("bridge0", 'bridge0" } ; flush ruleset ; "')),
        (("ip", "-batch", "-"), f"{IP}link del dev eth0 ; x\n"),
        (("ip", "-batch", "-"), IP.replace("bridge0", "bridge0 # x")),
        (("jail", "-f", "-", "-c", "x"), '"x" {\n\thost.hostname = "a"; exec.prestart = "id";\n}\n'),
        (("jail", "-f", "-", "-c", "x"), '"x" {\n\thost.hostname = "$a";\n}\n'),
        (("sh", "-c", "id"), None),
        (("curl", "http://192.0.2.1/"), None),
        (("ifconfig", "em0\0"), None),
    ],
)
def test_what_data_could_make_does_not(argv: tuple[str, ...], stdin: str | None) -> None:
    with pytest.raises(Violation):
        check(Command(argv, stdin=stdin))


@pytest.mark.parametrize(
    "said",
    [
        Said(3, "", "potnet: x\n"),
        Said(1, "", "Traceback (most recent call last):\n"),
        Said(1, "", "potnet: internal error: x\n"),
        Said(1, "", "something else\n"),
        Said(0, "\x1b[31m", ""),
        Said(1, "", "potnet: \u202ex\n"),
    ],
)
def test_what_no_command_may_say(said: Said) -> None:
    with pytest.raises(AssertionError):
        hold(said, ["list"])

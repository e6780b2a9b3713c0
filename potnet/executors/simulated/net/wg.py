"""The command wg(8)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net import wireguard
from potnet.executors.simulated.net.wireguard import Link, Peer
from potnet.executors.simulated.world.curve25519 import decoded, public_key
from potnet.executors.simulated.world.entities import Interface
from potnet.executors.simulated.world.world import ToolError, World, unknown

#: The words of a configuration file, and those of wg set.
_FILE = {
    "listenport": "listen-port",
    "privatekey": "private-key",
    "publickey": "peer",
    "presharedkey": "preshared-key",
    "allowedips": "allowed-ips",
    "endpoint": "endpoint",
    "persistentkeepalive": "persistent-keepalive",
}


def wg(world: World, argv: list[str], given: str) -> CommandResult:
    """wg show … | showconf NAME | set NAME … | setconf|syncconf NAME /dev/stdin | genkey|genpsk|pubkey."""
    match argv[1:]:
        case ["show"]:
            blocks = [_pretty(world, each) for each in wireguard.links(world)]
            return CommandResult(0, "\n".join(blocks))
        case ["show", "interfaces"]:
            return CommandResult(0, " ".join(each.name for each in wireguard.links(world)) + "\n")
        case ["show", "all", what] if what in _LISTED:
            found = [(each.name, wireguard.link(world, each)) for each in wireguard.links(world)]
            rows = [f"{name}\t{line}\n" for name, link in found for line in _LISTED[what](link)]
            return CommandResult(0, "".join(rows))
        case ["show", name]:
            return CommandResult(0, _pretty(world, _need(world, name, "access")))
        case ["show", name, what] if what in _LISTED:
            lines = _LISTED[what](wireguard.link(world, _need(world, name, "access")))
            return CommandResult(0, "".join(f"{line}\n" for line in lines))
        case ["showconf", name]:
            return CommandResult(0, _configuration(wireguard.link(world, _need(world, name, "access"))))
        case ["set", name, *words] if words:
            return _set(world, name, words, given)
        case ["setconf" | "syncconf" as word, name, "/dev/stdin"]:
            return _configure(world, name, given, word == "setconf")
        case ["genkey" | "genpsk"]:
            return CommandResult(0, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        case ["pubkey"]:
            if decoded(given.strip()) is None:
                raise ToolError("wg: Key is not the correct length or format")
            return CommandResult(0, public_key(given.strip()) + "\n")
    raise unknown(" ".join(argv))


def _need(world: World, name: str, what: str) -> Interface:
    found = world.interface(name)
    if found is None or found.kind != "wg":
        raise ToolError(f"Unable to {what} interface: Device not configured")
    return found


# Changes


def _set(world: World, name: str, words: list[str], given: str) -> CommandResult:
    world.state.changing()
    pairs: list[tuple[str, str]] = []
    while words:
        word = words.pop(0)
        if word != "remove" and not words:
            raise unknown(f"wg set that ends with {word}")
        value = "" if word == "remove" else words.pop(0)
        file = {"/dev/stdin": given, "/dev/null": ""}
        if word in ("private-key", "preshared-key"):
            if value not in file:
                raise unknown(f"wg set {word} {value}")
            value = file[value].strip()
            if value and decoded(value) is None:
                raise ToolError("Invalid length key in key file")
        pairs.append((word, value))
    _check(pairs)
    interface = _need(world, name, "modify")
    link = wireguard.link(world, interface)
    _carry_out(link, pairs)
    wireguard.save(world, interface, link)
    return CommandResult()


def _configure(world: World, name: str, given: str, anew: bool) -> CommandResult:
    """Set what a file has; other peers go, and with setconf so does all that was known of these."""
    world.state.changing()
    lines = [line.partition("#")[0].strip() for line in given.splitlines()]
    split = [line.partition("=") for line in lines if line and not line.startswith("[")]
    named = [(key.strip().lower(), value.strip().replace(" ", "")) for key, _, value in split]
    if any(key not in _FILE for key, _ in named):
        raise unknown("a line of that configuration of wg(8)")
    pairs = [(_FILE[key], value) for key, value in named]
    _check(pairs)
    interface = _need(world, name, "modify")
    link = wireguard.link(world, interface)
    kept = {value for word, value in pairs if word == "peer"}
    link.peers = [] if anew else [each for each in link.peers if each.key in kept]
    _carry_out(link, pairs)
    wireguard.save(world, interface, link)
    return CommandResult()


def _check(pairs: list[tuple[str, str]]) -> None:
    for word, value in pairs:
        if word == "peer" and decoded(value) is None:
            raise ToolError(f"Key is not the correct length or format: `{value}'")
        if word == "allowed-ips":
            _check_networks(value)
        if word == "endpoint":
            _check_endpoint(value)
        numbers = word in ("listen-port", "persistent-keepalive")
        if numbers and not value.isdigit() and value != "off":
            raise unknown(f"wg set {word} {value}")


def _check_networks(text: str) -> None:
    for each in filter(None, text.split(",")):
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise ToolError(f"Unable to parse IP address: `{each.partition('/')[0]}'") from None


def _check_endpoint(text: str) -> None:
    try:
        ip_address(text.rpartition(":")[0].strip("[]"))
    except ValueError:
        raise ToolError(f"Name does not resolve: `{text}'") from None


def _carry_out(link: Link, pairs: list[tuple[str, str]]) -> None:
    peer = Peer("")
    for word, value in pairs:
        if word == "private-key":
            link.private = value
        elif word == "listen-port":
            link.port = int(value)
        elif word == "peer":
            known = link.peer(value)
            peer = known or Peer(value)
            link.peers += [] if known else [peer]
        elif word == "remove":
            link.peers.remove(peer)
        elif word == "preshared-key":
            peer.shared = value
        elif word == "endpoint":
            peer.endpoint = value
        elif word == "allowed-ips":
            _allow(link, peer, [str(ip_network(each, strict=False)) for each in value.split(",") if each])
        elif word == "persistent-keepalive":
            peer.keepalive = 0 if value == "off" else int(value)
        else:
            raise unknown(f"wg set {word}")


def _allow(link: Link, peer: Peer, networks: list[str]) -> None:
    """Give a peer these networks alone; no other peer has them then."""
    for each in link.peers:
        each.allowed = [network for network in each.allowed if network not in networks]
    peer.allowed = networks[::-1]


# Lists


def _interface_line(link: Link) -> str:
    public = public_key(link.private) if link.private else "(none)"
    return f"{link.private or '(none)'}\t{public}\t{link.port}\toff"


def _peer_line(peer: Peer) -> str:
    columns = [
        peer.key,
        peer.shared or "(none)",
        peer.endpoint or "(none)",
        ",".join(peer.allowed) or "(none)",
        *map(str, (peer.handshake, peer.received, peer.sent)),
        str(peer.keepalive or "off"),
    ]
    return "\t".join(columns)


_LISTED: dict[str, Callable[[Link], list[str]]] = {
    "dump": lambda link: [_interface_line(link), *map(_peer_line, link.peers)],
    "peers": lambda link: [each.key for each in link.peers],
    "endpoints": lambda link: [f"{each.key}\t{each.endpoint or '(none)'}" for each in link.peers],
    "allowed-ips": lambda link: [f"{p.key}\t{' '.join(p.allowed) or '(none)'}" for p in link.peers],
    "latest-handshakes": lambda link: [f"{each.key}\t{each.handshake}" for each in link.peers],
    "transfer": lambda link: [f"{each.key}\t{each.received}\t{each.sent}" for each in link.peers],
}


def _pretty(world: World, interface: Interface) -> str:
    link = wireguard.link(world, interface)
    lines = [f"interface: {interface.name}"]
    if link.private:
        lines += [f"  public key: {public_key(link.private)}", "  private key: (hidden)"]
    lines += [f"  listening port: {link.port}"] if link.port else []
    for peer in link.peers:
        if peer.handshake:
            raise unknown("wg show with the age of a handshake: ask for dump")
        lines += ["", f"peer: {peer.key}"]
        lines += ["  preshared key: (hidden)"] if peer.shared else []
        lines += [f"  endpoint: {peer.endpoint}"] if peer.endpoint else []
        lines.append(f"  allowed ips: {', '.join(peer.allowed) or '(none)'}")
        lines += [f"  persistent keepalive: every {peer.keepalive} seconds"] if peer.keepalive else []
    return "\n".join(lines) + "\n"


def _configuration(link: Link) -> str:
    lines = ["[Interface]"]
    lines += [f"ListenPort = {link.port}"] if link.port else []
    lines += [f"PrivateKey = {link.private}"] if link.private else []
    for peer in link.peers:
        lines += ["", "[Peer]", f"PublicKey = {peer.key}"]
        lines += [f"PresharedKey = {peer.shared}"] if peer.shared else []
        lines += [f"AllowedIPs = {', '.join(peer.allowed)}"] if peer.allowed else []
        lines += [f"Endpoint = {peer.endpoint}"] if peer.endpoint else []
        lines += [f"PersistentKeepalive = {peer.keepalive}"] if peer.keepalive else []
    return "\n".join(lines) + "\n"

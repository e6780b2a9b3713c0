"""The host's other tools: sysctl, sysrc, sockstat, mount, kldload, service and the like."""

from __future__ import annotations

from itertools import pairwise

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin, tap_behind
from potnet.executors.simulated.pf import load
from potnet.executors.simulated.system import devfs
from potnet.executors.simulated.system.rc_conf import content, rc_files, rc_values, sysrc
from potnet.executors.simulated.system.seed import RC_DEFAULTS
from potnet.executors.simulated.world import jail_parameters as parameters
from potnet.executors.simulated.world import modules
from potnet.executors.simulated.world.entities import HOST
from potnet.executors.simulated.world.libxo import libxo
from potnet.executors.simulated.world.world import ToolError, View, World, unknown

#: The variables whose names are the parameters of jails (jail(8)).
_JAIL_PARAMETERS = "security.jail.param"
_READ_ONLY = ("kern.osreldate", "kern.osrelease", "kern.features.", "security.jail.jailed")


def sysctl(world: World, argv: list[str], view: View) -> CommandResult:
    """sysctl [-n] NAME … | [-q] NAME=VALUE … | -d security.jail.param."""
    args, names_off = argv[1:], False
    if args == ["-d", _JAIL_PARAMETERS]:
        # The real descriptions were not seen.
        return CommandResult(0, "".join(f"{_JAIL_PARAMETERS}.{name}: \n" for name in parameters.of_kernel()))
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option not in ("-n", "-q"):
            raise unknown(f"the sysctl option {option}")
        names_off = names_off or option == "-n"
    out, err = "", ""
    for word in args:
        name, equals, value = word.partition("=")
        # A jail sees the host's values of other variables, and of all variables if it lacks a stack.
        stack = view.vnet if name.startswith("net.") or name == "security.jail.jailed" else HOST
        old = world.sysctl(name, stack) if modules.has_variable(world.state, name) else None
        if old is None:
            err += f"sysctl: unknown oid '{name}'\n"
        elif not equals:
            out += f"{old}\n" if names_off else f"{name}: {old}\n"
        elif name.startswith(_READ_ONLY):
            err += f"sysctl: oid '{name}' is read only\n"
        else:
            world.set_sysctl(name, value, stack)
            out += f"{old} -> {value}\n" if names_off else f"{name}: {old} -> {value}\n"
    return CommandResult(1 if err else 0, out, err)


def sockstat(world: World, argv: list[str], view: View) -> CommandResult:
    """sockstat [-46lLq]: the sockets of one stack, which are all listening."""
    flags = "".join(word.removeprefix("-") for word in argv[1:])
    if not all(word.startswith("-") for word in argv[1:]) or set(flags) - set("46lLq"):
        raise unknown(f"sockstat {' '.join(argv[1:])}")
    families = [family for family in "46" if family in flags] or ["4", "6"]
    out = ""
    if "q" not in flags:
        out = _socket("USER", "COMMAND", "PID", "FD", "PROTO", "LOCAL ADDRESS", "FOREIGN ADDRESS")
    for _, row in world.state.scan("listen", f"{view.vnet}/"):
        if not any(family in row["protocol"] for family in families):
            continue
        local = f"{row['address']}:{row['port']}"
        # The kernel's own sockets have no process.
        owner = ("root", row["command"], "1000", "3") if row["command"] else (world.release.owner,) * 4
        out += _socket(*owner, row["protocol"], local, "*:*")
    return CommandResult(0, out)


def _socket(*columns: str) -> str:
    widths = (8, 10, 5, 3, 6, 21, 21)
    return " ".join(f"{text:<{width}}" for text, width in zip(columns, widths, strict=True)) + "\n"


def mount(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """mount [-p] | mount --libxo json | mount -t devfs devfs POINT | mount -t nullfs DIR POINT."""
    mounted = [(world.facts.root_device, "/", "ufs"), ("devfs", "/dev", "devfs")]
    mounted += world.mounted()
    match argv[1:]:
        case []:
            notes = {"ufs": "ufs, local", "nullfs": "nullfs, local", "zfs": "zfs, local, nfsv4acls"}
            lines = [f"{what} on {where} ({notes.get(kind, kind)})\n" for what, where, kind in mounted]
        case ["--libxo", "json"]:
            lines = [f'{{"mount": {{"mounted": [{", ".join(_mounted(*each) for each in mounted)}]}}}}\n']
        case ["-p"]:
            lines = [
                _padded(what) + _padded(where) + f"{kind}\trw\t\t{'1 1' if where == '/' else '0 0'}\n"
                for what, where, kind in mounted
            ]
        case ["-t", ("devfs" | "nullfs") as kind, source, point]:
            for each in (source, point) if kind == "nullfs" else (point,):
                if not world.tree.is_dir(each):
                    raise ToolError(f"mount: {each}: No such file or directory")
            world.mount(point, source)
            lines = []
        case rest:
            raise unknown(f"mount {' '.join(rest)}")
    return CommandResult(0, "".join(lines))


def _mounted(what: str, where: str, kind: str) -> str:
    """Format a mount; without a locale, libxo(3) reads both texts as Latin-1 (%hs in prmount)."""
    texts = (text.encode("utf-8", "surrogateescape").decode("latin-1") for text in (what, where))
    special, node = map(libxo, texts)
    notes = {"ufs": ', "opts": ["local"]', "zfs": ', "opts": ["local","nfsv4acls"]'}
    options = notes.get(kind, "")
    return f'{{"special":{special},"node":{node},"fstype":"{kind}"{options}}}'


def _padded(field: str) -> str:
    return field + ("\t" * (3 - len(field) // 8) if len(field) < 24 else " ")


def umount(world: World, argv: list[str], _: Stdin) -> CommandResult:
    world.state.changing()
    if len(argv) != 2 or argv[1].startswith("-"):
        raise unknown(f"umount {' '.join(argv[1:])}")
    point = argv[1]
    if not world.unmount(point):
        if world.tree.stat(point) is None:
            missing = f"umount: {point}: statfs: No such file or directory"
            raise ToolError(f"{missing}\numount: {point}: unknown file system")
        raise ToolError(f"umount: {point}: not a file system root directory")
    return CommandResult()


def service(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """service pf start|reload, as /etc/rc.d/pf does it, and service devfs restart."""
    world.state.changing()
    match argv[1:]:
        case ["devfs", "restart"]:
            return devfs.restart(world)
        case ["pf", ("start" | "reload") as verb]:
            pass
        case rest:
            raise unknown(f"service {' '.join(rest)}")
    values = dict(RC_DEFAULTS)
    for each in rc_files(world, "pf"):
        values |= rc_values(content(world, each))
    if values["pf_enable"].lower() not in ("yes", "true", "on", "1"):
        hint = f"Set pf_enable to YES in /etc/rc.conf or use 'one{verb}' instead of '{verb}'."
        raise ToolError(f"Cannot '{verb}' pf. {hint}")
    path = values["pf_rules"]
    if world.tree.stat(path) is None:
        raise ToolError(f"/etc/rc.d/pf: WARNING: {path} is not readable.")
    if verb == "start":
        load.unload(world)
    words = values["pf_flags"].split()
    given = (w for flag, w in pairwise(words) if flag == "-D")
    macros = {name: value for name, _, value in (each.partition("=") for each in given)}
    load.load(world, "", load.Source(content(world, path), path, macros))
    if verb == "reload":
        return CommandResult(0, "Reloading pf rules.\n")
    status = world.state.get("pf", "status") or {}
    if not status["enabled"]:
        local = world.sysctl("net.pf.filter_local") == "1"
        changed = {"enabled": True, "since": world.now(), "used": True, "filter_local": local}
        world.state.put("pf", "status", {**status, **changed})
    return CommandResult(0, "Enabling pf.\n")


def hook(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """env NAME=VALUE … PROGRAM: a hook; the call is recorded and reported, but the program does not run."""
    world.state.changing()
    words = argv[1:]
    variables: dict[str, str] = {}
    while words and "=" in words[0]:
        name, _equals, value = words.pop(0).partition("=")
        variables[name] = value
    if len(words) != 1:
        raise unknown(f"env {' '.join(argv[1:])}")
    if world.tree.stat(words[0]) is None:
        raise ToolError(f"env: {words[0]}: No such file or directory", 127)
    number = world.state.next_number("hook")
    world.state.put("hook", f"{number:09}", {"path": words[0], "environment": variables})
    return CommandResult(0, f"simulated host: the hook {words[0]} would run here\n")


def hostname(argv: list[str], name: str) -> CommandResult:
    """hostname [-s]."""
    if argv[1:] not in ([], ["-s"]):
        raise unknown(" ".join(argv))
    return CommandResult(0, f"{name.partition('.')[0] if argv[1:] else name}\n")


def uname(argv: list[str], name: str, release: str) -> CommandResult:
    """uname [-amnprsv]: the parts in their fixed order, whatever the order of the options."""
    flags = "".join(word.removeprefix("-") for word in argv[1:]) or "s"
    if not all(word.startswith("-") for word in argv[1:]) or set(flags) - set("amnprsv"):
        raise unknown(" ".join(argv))
    values = {
        "s": "FreeBSD", "n": name, "r": release, "v": f"FreeBSD {release} GENERIC",
        "m": "amd64", "p": "amd64",
    }  # fmt: skip
    wanted = set(flags) | (set("snrvm") if "a" in flags else set())
    return CommandResult(0, " ".join(value for key, value in values.items() if key in wanted) + "\n")


#: Users of every FreeBSD, and one of this host.
USERS = {"root": 0, "daemon": 1, "operator": 2, "uucp": 66, "www": 80, "nobody": 65534, "alice": 1001}


def chown(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """chown USER /dev/tapN."""
    world.state.changing()
    match argv[1:]:
        case [user, path] if path.startswith("/dev/") and not user.startswith("-"):
            if user not in USERS:
                raise ToolError(f"chown: {user}: illegal user name")
            found = tap_behind(world, path)
            if found is None:
                raise ToolError(f"chown: {path}: No such file or directory")
            found.owner = user
            world.save(found)
            return CommandResult()
        case rest:
            raise unknown(f"chown {' '.join(rest)}")


def root_id(argv: list[str]) -> CommandResult:
    """id [-u | -g] [-n] for root, who runs all commands here, or id -u USER."""
    match argv[1:]:
        case ["-u", user]:
            if user not in USERS:
                raise ToolError(f"id: {user}: no such user")
            return CommandResult(0, f"{USERS[user]}\n")
        case []:
            return CommandResult(0, "uid=0(root) gid=0(wheel) groups=0(wheel),5(operator)\n")
        case ["-u" | "-g"]:
            return CommandResult(0, "0\n")
        case ["-un" | "-nu"]:
            return CommandResult(0, "root\n")
    raise unknown(" ".join(argv))


def getent(_: World, argv: list[str], __: Stdin) -> CommandResult:
    """getent passwd, with only names and numbers."""
    if argv[1:] != ["passwd"]:
        raise unknown(" ".join(argv))
    return CommandResult(0, "".join(f"{name}:*:{uid}:{uid}::/:/bin/sh\n" for name, uid in USERS.items()))


def _plain(world: World, argv: list[str], _: Stdin) -> CommandResult:
    match argv:
        case ["hostname", *_]:
            return hostname(argv, world.sysctl("kern.hostname") or "")
        case ["id", *_]:
            return root_id(argv)
        case ["uname", *_]:
            return uname(argv, world.sysctl("kern.hostname") or "", world.facts.release)
        case ["freebsd-version"]:
            return CommandResult(0, f"{world.facts.release}\n")
        case ["sleep", seconds] if seconds.replace(".", "", 1).isdigit():
            world.state.look()
            world.wait(float(seconds))
            return CommandResult()
        case ["true"]:
            return CommandResult()
        case ["false"]:
            return CommandResult(1)
    raise unknown(" ".join(argv))


TOOLS: dict[str, FileTool] = {
    "sysrc": sysrc, "mount": mount, "umount": umount, "service": service, "env": hook, "hostname": _plain,
    "id": _plain, "uname": _plain, "chown": chown, "getent": getent, "freebsd-version": _plain,
    "sleep": _plain, "true": _plain, "false": _plain,
}  # fmt: skip

"""sysrc(8), and the files of rc.conf(5), in the order of rc(8)."""

from __future__ import annotations

import getopt
import re

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import Stdin, why
from potnet.executors.simulated.system.seed import RC_DEFAULTS
from potnet.executors.simulated.world.world import ToolError, World, unknown


def rc_values(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)\s*(?:#.*)?", line)
        if match:
            found[match[1]] = match[2].strip("\"'")
    return found


def sysrc(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """sysrc [-f FILE | -s SERVICE] -n NAME … | -F NAME | -l | [-c] NAME=VALUE."""
    try:
        options, args = getopt.getopt(argv[1:], "f:s:ncFl")
    except getopt.GetoptError as error:
        raise unknown(f"the sysrc option: {error}") from None
    given = dict(options)
    path, service, flags = given.pop("-f", "/etc/rc.conf"), given.pop("-s", ""), {*given}
    if flags == {"-l"} and not args:
        return CommandResult(0, f"{' '.join(rc_files(world, service))}\n")
    if len(args) > 1 and flags == {"-n"} and not any("=" in name for name in args):
        return _several(world, argv[1 : len(argv) - len(args)], args)
    if len(args) != 1:
        raise unknown(f"sysrc {' '.join(argv[1:])}")
    name, equals, value = args[0].partition("=")
    files = [path] if path != "/etc/rc.conf" else rc_files(world, service)
    texts = {each: content(world, each) for each in files}
    text = texts.get(path, "")
    values = dict(RC_DEFAULTS) if path == "/etc/rc.conf" else {}
    for each in texts.values():
        values |= rc_values(each)
    if "-F" in flags and not equals:
        return _where(name, texts, values)
    if equals and service:
        setting = [each for each, found in texts.items() if name in rc_values(found)]
        path = setting[-1] if setting else path
        text = texts[path]
    if not equals:
        if name not in values:
            raise ToolError(f"sysrc: unknown variable '{name}'")
        return CommandResult(0, f"{values[name]}\n" if "-n" in flags else f"{name}: {values[name]}\n")
    if "-c" in flags:
        return CommandResult(0 if values.get(name) == value else 1)
    world.state.changing()
    _set_variable(world, path, text, name, value)
    new = value if "-n" in flags else f"{name}: {values.get(name, '')} -> {value}"
    return CommandResult(0, f"{new}\n")


def _several(world: World, options: list[str], names: list[str]) -> CommandResult:
    out, err = "", ""
    for name in names:
        try:
            out += sysrc(world, ["sysrc", *options, name], None).out
        except ToolError as failure:
            err += failure.result.err
    return CommandResult(1 if err else 0, out, err)


def rc_files(world: World, service: str) -> list[str]:
    """Return the files that rc(8) reads for a service; the last file that sets a variable wins."""
    found = ["/etc/rc.conf", "/etc/rc.conf.local"]
    for folder in ("/etc/rc.conf.d", "/usr/local/etc/rc.conf.d") if service else ():
        path = f"{folder}/{service}"
        folder_itself = world.tree.is_dir(path)
        inside = sorted(each.name for each in world.tree.resolve(path).iterdir()) if folder_itself else ()
        found += [f"{path}/{name}" for name in inside] if folder_itself else [path]
    return found


def _where(name: str, texts: dict[str, str], values: dict[str, str]) -> CommandResult:
    """sysrc -F: print the file that sets a variable."""
    if name not in values:
        raise ToolError(f"sysrc: unknown variable '{name}'")
    setting = [path for path, text in texts.items() if name in rc_values(text)]
    return CommandResult(0, f"{name}: {setting[-1] if setting else '/etc/defaults/rc.conf'}\n")


def content(world: World, path: str) -> str:
    if world.tree.stat(path) is None:
        return ""
    return world.tree.read(path).decode("utf-8", "surrogateescape")


def _set_variable(world: World, path: str, text: str, name: str, value: str) -> None:
    lines, done = [], False
    for line in text.splitlines():
        if re.match(rf"\s*{re.escape(name)}=", line):
            line, done = f'{name}="{value}"', True
        lines.append(line)
    if not done:
        lines.append(f'{name}="{value}"')
    try:
        world.tree.write(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise ToolError(f"sysrc: {path}: {why(error)}") from None

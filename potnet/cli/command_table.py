"""The commands of potnet in their groups, and the words of other tools for them."""

from __future__ import annotations

#: The groups of `potnet --help`: each command with its module and its function there.
GROUPS: dict[str, dict[str, str]] = {
    "Pots": {
        "create": "create:create",
        "destroy": "destroy:destroy",
        "start": "start:start",
        "stop": "start:stop",
        "restart": "start:restart",
        "run": "run_exec:run",
        "exec": "run_exec:execute",
        "logs": "logs:logs",
        "set": "settings:set_options",
        "set-hook": "settings:set_hook",
        "clone": "clone:clone",
        "rename": "rename:rename",
        "copy-in": "settings:copy_in",
    },
    "Networks": {
        "create-private-bridge": "bridges:create_private_bridge",
        "create-bridge": "lan:create_bridge",
        "vnet-start": "vnet:vnet_start",
        "vnet-stop": "vnet:vnet_stop",
        "dns": "dns:dns",
        "dhcp": "dhcp:dhcp",
    },
    "Exports and policy": {
        "export-ports": "export:export_ports",
        "ports": "ports:ports",
        "policy": "policy:policy",
        "serve": "serve:serve",
    },
    "Inspect": {
        "list": "listing:listing",
        "info": "info:info",
        "show": "show:show",
        "graph": "graph:graph",
        "metrics": "metrics:metrics",
        "config": "configuration:config",
        "help": "manual:help_",
    },
    "Host": {
        "init": "init:init",
        "doctor": "doctor:doctor",
        "check": "check:check",
        "repair": "check:repair",
        "store": "store:store",
        "rootless": "rootless:rootless",
        "jail-conf": "attach:jail_conf",
        "attach": "attach:attach",
        "detach": "attach:detach",
    },
    "Import from pot, and the calls of pot's helper": {
        "import": "importing:import_",
        "next": "helper:next_",
        "validate": "helper:validate",
        "new-net": "helper:new_net",
        "ip4check": "helper:ip4check",
        "ip6check": "helper:ip6check",
        "ipcheck": "helper:ipcheck",
        "config-check": "helper:config_check",
        "etc-hosts": "helper:etc_hosts",
    },
}

#: Commands that have no manual page of their own, each with the page that describes it.
PAGES_OF = dict.fromkeys(
    ("next", "validate", "new-net", "ip4check", "ip6check", "ipcheck", "config-check", "etc-hosts"), "helper"
)

#: Every command with its place, in the order of the groups.
COMMANDS: dict[str, str] = {name: place for group in GROUPS.values() for name, place in group.items()}

#: Words of other tools, each with the command of potnet that does the same.
OTHER_WORDS = {
    "add": "create",
    "connect": "set",
    "console": "run",
    "cp": "copy-in",
    "delete": "destroy",
    "disable": "set --no-boot",
    "disconnect": "set",
    "down": "stop",
    "enable": "set --boot",
    "enter": "run",
    "expose": "export-ports",
    "inspect": "info",
    "jls": "list",
    "kill": "stop",
    "log": "logs",
    "login": "run",
    "ls": "list",
    "mv": "rename",
    "network": "create-private-bridge",
    "port": "export-ports",
    "ps": "list",
    "publish": "export-ports",
    "rdr": "export-ports",
    "remove": "destroy",
    "rm": "destroy",
    "shell": "run",
    "status": "list",
    "top": "metrics",
    "unset": "set",
    "up": "start",
    "update": "set",
    "version": "--version",
}

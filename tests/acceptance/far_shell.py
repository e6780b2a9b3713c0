"""Hand a command line to the far side of a rehearsal: ``far_shell.py SOCKET ROLE WORD…``."""

import json
import socket
import sys

path, role, *words = sys.argv[1:]
stdin = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
with socket.socket(socket.AF_UNIX) as far:
    far.connect(path)
    far.sendall(json.dumps([role, words, stdin]).encode())
    far.shutdown(socket.SHUT_WR)
    with far.makefile() as answers:
        code, out, err = json.load(answers)
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)

"""Asks a server of tests/forks.py to run a program: ``fork_client.py SOCKET WORD…``, words as for Python.

It starts in an eighth of the time of potnet, since it imports only what is built in.
"""

import _signal
import _socket
import marshal
import os
import sys

_HERE = (os.getcwd(), os.umask(0))  # noqa: PTH109
os.umask(_HERE[1])
_asked = marshal.dumps((sys.argv[2:], dict(os.environ), *_HERE))

_server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
_server.connect(sys.argv[1])
_files = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
_server.sendmsg([len(_asked).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _files)])
while _asked:
    _asked = _asked[_server.send(_asked) :]

_answer = _server.recv(4096)
_ended = int(_answer) if _answer else None
if _ended is None:
    sys.exit(f"{sys.argv[0]}: the server has not run it; its standard error says why")
if _ended < 0:
    if -_ended not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(-_ended, _signal.SIG_DFL)
    os.kill(os.getpid(), -_ended)
os._exit(_ended)

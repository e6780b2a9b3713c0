"""`potnet serve`."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from potnet.cli.known_names import one_pot
from potnet.cli.options import Command, FilePath, Options, changing, reading
from potnet.cli.terminal import say
from potnet.errors import PotnetError, UsageError
from potnet.runtime.trust import check_trusted

if TYPE_CHECKING:
    from potnet.operations.exports.serve import Numbers
    from potnet.rootless.ports.hostfwd import Request


@click.command(cls=Command, examples=("potnet serve --socket /var/run/potnet.sock -p web",))
@click.option(
    "--socket", "path", type=FilePath(), metavar="PATH", required=True,
    help="Path of the socket.",
)  # fmt: skip
@one_pot("Pot for requests without an address; default: the only pot.")
@click.pass_obj
def serve(options: Options, path: Path, pot: str | None) -> None:
    """Accept exports on an API socket as of slirp4netns.

    add_hostfwd, list_hostfwd and remove_hostfwd do the work of export-ports --add, show and
    export-ports --remove. Only the user who runs serve can connect. A signal ends it.
    """
    from potnet.operations.common import require_pot
    from potnet.operations.exports.serve import Numbers
    from potnet.rootless.ports.hostfwd import LONGEST, is_whole
    from potnet.runtime.clients import Clients

    if options.dry_run:
        raise UsageError(
            "serve has no dry run", hint="`potnet export-ports -n --add` shows what a request does"
        )
    with changing(options) as app:
        if pot is not None:
            require_pot(app, pot)
        rootless = app.rootless is not None
    # Other commands end before the collector is worth its time.
    gc.enable()
    numbers = Numbers()

    def here(request: Request) -> bytes:
        return _reply(options, numbers, request, pot)

    def apart(request: Request) -> bytes:
        return _apart(here, request, numbers)

    with _listening(path) as listener:
        if not options.quiet:
            say(f"listening on {path}", err=True)
        carry_out = apart if rootless else here
        Clients(listener, is_whole, LONGEST, lambda text: _answer(text, carry_out)).serve()


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A socket that only its user can connect to. A stale socket is replaced."""
    # In a directory of others, another file could take the place of the socket.
    check_trusted(path.absolute().parent)
    with socket.socket(socket.AF_UNIX) as listener:
        _clear(path)
        # Nobody can connect before the mode is set: unix(4) checks it at each connect.
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise PotnetError(f"cannot listen on {path}: {error.strerror or error}") from error
        finally:
            os.umask(mask)
        made = path.lstat()
        try:
            listener.listen()
            yield listener
        finally:
            # Another process may have replaced the socket meanwhile.
            if path.exists() and os.path.samestat(path.lstat(), made):
                path.unlink()


def _clear(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise PotnetError(f"cannot listen on {path}: {error.strerror or error}") from error
    raise PotnetError(f"{path} is in use by another process", hint="choose another path")


def _answer(text: bytes, reply: Callable[[Request], bytes]) -> bytes:
    """The answer to one request."""
    from potnet.rootless.ports.hostfwd import BadRequestError, parse, refused

    try:
        request = parse(text)
    except BadRequestError as error:
        return refused(error)
    return reply(request)


def _reply(options: Options, numbers: Numbers, request: Request, name: str | None) -> bytes:
    """Carry a request out. An error is reported here and, in the words of the protocol, to the client."""
    from potnet.operations.exports.serve import answer, failure
    from potnet.rootless.ports.hostfwd import BadRequestError, List, refused

    listed = isinstance(request, List)
    opened = reading(options) if listed else changing(options, request=_words(request))
    try:
        with opened as app:
            return answer(app, numbers, request, name)
    except BadRequestError as error:
        return refused(error)
    except PotnetError as error:
        say(f"potnet: {error.message}", err=True)
        return failure(request)


def _words(request: Request) -> str:
    """A request as the log of commands shows it."""
    from potnet.rootless.ports.hostfwd import Add, Remove

    match request:
        case Add():
            return f"add_hostfwd {request.protocol}:{request.host_address}:{request.host_port}"
        case Remove():
            return f"remove_hostfwd {request.id}"
    return "list_hostfwd"


def _apart(reply: Callable[[Request], bytes], request: Request, numbers: Numbers) -> bytes:
    """Carry a request out in a process of its own, since a process cannot leave a rootless host."""
    import pickle

    from potnet.operations.exports.serve import failure

    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = pickle.dumps((reply(request), numbers))
            with open(into, "wb") as pipe:  # noqa: PTH123
                pipe.write(said)
        finally:
            os._exit(0)
    os.close(into)
    with open(out, "rb") as pipe:  # noqa: PTH123
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        return failure(request)
    answer, known = pickle.loads(said)
    numbers.become(known)
    return bytes(answer)

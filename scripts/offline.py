"""Runs a command that can reach nothing but this machine: `python scripts/offline.py COMMAND...`.

On Linux, in a network of its own which has only the loopback device. Where the system does not
allow that, the reason is printed, and the command runs as it is.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h
_READ_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h


def leave() -> None:
    """Move this process to a network of its own; its user and files stay what they are.

    Raises OSError where the system does not allow it.
    """
    if sys.platform != "linux":
        raise OSError("only Linux has networks of a process's own")
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    # What root may do without further ado, others may as the owners of a space of users.
    if library.unshare(_NEW_NETWORK) != 0:
        if library.unshare(_NEW_USER | _NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket() as any_socket:
        asked = fcntl.ioctl(any_socket, _READ_FLAGS, struct.pack("16sH22x", b"lo", 0))
        (flags,) = struct.unpack_from("H", asked, 16)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH22x", b"lo", flags | _UP))


if __name__ == "__main__":
    try:
        leave()
    except OSError as error:
        print(f"The network is not shut off: {error}", file=sys.stderr)
    os.execvp(sys.argv[1], sys.argv[1:])

"""Requests, each of its own, to servers on this machine: no cookie is kept, and no certificates are
read, which takes longer than most answers."""

from functools import partial

import httpx2

get, post, put, options, stream = (
    partial(asked, verify=False)
    for asked in (httpx2.get, httpx2.post, httpx2.put, httpx2.options, httpx2.stream)
)

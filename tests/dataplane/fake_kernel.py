"""A kernel's tables of SAs and policies behind a socket, which refuses, mumbles and loses as a test says."""

import errno
import itertools
from collections import deque

from ikegw.dataplane import netlink
from ikegw.dataplane.xfrm import encoding
from ikegw.dataplane.xfrm.device import Device
from ikegw.dataplane.xfrm.requests import Requests


class FakeReactor:
    """Readers are called by hand."""

    def __init__(self):
        self.readers = []

    def addReader(self, reader):
        self.readers.append(reader)

    def removeReader(self, reader):
        self.readers.remove(reader)


class FakeKernel:
    """`refuse` maps the number of a request (from 1, since it was set) to an errno; `datagrams` is what waits to be read."""

    def __init__(self):
        self.states = {}
        self.policies = {}
        self.datagrams = deque()
        self.refuse = {}
        self.asked = itertools.count(1)
        self.silent = False
        self.sends = 0

    # ---- a socket's

    def fileno(self):
        return 77

    def setsockopt(self, *_):
        pass

    def close(self):
        pass

    def send(self, octets):
        self.sends += 1
        for request in netlink.messages(octets):
            if self.silent:
                continue
            number = self.refuse.get(next(self.asked), 0) or self._do(request)
            if number is not None:
                self.answer(netlink.ERROR, request.sequence, (-number).to_bytes(4, "little", signed=True))

    def recvmsg(self, _size):
        if not self.datagrams:
            raise BlockingIOError
        waiting = self.datagrams.popleft()
        if isinstance(waiting, OSError):
            raise waiting
        octets, flags, sender = waiting
        return octets, [], flags, (sender, 0)

    # ---- a test's

    def refusing(self, number, error):
        """Refuse the request of this number, from now on."""
        self.asked, self.refuse = itertools.count(1), {number: error}

    def answer(self, kind, sequence, body, flags=0, sender=0):
        self.datagrams.append((netlink.pack(kind, 0, sequence, body), flags, sender))

    @property
    def is_empty(self):
        return not self.states and not self.policies

    # ---- what the kernel does

    def _do(self, request):
        kind, body = request.kind, request.body
        if kind in (encoding.NEWSA, encoding.UPDSA):
            key = (body[56:72], body[72:76])
            if (key in self.states) == (kind == encoding.NEWSA):
                return errno.EEXIST if kind == encoding.NEWSA else errno.ESRCH
            self.states[key] = body
            return 0
        if kind in (encoding.GETSA, encoding.DELSA):
            return self._state(request, (body[:16], body[16:20]))
        if kind == encoding.GETPOLICY:
            return errno.ENOENT
        if_id = dict(netlink.attributes(body[encoding.POLICY_INFO.size :])).get(encoding.IF_ID)
        if kind == encoding.DELPOLICY:
            if_id = dict(netlink.attributes(body[encoding.POLICY_ID.size :])).get(encoding.IF_ID)
            return 0 if self.policies.pop((body[60], body[:56], if_id), None) else errno.ENOENT
        self.policies[body[160], body[:56], if_id] = body
        return 0

    def _state(self, request, key):
        if request.flags & netlink.DUMP == netlink.DUMP:
            for body in self.states.values():
                self.answer(encoding.NEWSA, request.sequence, body)
            self.answer(netlink.DONE, request.sequence, bytes(4))
            return None
        if key not in self.states:
            return errno.ESRCH
        if request.kind == encoding.DELSA:
            del self.states[key]
            return 0
        self.answer(encoding.NEWSA, request.sequence, self.states[key])
        return None


class FakeFoundation:
    """`Foundation` upon a fake kernel; `led` is what is led into the device at present."""

    def __init__(self, kernel):
        self.kernel, self.notes, self.led = kernel, [], []
        self.device = Device("ikegw0", 5)
        self.refuse_lead = None

    def __call__(self, *_):
        return self

    def open(self, heard, overrun, _changed):
        self.heard, self.overrun = heard, overrun
        self.requests = Requests(FakeReactor(), self.kernel)

    def clean(self):
        return self.requests.ask([])

    def lead(self, name, local, remote, virtual=()):
        if self.refuse_lead is not None:
            raise self.refuse_lead
        self.led.append(name)
        return name

    def unlead(self, lead):
        if lead is not None:
            self.led.remove(lead)

    def index_of(self, _address):
        return 3

    def close(self):
        self.requests.close()

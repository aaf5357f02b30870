"""The DHCP client of the gateway: Figure 9. One machine for each leased address.

Neither a plain client nor a plain relay: a client in that it obtains the address and keeps the lease's times, a relay in that the
server is told who the real client is. The words are DHCPv4's; for DHCPv6 (RFC 8415) DISCOVER is Solicit, OFFER is Advertise, ACK
is Reply, NAK is a Reply whose status refuses.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def discover(self) -> None:
        """Begin a transaction, send DHCPDISCOVER, and start TIMEOUT1."""

    def request(self) -> None:
        """Send DHCPREQUEST for what was offered, and start TIMEOUT1."""

    def ask_renewal(self) -> None:
        """Begin another transaction, send DHCPREQUEST with ciaddr, and start TIMEOUT1."""

    def send_again(self) -> None:
        """Send the last message once more and start a longer TIMEOUT1."""

    def bound(self) -> None:
        """Record the lease and its times; tell CFG_DONE."""

    def failed(self) -> None:
        """Tell CFG_FAILED, and that the lease ended in error; nothing is waited for any more."""

    def release(self) -> None:
        """Send DHCPRELEASE, once."""

    def stay_deaf(self) -> None:
        """Wait one TIMEOUT1 for an answer that nobody wants."""

    def release_unwanted(self) -> None:
        """Send DHCPRELEASE for what just came."""

    def ended(self) -> None:
        """Tell that the lease ended in order; nothing is waited for any more."""

    def discard(self) -> None:
        """Count a message that means nothing in this state."""


class Lease(Protocol):
    """The inputs. Messages that break the protocol, or come from where they must not, never become inputs (row H-19)."""

    def begin(self) -> None:
        """A client wants an address."""

    def offered(self) -> None:
        """DHCPOFFER with a server identifier and a usable address."""

    def acknowledged(self) -> None:
        """DHCPACK from the chosen server, of the same address, with a lease time."""

    def refused(self) -> None:
        """DHCPNAK from the chosen server, or its DHCPACK of another address than the one to renew."""

    def timeout1(self) -> None:
        """No answer within TIMEOUT1, and there are tries left; when renewing, the lease is not over either."""

    def timeout2(self) -> None:
        """TIMEOUT1 happened the set number of times, or the lease ran out."""

    def renewal_due(self) -> None:
        """T1 of a lease that has an end: MSG_IKE_LEASE_RENEW of the IKE SA."""

    def client_gone(self) -> None:
        """The last IKE SA that had the lease, or waited for it, is gone."""


builder = TypeMachineBuilder(Lease, Driver)

INIT = builder.state("INIT")
SELECTING = builder.state("SELECTING")
REQUESTING = builder.state("REQUESTING")
BOUND = builder.state("BOUND")
RENEWING = builder.state("RENEWING")
FINISHED = builder.state("FINISHED")
ERROR = builder.state("ERROR")

# ---------------------------------------------------------------- obtaining


@INIT.upon(Lease.begin).to(SELECTING)
def _discover(machine: Lease, driver: Driver) -> None:
    """H-01: a new transaction, DHCPDISCOVER."""
    driver.discover()


@SELECTING.upon(Lease.timeout1).loop()
def _discover_again(machine: Lease, driver: Driver) -> None:
    """H-02: the same DHCPDISCOVER again."""
    driver.send_again()


@SELECTING.upon(Lease.timeout2).to(ERROR)
def _nobody_offers(machine: Lease, driver: Driver) -> None:
    """H-03, H-20: nobody offered anything."""
    driver.failed()


@SELECTING.upon(Lease.offered).to(REQUESTING)
def _request(machine: Lease, driver: Driver) -> None:
    """H-04: the first usable offer is taken, DHCPREQUEST to its server."""
    driver.request()


@REQUESTING.upon(Lease.offered).loop()
def _another_offer(machine: Lease, driver: Driver) -> None:
    """H-05: an offer was taken already."""
    driver.discard()


@REQUESTING.upon(Lease.acknowledged).to(BOUND)
def _bound(machine: Lease, driver: Driver) -> None:
    """H-06: the lease stands from now on."""
    driver.bound()


@REQUESTING.upon(Lease.refused).to(ERROR)
def _offer_withdrawn(machine: Lease, driver: Driver) -> None:
    """H-07, H-20: DHCPNAK, the server does not stand by its offer."""
    driver.failed()


@REQUESTING.upon(Lease.timeout1).loop()
def _request_again(machine: Lease, driver: Driver) -> None:
    """H-08: the same DHCPREQUEST again."""
    driver.send_again()


@REQUESTING.upon(Lease.timeout2).to(ERROR)
def _never_acknowledged(machine: Lease, driver: Driver) -> None:
    """H-09, H-20: the server offered and then fell silent."""
    driver.failed()


# ---------------------------------------------------------------- keeping


@BOUND.upon(Lease.renewal_due).to(RENEWING)
def _renew(machine: Lease, driver: Driver) -> None:
    """H-10: DHCPREQUEST {ciaddr} to the server that leased it."""
    driver.ask_renewal()


@RENEWING.upon(Lease.acknowledged).to(BOUND)
def _renewed(machine: Lease, driver: Driver) -> None:
    """H-11: the same address, with new times."""
    driver.bound()


@RENEWING.upon(Lease.refused).to(ERROR)
def _taken_away(machine: Lease, driver: Driver) -> None:
    """H-12, H-20: DHCPNAK, the address may no longer be used."""
    driver.failed()


@RENEWING.upon(Lease.timeout1).loop()
def _renew_again(machine: Lease, driver: Driver) -> None:
    """H-13: DHCPREQUEST again."""
    driver.send_again()


@RENEWING.upon(Lease.timeout2).to(ERROR)
def _not_renewed(machine: Lease, driver: Driver) -> None:
    """H-14, H-20: the server is silent, or the lease ran out; no REBINDING in between."""
    driver.failed()


# ---------------------------------------------------------------- the client goes


@BOUND.upon(Lease.client_gone).to(FINISHED)
def _release(machine: Lease, driver: Driver) -> None:
    """H-15, H-20: DHCPRELEASE, sent once."""
    driver.release()
    driver.ended()


@RENEWING.upon(Lease.client_gone).to(FINISHED)
def _release_while_renewing(machine: Lease, driver: Driver) -> None:
    """H-16, H-20: DHCPRELEASE; an answer to the renewal finds nobody."""
    driver.release()
    driver.ended()


@REQUESTING.upon(Lease.client_gone).to(FINISHED)
def _unwanted(machine: Lease, driver: Driver) -> None:
    """H-18: the server may be about to lease it, so it is listened to for one TIMEOUT1 more."""
    driver.stay_deaf()


@FINISHED.upon(Lease.acknowledged).loop()
def _release_unwanted(machine: Lease, driver: Driver) -> None:
    """H-18, H-20: what was leased to nobody is released."""
    driver.release_unwanted()
    driver.ended()


@FINISHED.upon(Lease.timeout1).loop()
def _nothing_came(machine: Lease, driver: Driver) -> None:
    """H-18, H-20: nothing came of it."""
    driver.ended()


def _nothing_to_release(machine: Lease, driver: Driver) -> None:
    """H-17, H-20: nothing was leased, so there is nothing to release."""
    driver.ended()


def _meaningless(machine: Lease, driver: Driver) -> None:
    """H-19: not what this state waits for; discarded."""
    driver.discard()


for _state in (INIT, SELECTING):
    _state.upon(Lease.client_gone).to(FINISHED)(_nothing_to_release)
for _state in (RENEWING, FINISHED):
    _state.upon(Lease.offered).loop()(_meaningless)
SELECTING.upon(Lease.acknowledged).loop()(_meaningless)
for _state in (SELECTING, FINISHED):
    _state.upon(Lease.refused).loop()(_meaningless)

LeaseMachine = builder.build()

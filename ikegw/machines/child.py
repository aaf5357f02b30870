"""The CHILD SA: Figure 8. One machine for each CHILD SA of an IKE SA."""

from typing import Protocol

from automat import TypeMachineBuilder


class Driver(Protocol):
    """What the machine has done. None of these raises; each answers, if it must, by an input."""

    def started(self) -> None:
        """The CHILD SA carries traffic: tell it."""

    def request_delete(self) -> None:
        """Send INFORMATIONAL {D(ESP, our inbound SPI)} when the slot is free."""

    def gone(self) -> None:
        """Take the CHILD SA out of the data plane and the IKE SA's table; tell it (row C-38)."""


class Child(Protocol):
    """The inputs."""

    def installed(self) -> None:
        """Agreed with the peer, and the data plane carries it."""

    def refused(self) -> None:
        """Not acceptable, or the data plane refused it."""

    def remove(self) -> None:
        """EXPIRE_HARD or MSG_CHILD_REMOVE."""

    def peer_deleted(self) -> None:
        """The peer's DELETE for this child."""

    def delete_answered(self) -> None:
        """The peer answered our DELETE, with or without a D of its own."""

    def ike_sa_gone(self) -> None:
        """The IKE SA reached SM_DEAD."""


builder = TypeMachineBuilder(Child, Driver)

SA_INIT = builder.state("SA_INIT")
SA_MATURE = builder.state("SA_MATURE")
SA_REMOVE = builder.state("SA_REMOVE")
SA_DEAD = builder.state("SA_DEAD")


@SA_INIT.upon(Child.installed).to(SA_MATURE)
def _installed(machine: Child, driver: Driver) -> None:
    """C-01: installed inbound, outbound, policies."""
    driver.started()


@SA_INIT.upon(Child.refused).to(SA_DEAD)
def _refused(machine: Child, driver: Driver) -> None:
    """C-08, C-12: there will be no such child."""
    driver.gone()


@SA_MATURE.upon(Child.remove).to(SA_REMOVE)
def _remove(machine: Child, driver: Driver) -> None:
    """C-32, C-33, C-34: tell the peer."""
    driver.request_delete()


@SA_REMOVE.upon(Child.remove).loop()
def _already_removing(machine: Child, driver: Driver) -> None:
    """C-34: already told."""


@SA_MATURE.upon(Child.peer_deleted).to(SA_DEAD)
def _peer_deleted(machine: Child, driver: Driver) -> None:
    """C-31: the peer's DELETE; both directions go."""
    driver.gone()


@SA_REMOVE.upon(Child.peer_deleted).to(SA_DEAD)
def _both_deleted(machine: Child, driver: Driver) -> None:
    """C-36, K-04: both closed it at once; ours ends too."""
    driver.gone()


@SA_REMOVE.upon(Child.delete_answered).to(SA_DEAD)
def _delete_answered(machine: Child, driver: Driver) -> None:
    """C-35: the peer knows."""
    driver.gone()


@SA_DEAD.upon(Child.delete_answered).loop()
def _answered_late(machine: Child, driver: Driver) -> None:
    """K-04: the answer to our DELETE, after the peer's own ended the child."""


def _ike_sa_gone(machine: Child, driver: Driver) -> None:
    """C-37: goes silently with the IKE SA."""
    driver.gone()


for _living in (SA_INIT, SA_MATURE, SA_REMOVE):
    _living.upon(Child.ike_sa_gone).to(SA_DEAD)(_ike_sa_gone)

ChildMachine = builder.build()

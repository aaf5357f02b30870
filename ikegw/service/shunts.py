"""The shunts of the configuration, laid in whichever data plane there is."""

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList

from ikegw.policy.shunts import Shunt
from ikegw.ports import DataPlane, DataPlaneError


@define(eq=False)
class Shunting:
    """Those that are laid in `plane`, which has started."""

    plane: DataPlane
    _laid: dict[str, Shunt] = field(factory=dict, init=False)

    def configure(self, wanted: Iterable[Shunt]) -> Deferred[None]:
        """Lay what is new or differs, then take away what is gone: no packet slips out between.

        DataPlaneError names each that could not be; the others are as wanted all the same.
        """
        by_name = {shunt.name: shunt for shunt in wanted}
        done = [self._lay(shunt) for shunt in by_name.values() if self._laid.get(shunt.name) != shunt]
        done += [self._lift(name) for name in self._laid.keys() - by_name.keys()]

        def judged(results: list[Any]) -> None:
            problems = [result.getErrorMessage() for succeeded, result in results if not succeeded]
            if problems:
                raise DataPlaneError("; ".join(problems))

        return DeferredList(done, consumeErrors=True).addCallback(judged)

    def _lay(self, shunt: Shunt) -> Deferred[None]:
        def laid(_: None) -> None:
            self._laid[shunt.name] = shunt

        return self.plane.shunt(shunt).addCallback(laid)

    def _lift(self, name: str) -> Deferred[None]:
        def lifted(_: None) -> None:
            self._laid.pop(name, None)

        return self.plane.unshunt(name).addCallback(lifted)

"""A NAT on the wire: one inside host behind an outside address, its ports changed, its mappings lost when a test says so."""

from attrs import define, evolve, field

from ikegw.paths import Address, Endpoint, Path


@define(eq=False)
class Nat:
    """`Wire.route` with a port-translating NAT. Replies pass only while their mapping is the newest of its inside endpoint."""

    inside: Address
    outside: Address
    next_port: int = 20000
    _outside_of: dict[Endpoint, Endpoint] = field(factory=dict, init=False)

    def __call__(self, path: Path) -> Path | None:
        """Translate a sender's path, or lose it."""
        if path.local.address == self.inside:
            return evolve(path, local=self._mapping(path.local))
        if path.remote.address == self.outside:
            inside = next((i for i, o in self._outside_of.items() if o == path.remote), None)
            return None if inside is None else evolve(path, remote=inside)
        return None if path.remote.address == self.inside else path

    def rebind(self, outside: Address | None = None) -> None:
        """Forget every mapping, and use another outside address if one is given."""
        self._outside_of.clear()
        self.outside = outside or self.outside

    def _mapping(self, inside: Endpoint) -> Endpoint:
        if inside not in self._outside_of:
            self._outside_of[inside] = Endpoint(self.outside, self.next_port)
            self.next_port += 1
        return self._outside_of[inside]

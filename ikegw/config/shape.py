"""What the table of all keys is made of: keys, and tables of keys and tables."""

from collections.abc import Iterator

from attrs import frozen

from ikegw.config.kinds import Kind


@frozen
class Key:
    """One key: its default is written as in a file; None means that there is none, and `doc` says what follows."""

    name: str
    kind: Kind
    default: object
    doc: str
    required: bool = False


@frozen
class Table:
    """A table of keys and tables. `named`: it holds tables of this form, by names that the operator gives."""

    name: str
    doc: str
    keys: tuple[Key, ...] = ()
    tables: tuple["Table", ...] = ()
    named: bool = False

    def key(self, name: str) -> Key | None:
        """The key of that name."""
        return next((key for key in self.keys if key.name == name), None)

    def table(self, name: str) -> "Table | None":
        """The table of that name."""
        return next((table for table in self.tables if table.name == name), None)

    def walk(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Table"]]:
        """This table and all within, with their paths; a name that the operator gives is `NAME`."""
        yield path, self
        for table in self.tables:
            yield from table.walk((*path, table.name, "NAME") if table.named else (*path, table.name))

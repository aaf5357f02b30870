"""What can go wrong at the door to the network."""


class CannotListen(Exception):
    """Sockets could not be opened; the text is a sentence for each of them, with what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)

"""What is told to whoever asks for something that cannot be."""


class Refused(Exception):
    """It was not done, and nothing was changed; the text says why, and what to do."""

"""What can be asked over the control socket, and how the gateway answers: everything as JSON, names as in the log."""

from collections.abc import Callable

from ikegw.control.server import Tell, Verb
from ikegw.service.acting import Acting
from ikegw.service.arguments import Arguments
from ikegw.service.capturing import Capturing
from ikegw.service.showing import Answer, Showing
from ikegw.service.telling import Telling


def verbs(showing: Showing, acting: Acting, telling: Telling, capturing: Capturing) -> dict[str, Verb]:
    """Each verb by its name."""
    asked = showing.verbs() | acting.verbs() | {"why": telling.why}
    return {name: Verb(_without_telling(run)) for name, run in asked.items()} | {
        "events": Verb(lambda arguments, tell, _: telling.events(arguments, tell)),
        "capture": Verb(capturing.capture),
    }


def _without_telling(run: Callable[[Arguments], Answer]) -> Callable[[Arguments, Tell, str], Answer]:
    return lambda arguments, _tell, _who: run(arguments)

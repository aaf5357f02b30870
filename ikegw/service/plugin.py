"""What the plugin loads: twistd wants both of these in one module."""

from twisted.application.service import IService

from ikegw.service.options import Options

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:  # noqa: N802 (Twisted's name)
    """Make the service; the reactor is chosen by now, which it is not when `Options` are read."""
    from ikegw.service.make_service import make_service

    return make_service(options)

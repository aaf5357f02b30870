"""What several tests of EAP have in common."""

import pytest
from OpenSSL import SSL

from ikegw.eap.server import tls as server_tls


@pytest.fixture(params=["1.2", "1.3"])
def tls_version(request, monkeypatch):
    """Both sides would speak 1.3; one of them does not when 1.2 is wanted."""
    if request.param == "1.2":
        made = server_tls.make_context

        def make(*arguments):
            context = made(*arguments)
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            return context

        monkeypatch.setattr(server_tls, "make_context", make)
    return request.param

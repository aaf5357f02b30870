"""Certificates of two levels that each side fetches, with CRLs and OCSP answers from servers, good and bad; and revocation."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha1

import pytest
from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from laboratory import ocsp_responder, roadwarrior, underlays
from laboratory.namespaces import CommandFailed
from laboratory.processes import until
from laboratory.publisher import Publisher
from laboratory.room import Laboratory
from laboratory.settings import Tree, merged
from laboratory.strongswan import StrongSwan
from laboratory.traffic import prove

from ikegw.testing.pki import CLIENT_USAGES, GATEWAY_USAGES, Authority, Party, Period, crl_at, ocsp_at

pytestmark = pytest.mark.peers

PAIRS = [("strongswan", "ikegw"), ("ikegw", "strongswan")]
PERIOD = Period.around(datetime.now(UTC))
HERE: Tree = {"networks": ["192.0.2.0/24"]}
STRICT: Tree = {"remote": {"revocation": "strict"}}


@frozen
class Side:
    """A party, the authority below the root that issued it, and the CRL that this publishes."""

    name: str
    issuer: Authority
    party: Party

    @classmethod
    def make(cls, name: str, identity: str, root: Authority, publisher: Publisher) -> "Side":
        """Everything of it is on the web: its own certificate, its issuer's, and the CRL."""
        issuer = root.intermediate(f"{name}s", "ecdsa256", extensions=(crl_at(publisher.url("root.crl")),))
        usages = GATEWAY_USAGES if identity == roadwarrior.GATEWAY else CLIENT_USAGES
        list_ = crl_at(publisher.url(f"{name}s.crl"))
        party = issuer.issue(identity, "ecdsa256", usages=usages, extensions=(list_,))
        for certificate in (party.certificate, *party.intermediates):
            publisher.publish(hash_of(certificate), certificate.public_bytes(Encoding.DER))
        publisher.publish(f"{name}s.crl", issuer.crl())
        return cls(name, issuer, party)


def hash_of(certificate: x509.Certificate) -> str:
    return sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest()


def publishing(kind: str, side: Side, publisher: Publisher) -> Tree:
    """The section of authorities: where what `side` is issued can be fetched."""
    file = f"{side.name}.pem" if kind == "ikegw" else f"{side.name}-1.pem"
    base = publisher.url("")
    return {
        "authorities": {
            "own": {"cacert": file, "cert_uri_base": base},
            "root": {"cacert": "ca.pem", "cert_uri_base": base},
        }
    }


def demanding(connection: str, kind: str) -> Tree:
    """Strict, and certificates by URL; an ikegw asks again each second."""
    if kind == "strongswan":
        return {"connections": {connection: STRICT}}
    demands = merged(STRICT, {"remote": {"hash_and_url": True}})
    return {"connections": {connection: demands}, "downloads": {**HERE, "refresh_time": "1s"}}


@pytest.mark.parametrize(("client_kind", "gateway_kind"), PAIRS)
def test_chains_by_URL_with_strict_CRLs_until_one_is_revoked(
    laboratory: Laboratory, client_kind: str, gateway_kind: str
) -> None:
    underlay = underlays.direct(laboratory.network)
    publisher = laboratory.publisher("pki", underlay.gateway, underlay.gateway_address)
    root = Authority.root("Root", "ecdsa256", PERIOD)
    publisher.publish("root.crl", root.crl())
    of_gateway = Side.make("gateway", roadwarrior.GATEWAY, root, publisher)
    of_client = Side.make("client", roadwarrior.CLIENT, root, publisher)
    by_url: Tree = {"hash_and_url": True}
    gateway = laboratory.peer(gateway_kind, "gateway", underlay.gateway, by_url)
    client = laboratory.peer(client_kind, "client", underlay.client, by_url)
    gateway.install("gateway", of_gateway.party, root.certificate)
    client.install("client", of_client.party, root.certificate)
    gateway.load(
        merged(
            roadwarrior.gateway(underlay.gateway_address, certificate="gateway"),
            demanding("roadwarriors", gateway_kind),
            publishing(gateway_kind, of_gateway, publisher),
        )
    )
    client.load(
        merged(
            roadwarrior.client(underlay.client_address, underlay.gateway_address, certificate="client"),
            demanding("home", client_kind),
            publishing(client_kind, of_client, publisher),
        )
    )

    client.connect("home")

    prove(underlay.client, underlay.gateway, "10.1.0.1", octets=100_000)
    for side in (of_gateway, of_client):
        assert publisher.asked(f"{side.name}s.crl")
        assert publisher.asked(hash_of(side.party.certificate))
    assert publisher.asked("root.crl")

    ours, theirs = (gateway, of_client) if gateway_kind == "ikegw" else (client, of_gateway)
    publisher.publish(f"{theirs.name}s.crl", theirs.issuer.crl([theirs.party], number=2))
    ours.daemon.wait_for(
        rf"certificate .*{theirs.party.certificate.subject.rfc4514_string()[3:12]}.* was revoked since"
    )
    until(gateway.is_empty, "the gateway keeps an SA")
    strongswan = client if gateway_kind == "ikegw" else gateway
    assert isinstance(strongswan, StrongSwan)
    until(strongswan.is_empty, "strongSwan keeps an SA")


# ---------------------------------------------------------------- OCSP


@pytest.mark.parametrize("by_delegate", [False, True], ids=["by the authority", "by a delegate"])
def test_a_gateway_asks_openssl_whether_a_client_was_revoked(
    laboratory: Laboratory, by_delegate: bool
) -> None:
    underlay = underlays.direct(laboratory.network)
    root = Authority.root("Root", "ecdsa256", PERIOD)
    there = ocsp_at(f"http://{underlay.gateway_address}:{ocsp_responder.PORT}/")
    carol, dave = (root.issue(name, "ecdsa256", extensions=(there,)) for name in (roadwarrior.CLIENT, DAVE))
    delegate = root.issue("ocsp.ikegw.example", "ecdsa256", usages=[ExtendedKeyUsageOID.OCSP_SIGNING])
    responder = laboratory.ocsp_responder("ocsp", underlay.gateway, root, delegate if by_delegate else None)
    responder.start([carol], [dave])
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    gateway.install(
        "gateway", root.issue(roadwarrior.GATEWAY, "ecdsa256", usages=GATEWAY_USAGES), root.certificate
    )
    client.install("client", carol, root.certificate)
    client.install("dave", dave, root.certificate)
    gateway.load(strict_gateway(underlay))
    client.load(
        merged(
            roadwarrior.client(underlay.client_address, underlay.gateway_address, certificate="client"),
            roadwarrior.client(
                underlay.client_address,
                underlay.gateway_address,
                certificate="dave",
                name="dave",
                identity=DAVE,
                vips=["0.0.0.0"],
            ),
        )
    )

    client.connect("home")
    with pytest.raises(CommandFailed):
        client.connect("dave")

    gateway.daemon.wait_for(rf"{DAVE} was revoked since .* \(keyCompromise\), by C=CH, O=ikegw, CN=Root")


def test_a_client_asks_openssl_whether_the_gateway_was_revoked(laboratory: Laboratory) -> None:
    underlay = underlays.direct(laboratory.network)
    root = Authority.root("Root", "ecdsa256", PERIOD)
    there = ocsp_at(f"http://{underlay.gateway_address}:{ocsp_responder.PORT}/")
    own = root.issue(roadwarrior.GATEWAY, "ecdsa256", usages=GATEWAY_USAGES, extensions=(there,))
    responder = laboratory.ocsp_responder("ocsp", underlay.gateway, root)
    responder.start([own])
    gateway = laboratory.strongswan("gateway", underlay.gateway)
    client = laboratory.ikegw("client", underlay.client)
    gateway.install("gateway", own, root.certificate)
    client.install("client", root.issue(roadwarrior.CLIENT, "ecdsa256"), root.certificate)
    gateway.load(roadwarrior.gateway(underlay.gateway_address, certificate="gateway"))
    demands: Tree = {
        "connections": {"home": STRICT},
        "downloads": {**HERE, "refresh_time": "1s", "retry_time": 0},
    }
    client.load(
        merged(
            roadwarrior.client(underlay.client_address, underlay.gateway_address, certificate="client"),
            demands,
        )
    )

    client.connect("home")
    responder.stop()
    responder.start([], [own])

    client.daemon.wait_for(rf"{roadwarrior.GATEWAY} was revoked since")
    until(gateway.is_empty, "the gateway keeps an SA")


# ---------------------------------------------------------------- bad servers

DAVE = "dave@ikegw.example"
BAD = {
    "silent": "no whole answer within 1 s",
    "slow": "no whole answer within 1 s",
    "endless": "it brings more than 100000 octets",
    "circle": "more than 3 redirects",
    "garbage": "not a CRL that can be read",
    "expired": "the CRL does not count now",
    "missing": "HTTP status 404",
}


def strict_gateway(underlay: underlays.Underlay, policy: str = "strict") -> Tree:
    """A gateway that gives nobody much time."""
    return merged(
        roadwarrior.gateway(underlay.gateway_address, certificate="gateway"),
        {
            "connections": {"roadwarriors": {"remote": {"revocation": policy}}},
            "downloads": {**HERE, "timeout": "1s", "max_size": 100_000, "retry_time": 0},
        },
    )


def clients(underlay: underlays.Underlay, names: Sequence[str]) -> Tree:
    """A client for each, which proves itself by the certificate of that name."""
    return merged(
        *(
            roadwarrior.client(
                underlay.client_address,
                underlay.gateway_address,
                certificate=name,
                name=name,
                identity=f"{name}@ikegw.example",
                vips=["0.0.0.0"],
            )
            for name in names
        )
    )


def test_whatever_a_server_of_CRLs_does_the_login_fails_in_time_or_does_without(
    laboratory: Laboratory,
) -> None:
    underlay = underlays.direct(laboratory.network)
    publisher = laboratory.publisher("pki", underlay.gateway, underlay.gateway_address)
    root = Authority.root("Root", "ecdsa256", PERIOD)
    publisher.publish("expired", root.crl(period=PERIOD.past()))
    publisher.publish("good", root.crl())
    gateway = laboratory.ikegw("gateway", underlay.gateway)
    client = laboratory.strongswan("client", underlay.client)
    gateway.install(
        "gateway", root.issue(roadwarrior.GATEWAY, "ecdsa256", usages=GATEWAY_USAGES), root.certificate
    )
    for name in (*BAD, "good"):
        client.install(
            name,
            root.issue(f"{name}@ikegw.example", "ecdsa256", extensions=(crl_at(publisher.url(name)),)),
            root.certificate,
        )
    gateway.load(strict_gateway(underlay))
    client.load(clients(underlay, (*BAD, "good")))

    for name, why in BAD.items():
        since = gateway.daemon.mark()
        with pytest.raises(CommandFailed):
            client.connect(name)
        gateway.daemon.wait_for(
            rf"{name}@ikegw.example was revoked: {publisher.url(name)}: .*{why}", since=since
        )
    until(gateway.is_empty, "the gateway keeps an SA")

    since = gateway.daemon.mark()
    gateway.load(strict_gateway(underlay, "if-available"))
    gateway.daemon.wait_for("reloaded: connection changed", since=since)
    client.connect("silent")
    gateway.daemon.wait_for("nobody says whether certificate .*silent@ikegw.example was revoked", since=since)

    since = gateway.daemon.mark()
    gateway.load(strict_gateway(underlay))
    gateway.daemon.wait_for("reloaded: connection changed", since=since)
    client.connect("good")
    # The CRL is on disk: whoever starts anew needs no server for it, not even for those whose servers are bad.
    publisher.stop()
    gateway.stop()
    gateway.start()
    client.connect("endless")

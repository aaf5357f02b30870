"""Who may end and change sessions: clients and their secrets."""

from ipaddress import ip_address, ip_network

from ikegw.config import load

CLIENTS = """
[coa]
addresses = "192.0.2.1"
port = 1700
[coa.clients.isp]
addresses = ["198.51.100.0/24", "2001:db8::5"]
several = false
"""
SECRET = '[secrets.coa.isp]\nsecret = "of the isp"\n'


def test_clients_with_their_secrets(write):
    coa = load(write(CLIENTS, **{"secrets.d/coa.toml": SECRET})).coa
    assert (coa.addresses, coa.port) == ((ip_address("192.0.2.1"),), 1700)
    (client,) = coa.clients
    assert client.networks == (ip_network("198.51.100.0/24"), ip_network("2001:db8::5/128"))
    assert client.secret == b"of the isp"
    assert (client.old, client.timestamped, client.several) == (False, False, False)
    assert "of the isp" not in repr(coa)


def test_a_client_needs_a_secret_and_a_secret_a_client(problems):
    assert "coa.clients.isp.addresses: it has no secret: write [secrets.coa.isp]" in problems(CLIENTS)[0]
    (told,) = problems("", **{"secrets.d/coa.toml": SECRET})
    assert "there is no CoA client 'isp': there are none at all" in told


def test_anybody_is_no_client(problems):
    for addresses in ('"%any"', "[]"):
        told = problems(f"[coa.clients.isp]\naddresses = {addresses}\n", **{"secrets.d/coa.toml": SECRET})
        assert "name the addresses of your RADIUS servers" in told[0]


def test_accounting_names_a_realm_that_there_is(problems):
    told = problems('[connections.home]\naccounting = "isp"\nlocal.auth = "psk"\nremote.auth = "psk"\n')
    assert any("connections.home.accounting: there is no realm 'isp'" in line for line in told)


def test_a_queue_has_a_whole_path(problems):
    assert "the whole path is needed" in problems('[accounting]\ndirectory = "var/lib"\n')[0]

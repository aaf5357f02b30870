"""The HTTP server: off, for Prometheus alone, or with the status page."""

from ipaddress import ip_address

from ikegw.config import changes, load
from ikegw.config.settings import Web
from ikegw.paths import Endpoint


def test_nothing_is_served_unless_it_is_wanted(write):
    assert load(write("")).web == Web(None, False, ())


def test_the_page_by_the_names_of_this_host(write):
    web = load(write('[web]\nlisten = "[::1]:9440"\nstatus_page = true\nhosts = ["GW.example.org."]\n')).web
    assert web == Web(Endpoint(ip_address("::1"), 9440), True, ("gw.example.org",))


def test_a_page_needs_a_server(problems):
    (told,) = problems("[web]\nstatus_page = true\n")
    assert "web.status_page: there is no server that could show it: give web.listen" in told


def test_a_reload_can_change_it(write):
    before = load(write('[web]\nlisten = "127.0.0.1:9440"\n'))
    after = load(write('[web]\nlisten = "127.0.0.1:9440"\nstatus_page = true\n'))
    assert changes(before, after).applied == ("web",)

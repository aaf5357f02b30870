"""Configurations of a gateway and of a client that calls it, on loopback."""

GATEWAY = """
[connections.road]
pools = ["clients"]
[connections.road.local]
auth = "psk"
id = "gw.example.org"
[connections.road.remote]
auth = "psk"
id = "*@example.org"
[connections.road.children.net]
local_ts = ["10.1.0.0/16"]
[pools.clients]
store = "memory"
addrs = ["10.9.0.0/24"]
"""

CLIENT = """
[connections.home]
remote_addrs = ["127.0.0.1"]
remote_port = {ike}
remote_nat_t_port = {nat_t}
vips = ["0.0.0.0"]
[connections.home.local]
auth = "psk"
id = "alice@example.org"
[connections.home.remote]
auth = "psk"
id = "gw.example.org"
[connections.home.children.net]
remote_ts = ["10.1.0.0/16"]
start_action = "start"
"""

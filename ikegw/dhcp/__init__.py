"""A DHCP client of the gateway's own that is partly a relay: addresses of the site's DHCP servers for its clients."""

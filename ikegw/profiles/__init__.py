"""What a person installs to connect: profiles of clients, which match a connection of the gateway's."""

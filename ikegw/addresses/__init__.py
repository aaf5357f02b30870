"""Providers of addresses for clients."""

"""Certificates, CRLs and OCSP answers from elsewhere, within limits: implements `ports.Fetcher`."""

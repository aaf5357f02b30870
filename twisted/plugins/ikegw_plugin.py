"""Makes `twistd ikegw` known."""

from twisted.application.service import ServiceMaker

ikegw = ServiceMaker("ikegw", "ikegw.service.plugin", "An IKEv2 VPN gateway.", "ikegw")

"""An initiator and a responder of ours, from the first datagram to the last: Figures 2, 4 and 6 on their good days."""

from ikegw.events import AddressLeased, ChildUp, IkeUp


def test_I_06_R_17_shared_key_address_and_child(pair):
    """
    IKE_SA_INIT -->  <-- IKE_SA_INIT
    IKE_AUTH { IDi, IDr, AUTH, CP(CFG_REQUEST), SA, TSi, TSr } -->
    <-- IKE_AUTH { IDr, AUTH, CP(CFG_REPLY), SA, TSi, TSr }
    """
    came_up = []
    pair.client.gateway.initiate("home").addCallback(came_up.append)
    pair.world.run()
    assert [str(name) for name in came_up] == ["home[1]"]
    assert pair.client.states("initiator") == ["SMI_AUTH", "SMI_AUTH_WAIT", "SM_MATURE"]
    assert pair.gateway.states("responder") == ["SMR_AUTH", "SMR_AUTH_FINALIZE", "SM_MATURE"]
    (lease,) = pair.gateway.heard(AddressLeased)
    assert [str(address.ip) for address in lease.addresses] == ["10.3.0.1", "fd00:3::1"]
    (up,) = pair.client.heard(ChildUp)
    (at_gateway,) = pair.gateway.heard(ChildUp)
    assert up.inbound_spi == at_gateway.outbound_spi
    assert up.local_selectors == at_gateway.remote_selectors
    assert len(pair.client.heard(IkeUp)) == len(pair.gateway.heard(IkeUp)) == 1

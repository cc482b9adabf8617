# SPDX-License-Identifier: BSD-3-Clause
"""The lab: client hosts, a middlebox and server hosts as network namespaces on this machine.

    client (10.77.0.2 ..)  --veth--  inside [box] outside  --veth--  server (198.51.100.2)

    with Lab() as lab:
        lab.run(Host.SERVER, ["iperf3", "-s"])

The box's ends carry no addresses: they belong to whatever runs as the middlebox.
Leaving the context, also by an exception or Ctrl-C, ends the programs and removes
the namespaces; what a killed lab left behind is removed when the next one starts.
"""

from ftmb.lab.programs import Program
from ftmb.lab.topology import Addresses, Host, Lab

__all__ = ["Addresses", "Host", "Lab", "Program"]

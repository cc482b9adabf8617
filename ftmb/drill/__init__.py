# SPDX-License-Identifier: BSD-3-Clause
"""The drill: real traffic through a box whose master is failed again and again.

settings    what a drill is asked to do
pipelines/  what can be drilled: for each a box, where it stands, its traffic
traffic/    the programs that run inside the lab's hosts and measure
workload/   starts and stops them, makes figures of what they recorded, says what these must be
box         the middlebox under the drill
failures    fails the master and times what follows
crashes     makes any process die at a crash point, and looks what follows
run         one run: lab, box, traffic, failures
report/     the table, the JSON, the picture and the page
main_job    a protected run, the contrast, the report
"""

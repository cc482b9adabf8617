# SPDX-License-Identifier: BSD-3-Clause
"""Each section of the report as tables; one that is not known here is shown as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.report.table import Table, between, shown, with_spread

Section = Any
Renderer = Callable[[Section], list[Table]]
SEVERAL = "median (smallest to largest of the rounds)"


def _targets(rows: Section) -> list[Table]:
    table = Table("Targets", ("target", "bound", "measured", "met", "by", "what limits it"))
    for row in rows:
        met = "" if row["met"] is None else "yes" if row["met"] else "NO"
        table.add(row["name"], row["target"], row["measured"], met, row["by"], row["limit"])
    return [table]


def _throughput(section: Section) -> list[Table]:
    rates = Table(
        "One master core, 64-byte packets, shuffled flows",
        (
            "element",
            "flows",
            "protected Mpps",
            "unprotected Mpps",
            "ratio",
            "ns a packet, protected",
            "threads waited for a core, ms",
        ),
        note=f"{SEVERAL}; the master always finds full bursts, so it alone is the limit",
        command="python -m benchmarks throughput",
    )
    cycles = Table(
        "Cycles a packet, by role",
        ("element", "flows", "", "loggers", "master", "standby", "in all", "ratio"),
        note="roles take turns, so each has its core to itself; the generator is among the loggers",
        command="python -m benchmarks throughput",
    )
    for element, by_flows in section.items():
        for flows, row in sorted(by_flows.items(), key=lambda item: int(item[0])):
            _throughput_row(rates, cycles, element, int(flows), row)
    return [rates, cycles]


def waited_ms(scheduling: Section) -> float | None:
    """All threads together: how far to trust a round on a machine that has other things to do."""
    threads = scheduling.get("threads")
    return None if threads is None else float(sum(one["waited_ms"] for one in threads.values()))


def _throughput_row(rates: Table, cycles: Table, element: str, what: object, row: Section) -> None:
    rates.add(
        element,
        what,
        between(row["protected_mpps"], row["protected_spread"]),
        between(row["unprotected_mpps"], row["unprotected_spread"]),
        row["ratio"],
        row["protected_ns_per_packet"],
        waited_ms(row.get("scheduling", {})),
    )
    parts = row.get("cycles_per_packet")
    for side in ("protected", "unprotected") if parts else ():
        of_roles = [parts[side][role] for role in ("loggers", "master", "standby")]
        ratio = between(parts["ratio"], parts["ratio_spread"]) if side == "protected" else ""
        cycles.add(element, what, side, *of_roles, parts[f"{side}_total"], ratio)


def _sizes(section: Section) -> list[Table]:
    rates = Table(
        "Frame sizes, 10,000 flows",
        (
            "element",
            "bytes",
            "protected Mpps",
            "unprotected Mpps",
            "ratio",
            "ns a packet, protected",
            "threads waited for a core, ms",
        ),
        note=f"{SEVERAL}; imix: 7 of 64, 4 of 594 and 1 of 1,518 bytes",
        command="python -m benchmarks sizes",
    )
    cycles = Table("Cycles a packet by frame size",
                   ("element", "bytes", "", "loggers", "master", "standby", "in all", "ratio"),
                   command="python -m benchmarks sizes")  # fmt: skip
    for element, by_size in section.items():
        for size, row in by_size.items():
            _throughput_row(rates, cycles, element, size, row)
    return [rates, cycles]


def _pipelined(section: Section) -> list[Table]:
    table = Table(
        "Port to port, everybody running, nothing lost",
        ("element", "flows", "", "Mpps", "loggers busy", "master busy", "standby busy", "limit"),
        note=f"{SEVERAL}; busy: share of the time in rounds that found something, waiting for a "
        "core in them included",
        command="python -m benchmarks pipelined",
    )
    for element, by_flows in section.items():
        for flows, row in by_flows.items():
            for side in ("protected", "unprotected"):
                one = row[side]
                busy = [f"{one['busy'][role]:.0%}" for role in ("loggers", "master", "standby")]
                table.add(element, int(flows), side, with_spread(one["mpps"]), *busy, one["limit"])
    return [table]


def _shared(section: Section) -> list[Table]:
    table = Table(
        "Monitor that writes shared tables on every packet",
        ("workers", "cores", "protected Mpps", "unprotected Mpps", "ratio", "PALs a packet",
         "if each access were logged", "cycles in all, ratio"),
        note=f"{SEVERAL}; sum of the workers' own rates, who have the cores to themselves",
        command="python -m benchmarks shared",
    )  # fmt: skip
    for workers, row in section.items():
        table.add(int(workers), row["cores"], with_spread(row["protected_mpps"]),
                  with_spread(row["unprotected_mpps"]), row["ratio"], row["pals_per_packet"],
                  row["pals_per_packet_of_every_access"], row["cycles_ratio"])  # fmt: skip
    return [table]


def _shared_by_element(section: Section) -> list[Table]:
    table = Table(
        "Other elements that write shared state on every packet",
        ("element", "workers", "cores", "protected Mpps", "unprotected Mpps", "ratio",
         "PALs a packet", "cycles in all, ratio"),
        note=f"{SEVERAL}; the optimizer's packets have 1,500 bytes, none of them seen before",
        command="python -m benchmarks shared --element limiter",
    )  # fmt: skip
    for element, by_workers in section.items():
        for workers, row in by_workers.items():
            table.add(element, int(workers), row["cores"], with_spread(row["protected_mpps"]),
                      with_spread(row["unprotected_mpps"]), row["ratio"], row["pals_per_packet"],
                      row["cycles_ratio"])  # fmt: skip
    return [table]


LATENCY_KINDS = (
    ("unprotected", "unprotected"),
    ("protected", "protected"),
    ("protected_with_snapshots", "protected, a snapshot every 250 ms"),
    ("added", "added"),
    ("added_with_snapshots", "added, with snapshots"),
)


def _latency(section: Section) -> list[Table]:
    keys = [key for key in ("p50", "p90", "p99", "p999", "max") if key in section["protected"]]
    rate = section["packets_per_second"]
    table = Table(
        f"NAT, port to port, microseconds, at {rate:,} packets a second (half load)",
        ("", *keys),
        note="medians over the rounds; added: of the rounds' own differences",
        command="python -m benchmarks latency",
    )
    for kind, words in LATENCY_KINDS:
        if kind in section:
            table.add(words, *(float(section[kind][key]) for key in keys))
    return [table, _latency_rounds(section)]


def _latency_rounds(section: Section) -> Table:
    table = Table("What else happened in these rounds",
                  ("", "p50 us", "p99 us", "lost", "stolen ms", "waited for a core, ms"),
                  command="python -m benchmarks latency")  # fmt: skip
    for kind, words in LATENCY_KINDS[:3]:
        for one in section.get("rounds", {}).get(kind, []):
            waited = ", ".join(
                f"{label}: {shown(float(thread['waited_ms']))}"
                for label, thread in one.get("threads", {}).items()
            )
            table.add(words, one["p50"], one["p99"], one.get("lost"), one.get("steal_ms"), waited)
    return table


def _snapshot(section: Section) -> list[Table]:
    table = Table("Snapshot of a live NAT: pause of the workers, microseconds",
                  ("flows", "median", "longest", "written after, ms"),
                  command="python -m benchmarks snapshot")  # fmt: skip
    for flows, row in section.items():
        pause = row["pause_us"]
        table.add(
            int(flows), float(pause["p50"]), float(pause["max"]), float(row["written_ms_p50"])
        )
    return [table]


def _log_bytes(section: Section) -> list[Table]:
    parts = ("input_framing", "output_framing", "dependencies", "pals", "access_records",
             "access_pals", "protocol", "pals_per_packet", "packets_per_record")  # fmt: skip
    table = Table("Bytes of log a packet, beyond the packet's own",
                  ("", *(part.replace("_", " ") for part in parts)),
                  note="protocol: dependencies and PALs of the output log, records and PALs of the "
                  "access log; framing is there without protection too",
                  command=section["command"])  # fmt: skip
    for name, row in section["by_element"].items():
        table.add(name, *(float(row[part]) for part in parts))
    return [table]


def _memory(section: Section) -> list[Table]:
    flow, logs = section["nat_flow_bytes"], section["logs"]
    table = Table("Memory", ("what", "figure"), command=section["command"])
    table.add(f"bytes of a NAT flow, allocated ({flow['flows']:,} flows)", flow["allocated"])
    table.add("bytes of a NAT flow, resident", flow["resident"])
    for name in ("input_log", "access_log"):
        log = logs[name]
        words = f"{name.replace('_', ' ')}: largest fill of {log['bytes']:,} bytes"
        table.add(f"{words}, standby stopped, {logs['packets']:,} packets offered", log["fill_max"])
    return [table]


def _start(section: Section) -> list[Table]:
    table = Table("From `ftmb up` to the first packet forwarded", ("", "seconds"),
                  note=SEVERAL, command=section["command"])  # fmt: skip
    table.add("first packet", with_spread(section["first_packet_s"]))
    table.add("protected", with_spread(section["protected_s"]))
    return [table]


FAILOVER_FIGURES = (
    ("recovery_ms", "kill to first packet"),
    ("detect_ms", "kill to detection"),
    ("live_ms", "kill to live"),
    ("protected_again_ms", "kill to protected again"),
    ("pause_ms", "pause for the snapshot"),
)


def _failover(section: Section) -> list[Table]:
    table = Table("Failover of a real box, milliseconds: median, longest",
                  ("flows", "load", "packets/s", "kills", *(name for _, name in FAILOVER_FIGURES)),
                  command="python -m benchmarks failover")  # fmt: skip
    for flows, by_load in sorted(section.items(), key=lambda item: int(item[0])):
        for load, row in by_load.items():
            figures = [
                f"{shown(float(row[key]['median']))}, {shown(float(row[key]['max']))}"
                for key, _ in FAILOVER_FIGURES
            ]
            table.add(int(flows), load, row["packets_per_second"], row["kills"], *figures)
    return [table]


def _generic(name: str, section: Section) -> list[Table]:
    """Whatever it is: a path and a value in each row."""
    command = section.get("command", "") if isinstance(section, dict) else ""
    table = Table(name.replace("_", " ").capitalize(), ("", "value"), command=command)

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, (*path, str(key)))
        elif path[-1:] != ("command",):
            table.add(" / ".join(path), value if not isinstance(value, list) else value[:20])

    walk(section, ())
    return [table]


def _scaling(section: Section) -> list[Table]:
    from benchmarks.scaling.tables import tables

    return tables(section)


def _modes(section: Section) -> list[Table]:
    from benchmarks.modes.tables import tables

    return tables(section)


def _peers(section: Section) -> list[Table]:
    from benchmarks.peers.tables import tables

    return tables(section)


def _limits(section: Section) -> list[Table]:
    from benchmarks.limits.tables import tables

    return tables(section)


def _ids(section: Section) -> list[Table]:
    table = Table(
        "Inspection on one core, a trace of web-like connections",
        ("rules", "ids protected, Gbit/s", "ids unprotected, Gbit/s", "ratio", "Suricata, Gbit/s",
         "ids protected to Suricata", "bytes a packet", "alerts in the trace, ids", "Suricata's"),
        note=f"{SEVERAL}; the same rules and frames, no checksums, Suricata in single mode",
        command="python -m benchmarks ids",
    )  # fmt: skip
    for rules, row in sorted(section.items(), key=lambda item: int(item[0])):
        gbit = row["gbit"]
        table.add(
            int(rules),
            with_spread(gbit["protected"]),
            with_spread(gbit["unprotected"]),
            row["ratio"],
            with_spread(gbit.get("suricata")),
            row["to_suricata"],
            row["bytes_per_packet"],
            row["alerts"]["ids"],
            row["alerts"]["suricata"],
        )
    return [table]


RENDERERS: dict[str, tuple[str, Renderer]] = {
    "targets": ("Targets", _targets),
    "throughput": ("Throughput", _throughput),
    "sizes": ("Frame sizes", _sizes),
    "pipelined": ("Port to port", _pipelined),
    "shared": ("Shared state", _shared),
    "shared_by_element": ("Shared state of other elements", _shared_by_element),
    "latency_us": ("Latency", _latency),
    "failover": ("Failover", _failover),
    "snapshot": ("Snapshots", _snapshot),
    "log_bytes": ("Logs", _log_bytes),
    "memory": ("Memory", _memory),
    "start": ("Start", _start),
    "scaling": ("More cores", _scaling),
    "modes": ("Other modes", _modes),
    "ids": ("Intrusion detection", _ids),
    "peers": ("The kernel's NAT", _peers),
    "limits": ("What the limits are", _limits),
}
NO_SECTIONS = ("machine", "measured", "command", "settings")


def sections_of(report: dict[str, Any]) -> list[tuple[str, str, list[Table]]]:
    """(name, heading, tables) of every section that was measured, known ones first."""
    names = [name for name in RENDERERS if report.get(name)]
    names += [name for name in report if name not in RENDERERS and name not in NO_SECTIONS]
    found = []
    for name in names:
        heading, render = RENDERERS.get(name, (name.capitalize(), None))
        tables = render(report[name]) if render else _generic(name, report[name])
        found.append((name, heading, tables))
    return found

/* SPDX-License-Identifier: BSD-3-Clause */
/* What Python sees of the packet generator; a part of the core module, see ftmb_core.cdef.h. */
#define PKTGEN_SIZES_MAX ...
#define PKTGEN_FLOWS_MAX ...
#define PKTGEN_BIN_NS ...

struct pktgen_flow {
    uint32_t number;
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint16_t address_sum;
    uint16_t udp_sum;
};
void pktgen_flows_prepare(struct pktgen_flow *flows, uint64_t count);

struct pktgen_trace {
    uint8_t *bytes;
    const uint64_t *offsets;
    const uint16_t *lengths;
    const uint32_t *flows;
    const uint64_t *due_ns;
    uint64_t round_ns;
    uint32_t count;
    uint64_t patience_ns;
    bool keep_ethernet;
};
struct pktgen_plan {
    const struct pktgen_flow *flows;
    uint64_t flow_count;
    uint16_t sizes[16];
    uint32_t size_count;
    const uint8_t *size_order;
    uint64_t size_order_count;
    const struct pktgen_trace *trace;
    uint64_t packets;
    uint64_t interval_q32;
    uint64_t span_ns;
    uint64_t overtime_ns;
    uint8_t source_ethernet[6];
    uint8_t next_hop_ethernet[6];
    uint8_t run;
};

struct pktgen_flow_counts {
    uint32_t received, duplicated, reordered, sequence_next;
    uint32_t first_us, last_us, gap_us_max, corrupted;
};
struct pktgen_collector {
    uint64_t received, duplicated, reordered, corrupted, stale, impossible;
    uint64_t start_ns, first_ns, last_ns, gap_ns_max, gap_end_ns;
    uint32_t *latency_ns;
    uint64_t packets_max;
    struct pktgen_flow_counts *flows;
    uint64_t flow_count;
    uint32_t *bins;
    uint64_t bin_count;
};

struct pktgen_end {
    uint64_t foreign, resolution, answered, answers_unsent;
    ...;
};
struct pktgen_end *pktgen_end_create(struct port *port, const uint8_t *own_ethernet);
void pktgen_end_destroy(struct pktgen_end *end);
int pktgen_end_add_address(struct pktgen_end *end, uint32_t address, uint32_t mask);
int pktgen_end_add_network(struct pktgen_end *end, uint32_t network, uint32_t mask);
void pktgen_end_set_gateway(struct pktgen_end *end, uint32_t gateway);
void pktgen_end_announce(struct pktgen_end *end);
int pktgen_end_resolve(struct pktgen_end *end, struct pktgen_end *other, uint32_t destination,
                       uint64_t patience_ns, uint8_t *ethernet);

struct pktgen_sender {
    uint64_t sent, start_ns, finished_ns, late_ns_max, late_ns_sum, built;
    ...;
};
struct pktgen_loop {
    struct pktgen_sender sender;
    int idle;
    uint64_t drain_ns, ended_ns;
    ...;
};
struct pktgen_loop *pktgen_loop_create(const struct pktgen_plan *plan, struct pktgen_end *transmit,
                                       struct pktgen_end *receive);
void pktgen_loop_destroy(struct pktgen_loop *loop);
void pktgen_loop_run(struct pktgen_loop *loop, struct pktgen_collector *out,
                     struct pktgen_collector *back);
void pktgen_loop_start(struct pktgen_loop *loop, struct pktgen_collector *out,
                       struct pktgen_collector *back);
bool pktgen_loop_step(struct pktgen_loop *loop);
void pktgen_loop_finish(struct pktgen_loop *loop);
void pktgen_loop_stop(struct pktgen_loop *loop);
uint64_t pktgen_loop_sent(const struct pktgen_loop *loop);
uint64_t pktgen_loop_ambiguous(const struct pktgen_loop *loop);
uint64_t pktgen_port_missed(struct port *port);

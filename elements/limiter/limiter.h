/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the limiter's parts share. A packet passes three buckets of its direction, one after the
 * other, and the first one that has not enough for its class drops it:
 *
 *     limiter_packet.c   whose packet it is, and of which class
 *     limiter_hosts.c    the host's buckets
 *     limiter_gates.c    its prefix's and the total's
 *     limiter_commands.c limits that an operator changes meanwhile
 *
 * Threads: all of it runs on a worker. Buckets are shared by all workers, under shared variables;
 * the counts of classes are each worker's own.
 */
#ifndef LIMITER_H
#define LIMITER_H

#include "ftmb_element.h"
#include "limiter_bucket.h"
#include "matching/match.h"
#include "matching/prefix_map.h"

#define LIMITER_CLASSES_MAX 8U
#define LIMITER_RULES_MAX 128U
#define LIMITER_NAME_SIZE 16U
#define LIMITER_OWN_MAX 1024U /* hosts with limits of their own */
#define LIMITER_NO_MARK 0xffU
#define LIMITER_KEPT_MAX 90U /* hundredths of a burst, for all classes but the last */

/* As seen from the hosts inside. */
enum limiter_direction { LIMITER_UPLOAD, LIMITER_DOWNLOAD, LIMITER_DIRECTIONS };

/* Why a packet is dropped; those of buckets are two each, by direction. */
enum limiter_reason {
    LIMITER_OTHER_PORT,
    LIMITER_MALFORMED,
    LIMITER_HOSTS_FULL,
    LIMITER_HOST,
    LIMITER_PREFIX = LIMITER_HOST + LIMITER_DIRECTIONS,
    LIMITER_TOTAL = LIMITER_PREFIX + LIMITER_DIRECTIONS,
    LIMITER_REASONS = LIMITER_TOTAL + LIMITER_DIRECTIONS,
    LIMITER_PASS = LIMITER_REASONS,
};

struct limiter_class {
    char name[LIMITER_NAME_SIZE];
    uint8_t keeps; /* hundredths of each burst that classes behind it leave */
    uint8_t mark;  /* DSCP, or LIMITER_NO_MARK */
};

struct limiter_rule {
    uint64_t dscps; /* bit i: DSCP i fits */
    struct match match;
    uint32_t class;
};

struct limiter_config {
    uint8_t inside, outside;     /* ports */
    uint8_t has_total, has_host; /* whether there are such buckets */
    uint32_t hosts_max;
    uint32_t overhead; /* bytes added to each frame */
    uint32_t host_ipv4_bits, host_ipv6_bits;
    uint32_t class_count, rule_count;
    struct limiter_limit total[LIMITER_DIRECTIONS], host[LIMITER_DIRECTIONS];
    struct limiter_limit prefix_limits[PREFIX_MAP_MAX][LIMITER_DIRECTIONS];
    struct limiter_class classes[LIMITER_CLASSES_MAX];
    struct limiter_rule rules[LIMITER_RULES_MAX];
    struct match_pool pool; /* what the rules name */
    struct prefix_map prefixes;
};

/* ---- State ---- */

struct limiter_host {
    struct ip_address address; /* ::: free */
    struct limiter_bucket buckets[LIMITER_DIRECTIONS];
    uint32_t own; /* its limits' place in the table of own ones, plus 1; 0: the common ones */
    uint32_t padding[3];
};
_Static_assert(sizeof(struct limiter_host) == 64, "a host is a cache line");

/* A stripe of the hosts' table. Its clock is the latest time that it has seen: workers' packets
 * may come in an order that is not that of their times. */
struct limiter_stripe {
    uint64_t clock_ns;
    uint64_t padding[7];
};

struct limiter_own {
    struct limiter_limit limits[LIMITER_DIRECTIONS];
};

/* The bucket of a prefix or of everything, in one direction. */
struct limiter_gate {
    struct ip_address address;
    uint64_t bits;
    struct limiter_limit limit;
    struct limiter_bucket bucket;
    uint64_t passed_packets, passed_bytes, refused_packets, refused_bytes;
    uint64_t direction;
    uint64_t padding[4];
};
_Static_assert(sizeof(struct limiter_gate) == 128, "directions share no cache line");

/*
 * The shared part. Variables 0 and 1 guard the gates and the clock of a direction, those behind
 * them a stripe of hosts each, with the limits of those that have their own.
 */
struct limiter_shared {
    uint32_t stripes, slots_per_stripe; /* powers of two */
    uint32_t gate_count, padding;
    uint64_t clocks_ns[LIMITER_DIRECTIONS];
    uint64_t variables, stripe_heads, hosts, own, gates; /* offsets from here */
};

/* What passed and what did not, of a class: each worker counts for itself. */
struct limiter_class_counts {
    char name[LIMITER_NAME_SIZE];
    uint64_t passed_packets[LIMITER_DIRECTIONS], passed_bytes[LIMITER_DIRECTIONS];
    uint64_t refused_packets[LIMITER_DIRECTIONS], refused_bytes[LIMITER_DIRECTIONS];
};

struct limiter_state {
    uint64_t class_count;
    struct limiter_class_counts classes[LIMITER_CLASSES_MAX];
    uint64_t commands_ignored;          /* of the first worker, which alone obeys commands */
    uint8_t own_taken[LIMITER_OWN_MAX]; /* likewise */
};

/* ---- A burst ---- */

struct limiter_view {
    struct ftmb_packet *packet;
    struct ip_address host; /* masked to the bits that make a host */
    uint32_t hash;
    uint32_t prefix; /* index, or PREFIX_MAP_NONE */
    uint32_t bytes;
    uint16_t network;  /* offset of the IP header */
    uint8_t version;   /* 4 or 6; 0: not IP */
    uint8_t direction; /* enum limiter_direction */
    uint8_t class;
    uint8_t kept;    /* hundredths of a burst that the class leaves to those before it */
    uint8_t verdict; /* enum limiter_reason */
};

struct limiter_burst {
    struct limiter_view views[FTMB_BURST_MAX];
    uint32_t count;
};

static inline void *limiter_at(struct limiter_shared *shared, uint64_t offset) {
    return (uint8_t *)shared + offset;
}
static inline struct ftmb_shared *limiter_variable(struct limiter_shared *shared, uint32_t index) {
    return ftmb_shared_at(limiter_at(shared, shared->variables), index);
}
/* A clock moves on to `now_ns`, or stays. */
static inline uint64_t limiter_advance(uint64_t *clock_ns, uint64_t now_ns) {
    *clock_ns = now_ns > *clock_ns ? now_ns : *clock_ns;
    return *clock_ns;
}

/* ---- Configuration (limiter_config.c), limits in words (limiter_limits.c) ---- */

extern const struct ftmb_option limiter_options[];
extern const struct ftmb_table limiter_tables[];
extern const struct ftmb_command limiter_command_list[];
int limiter_check(const void *config, uint32_t workers, char *error, size_t error_size);
/* Hundredths of a burst that classes before this one keep. */
uint32_t limiter_kept(const struct limiter_config *config, uint32_t class);

/* To the end of the text: { ("upload" | "download") rate [ "burst" bytes ] }; what is not named
 * stays as it is. */
bool limiter_read_limits(struct reader *reader, struct limiter_limit *limits);
/* Whether every class can pass the largest frame; else a message. */
bool limiter_limit_fits(const struct limiter_config *config, const struct limiter_limit *limit,
                        struct reader *reader);

/* ---- On the way ---- */

/* Whose packet it is: LIMITER_PASS, or why it is dropped whatever is in the buckets. */
enum limiter_reason limiter_parse(const struct limiter_config *config, struct ftmb_packet *packet,
                                  struct limiter_view *view);
/* Writes the class's DSCP into the packet, if it has one. */
void limiter_mark(const struct limiter_config *config, const struct limiter_view *view);
/* Of an address, what makes a host. */
struct ip_address limiter_host_of(const struct limiter_config *config, struct ip_address address,
                                  uint32_t version);
uint32_t limiter_hash(struct ip_address host);

void limiter_prefetch_host(const struct limiter_shared *shared, uint32_t hash);
void limiter_pass_hosts(struct ftmb_context *context, struct limiter_burst *burst);
/* The host's entry, new if need be, or NULL; under the variable of its stripe. */
struct limiter_host *limiter_find_host(const struct limiter_config *config,
                                       struct limiter_shared *shared, struct ip_address address,
                                       uint32_t hash, uint64_t now_ns);
uint32_t limiter_stripe_of(const struct limiter_shared *shared, uint32_t hash);
const struct limiter_limit *limiter_limits_of(const struct limiter_config *config,
                                              struct limiter_shared *shared,
                                              const struct limiter_host *host);

/* `prefix` PREFIX_MAP_NONE: that of everything. */
struct limiter_gate *limiter_gate_of(struct limiter_shared *shared, uint32_t prefix,
                                     uint32_t direction);
void limiter_pass_gates(struct ftmb_context *context, struct limiter_burst *burst);

int limiter_check_command(const void *config, const char *text, char *error, size_t error_size);
void limiter_command(struct ftmb_context *context, const char *text);

#endif

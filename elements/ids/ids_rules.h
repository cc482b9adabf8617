/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules as they are kept: parsed once (ids_parse*.c, ids_pattern.c), constant afterwards.
 *
 * Whoever parses owns them: the configuration holds the only pointer, and ids_rules_free() lets
 * them go. Spans are ranges of the arrays below; texts are offsets into `texts`. All of it is heap
 * memory of each process, never part of the arena.
 */
#ifndef IDS_RULES_H
#define IDS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_RULES_MAX 16384U
#define IDS_RULE_SIZE_MAX 8192U /* bytes of a rule's text */
#define IDS_ITEMS_MAX 32U       /* contents and expressions of a rule */
#define IDS_CONTENT_SIZE_MAX 255U
#define IDS_GAP_MAX 32000U /* what Hyperscan can count to is a little more */
#define IDS_STEPS_MAX 8U   /* flowbits options of a rule */
#define IDS_STEP_NAMES_MAX 4U
#define IDS_FLOWBITS_MAX 256U
#define IDS_FLOWBIT_WORDS (IDS_FLOWBITS_MAX / 64U)
#define IDS_FLOWBIT_NAME_MAX 63U
#define IDS_EXPRESSION_SIZE_MAX 16000U
#define IDS_MESSAGE_SIZE_MAX 512U
#define IDS_CATEGORY_SIZE_MAX 128U

enum ids_action { IDS_ACTION_PASS, IDS_ACTION_DROP, IDS_ACTION_ALERT }; /* in the order of asking */
enum ids_protocol { IDS_PROTOCOL_IP, IDS_PROTOCOL_TCP, IDS_PROTOCOL_UDP, IDS_PROTOCOL_ICMP };

/* IPv4 addresses are kept as ::ffff:a.b.c.d. */
struct ids_address {
    uint64_t high, low;
};
#define IDS_IPV4_MAPPED 0xffff00000000ULL

struct ids_prefix {
    struct ids_address address, mask;
    uint8_t version; /* 4 or 6 */
    bool is_negated;
};

struct ids_range {
    uint16_t first, last;
    bool is_negated;
};

struct ids_span {
    uint32_t first, count;
};

/* A number of a packet, such as its payload's size: from minimum to maximum, or outside of them. */
struct ids_bounds {
    uint32_t minimum, maximum;
    bool is_set, is_negated;
};

enum ids_flow_word {
    IDS_FLOW_TO_SERVER = 1U << 0,
    IDS_FLOW_TO_CLIENT = 1U << 1,
    IDS_FLOW_ESTABLISHED = 1U << 2,
    IDS_FLOW_NOT_ESTABLISHED = 1U << 3,
    IDS_FLOW_STATELESS = 1U << 4,
    IDS_FLOW_NO_STREAM = 1U << 5,
    IDS_FLOW_ONLY_STREAM = 1U << 6,
};

enum ids_step_kind {
    IDS_STEP_SET,
    IDS_STEP_UNSET,
    IDS_STEP_TOGGLE,
    IDS_STEP_IS_SET,
    IDS_STEP_IS_NOT_SET,
};

struct ids_step {
    uint8_t kind, name_count;
    uint8_t names[IDS_STEP_NAMES_MAX]; /* any of them */
};

enum ids_limit_kind {
    IDS_LIMIT_NONE,
    IDS_LIMIT_LIMIT,     /* the first `count` in a time */
    IDS_LIMIT_THRESHOLD, /* each `count`th */
    IDS_LIMIT_BOTH,      /* once in a time, after `count` */
    IDS_LIMIT_DETECTION, /* all beyond `count` in a time */
};
enum ids_track { IDS_TRACK_SOURCE, IDS_TRACK_DESTINATION, IDS_TRACK_BOTH, IDS_TRACK_RULE };

enum ids_flags_mode {
    IDS_FLAGS_ANY,
    IDS_FLAGS_EXACT,
    IDS_FLAGS_ALL,
    IDS_FLAGS_SOME,
    IDS_FLAGS_NOT
};

/* Where a rule's parts are looked for. */
enum ids_place {
    IDS_IN_STREAM = 1U << 0, /* TCP's bytes in order */
    IDS_IN_PACKET = 1U << 1, /* each packet's payload alone */
    IDS_FIRST_PACKETS =
        1U << 2, /* asks of addresses and ports alone: the first packet each way of a flow */
};

struct ids_rule {
    uint32_t sid, gid, revision;
    uint8_t action;   /* enum ids_action */
    uint8_t protocol; /* enum ids_protocol */
    uint8_t priority;
    uint8_t flow;   /* of enum ids_flow_word */
    uint8_t places; /* of enum ids_place */
    bool is_both_ways;
    bool is_silent; /* noalert */
    uint8_t flags_mode, flags_wanted, flags_mask;
    uint8_t limit_kind, limit_track;
    uint8_t step_count;
    struct ids_span source, source_ports, destination, destination_ports;
    struct ids_span parts;
    uint32_t positive_count; /* of the parts */
    uint32_t limit_count, limit_seconds;
    uint32_t alert; /* text: what an alert says of the rule, as JSON */
    struct ids_bounds size, type, code;
    struct ids_step steps[IDS_STEPS_MAX];
};

/* One expression for Hyperscan. A rule has matched when all its parts were found but the negated
 * ones. */
struct ids_part {
    uint32_t expression; /* text */
    uint32_t rule;
    bool is_negated;
    bool is_anchored; /* to the beginning, which a stream after a gap does not have */
    bool is_kept;     /* across packets: its rule has other parts */
};

struct ids_engine;

struct ids_rules {
    struct ids_rule *rules;
    struct ids_part *parts;
    struct ids_prefix *prefixes;
    struct ids_range *ranges;
    char *texts;
    char (*flowbits)[IDS_FLOWBIT_NAME_MAX + 1];
    uint32_t rule_count, part_count, prefix_count, range_count, text_size, flowbit_count;
    uint32_t rule_room, part_room, prefix_room, range_room, text_room, flowbit_room;
    struct ids_engine *engine; /* compiled by the first ids_engine_get() of a process */
};

static inline const char *ids_text(const struct ids_rules *rules, uint32_t offset) {
    return rules->texts + offset;
}

void ids_rules_free(struct ids_rules *rules);

/*
 * A place more in one of the arrays (`count` of them are used): NULL when there is no memory. What
 * it holds is zero.
 */
void *ids_grow(void **array, uint32_t *count, uint32_t *room, size_t size, uint32_t more);

/* ---- Parsing: ids_parse.c and its helpers ---- */

/* Adds a rule; 0, or -1 with a message, and then nothing has changed. */
int ids_parse_rule(void *config, const char *text, char *error, size_t error_size);

struct ids_reader {
    const char *at;
    struct ids_rules *rules;
    char *error;
    size_t error_size;
};

/* False, always, with a message. */
bool ids_refuse(struct ids_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, telling what stands here and what was wanted. */
bool ids_refuse_here(struct ids_reader *reader, const char *wanted);
/* Whether `text` stands here; then the reader is behind it. */
bool ids_take(struct ids_reader *reader, const char *text);
/* A decimal number without leading zeros, from minimum to maximum. */
bool ids_take_number(struct ids_reader *reader, uint64_t minimum, uint64_t maximum,
                     const char *what, uint32_t *value);
/* Keeps a text; false, with a message, when there is no memory. */
bool ids_keep_text(struct ids_reader *reader, const char *text, size_t length, uint32_t *offset);

/* A content or an expression as it was read, before it becomes a part or some of one. */
struct ids_item {
    bool is_expression, is_negated, is_nocase, starts, ends, is_relative;
    bool has_offset, has_depth, has_distance, has_within;
    bool has_anchor; /* an expression with ^ or \A */
    char flags[5];   /* of an expression, without R */
    uint32_t offset, depth, distance, within;
    uint32_t length;
    uint8_t bytes[IDS_CONTENT_SIZE_MAX];
    const char *expression; /* borrowed from the rule's text, `length` bytes */
};

struct ids_draft {
    struct ids_rule rule;
    uint32_t seen; /* options that may stand once (ids_parse_options.c) */
    uint32_t item_count;
    struct ids_item items[IDS_ITEMS_MAX];
    char message[IDS_MESSAGE_SIZE_MAX + 1];
    char category[IDS_CATEGORY_SIZE_MAX + 1];
};

/* The options between the parentheses, and the closing one. */
bool ids_parse_options(struct ids_reader *reader, struct ids_draft *draft);
/* "content" and "pcre" behind their colon, and the words that modify the one before. */
bool ids_parse_content(struct ids_reader *reader, struct ids_draft *draft);
bool ids_parse_expression(struct ids_reader *reader, struct ids_draft *draft);
bool ids_parse_modifier(struct ids_reader *reader, struct ids_draft *draft, const char *name,
                        bool *is_known);
bool ids_check_items(struct ids_reader *reader, struct ids_draft *draft);
/* flow, flowbits, threshold and detection_filter behind their colon (ids_parse_state.c). */
bool ids_parse_flow(struct ids_reader *reader, struct ids_rule *rule);
bool ids_parse_flowbits(struct ids_reader *reader, struct ids_rule *rule);
bool ids_parse_threshold(struct ids_reader *reader, struct ids_rule *rule);
bool ids_parse_detection_filter(struct ids_reader *reader, struct ids_rule *rule);
/* Makes the rule's parts of its items (ids_pattern.c). */
bool ids_build_parts(struct ids_reader *reader, struct ids_draft *draft);

#endif

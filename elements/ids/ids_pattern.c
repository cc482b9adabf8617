/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From contents and expressions to parts, each one expression for Hyperscan.
 *
 * What is relative follows what it is relative to in one expression, with the gap between them
 * counted (`a.{2,7}b`), so Hyperscan finds it in a stream however it is cut into packets, and no
 * byte that was looked at has to be kept. What stands alone is a part of its own, and so is what is
 * negated; bits of the stream remember which parts were found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hs/hs.h>

#include "ids/ids_json.h"
#include "ids/ids_rules.h"

#define PLAIN_GAP_MAX 256U /* up to here, and for one gap, what comes out is known to compile */

struct writer {
    char text[IDS_EXPRESSION_SIZE_MAX + 1];
    uint32_t length;
    bool is_full, is_anchored;
    bool is_plain; /* contents alone, with short gaps: no need to try it */
    uint32_t gaps;
};

static void put(struct writer *writer, const char *text, size_t length) {
    if (length > IDS_EXPRESSION_SIZE_MAX - writer->length) {
        writer->is_full = true;
        return;
    }
    memcpy(writer->text + writer->length, text, length);
    writer->length += (uint32_t)length;
    writer->text[writer->length] = '\0';
}

static void put_text(struct writer *writer, const char *text) {
    put(writer, text, strlen(text));
}

static void put_byte(struct writer *writer, uint8_t byte) {
    char text[8];
    bool is_plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= 'a' && byte <= 'z');
    put(writer, text, (size_t)snprintf(text, sizeof(text), is_plain ? "%c" : "\\x%02x", byte));
}

/* Any bytes, from `minimum` to `maximum` of them; UINT32_MAX: as many as there are. */
static void put_gap(struct writer *writer, uint32_t minimum, uint32_t maximum) {
    char text[40];
    if (minimum == 0 && maximum == 0) {
        return;
    }
    if (minimum == 0 && maximum == UINT32_MAX) {
        put_text(writer, ".*");
        return;
    }
    if (maximum == UINT32_MAX) {
        snprintf(text, sizeof(text), ".{%u,}", minimum);
    } else {
        snprintf(text, sizeof(text), ".{%u,%u}", minimum, maximum);
    }
    put_text(writer, text);
    uint32_t longest = maximum == UINT32_MAX ? minimum : maximum;
    writer->is_plain = writer->is_plain && longest <= PLAIN_GAP_MAX && ++writer->gaps == 1;
}

static void put_content(struct writer *writer, const struct ids_item *item) {
    put_text(writer, item->is_nocase ? "(?i:" : "");
    for (uint32_t index = 0; index < item->length; index++) {
        put_byte(writer, item->bytes[index]);
    }
    put_text(writer, item->is_nocase ? ")" : "");
    put_text(writer, item->ends ? "\\z" : "");
}

/* In a group, with its own flags in place of the whole's; x may end it in a comment. */
static void put_expression(struct writer *writer, const struct ids_item *item) {
    const char *text = item->expression;
    uint32_t length = item->length;
    bool skips_anchor = item->is_relative && *text == '^';
    writer->is_plain = false;
    put_text(writer, "(?");
    put_text(writer, item->flags);
    put_text(writer, strchr(item->flags, 's') == NULL ? "-s:" : ":");
    put(writer, text + skips_anchor, length - skips_anchor);
    put_text(writer, strchr(item->flags, 'x') == NULL ? ")" : "\n)");
}

/* What a part begins with: at a place from the beginning, or anywhere. */
static void put_first(struct writer *writer, const struct ids_item *item) {
    if (item->is_expression) {
        writer->is_anchored = item->has_anchor;
        put_expression(writer, item);
        return;
    }
    uint32_t offset = item->is_relative ? item->distance : item->offset;
    uint32_t depth = item->is_relative ? item->within : item->depth;
    bool has_depth = item->is_relative ? item->has_within : item->has_depth;
    writer->is_anchored = item->starts || offset != 0 || has_depth;
    if (writer->is_anchored) {
        put_text(writer, "^");
        put_gap(writer, offset,
                item->starts ? 0
                : has_depth  ? offset + depth - item->length
                             : UINT32_MAX);
    }
    put_content(writer, item);
}

/* None of the next `within` bytes is this one; what ends earlier has none either. */
static void put_absence(struct writer *writer, const struct ids_item *item) {
    char text[160];
    uint8_t byte = item->bytes[0];
    snprintf(text, sizeof(text), "(?:[^\\x%02x]{%u}|[^\\x%02x]{0,%u}\\z)", byte, item->within, byte,
             item->within - 1);
    writer->is_plain = false;
    put_gap(writer, item->distance, item->distance);
    put_text(writer, text);
}

static void put_next(struct writer *writer, const struct ids_item *item) {
    if (item->is_negated) {
        put_absence(writer, item);
    } else if (item->is_expression) {
        put_text(writer, *item->expression == '^' ? "" : ".*");
        put_expression(writer, item);
    } else {
        uint32_t room = item->within - item->length;
        put_gap(writer, item->distance, item->has_within ? item->distance + room : UINT32_MAX);
        put_content(writer, item);
    }
}

/* ---- Checks ---- */

static bool refuse_compile(struct ids_reader *reader, hs_compile_error_t *error) {
    ids_refuse(reader, "Hyperscan refuses the contents and expressions: %s", error->message);
    hs_free_compile_error(error);
    return false;
}

/* By itself first, so that brackets cannot reach out of the group that it will stand in. */
static bool check_expression(struct ids_reader *reader, const struct ids_item *item) {
    char text[IDS_RULE_SIZE_MAX + 1];
    hs_compile_error_t *error = NULL;
    hs_expr_info_t *info = NULL;
    unsigned flags = HS_FLAG_ALLOWEMPTY;
    flags |= strchr(item->flags, 's') != NULL ? HS_FLAG_DOTALL : 0;
    flags |= strchr(item->flags, 'i') != NULL ? HS_FLAG_CASELESS : 0;
    flags |= strchr(item->flags, 'm') != NULL ? HS_FLAG_MULTILINE : 0;
    bool is_extended = strchr(item->flags, 'x') != NULL;
    snprintf(text, sizeof(text), "%s%.*s%s", is_extended ? "(?x)" : "", (int)item->length,
             item->expression, is_extended ? "\n" : "");
    if (hs_expression_info(text, flags, &info, &error) != HS_SUCCESS) {
        return refuse_compile(reader, error);
    }
    free(info);
    return true;
}

static bool check_compiles(struct ids_reader *reader, const struct writer *writer) {
    hs_compile_error_t *error = NULL;
    hs_database_t *database = NULL;
    if (hs_compile(writer->text, HS_FLAG_DOTALL, HS_MODE_STREAM, NULL, &database, &error) !=
        HS_SUCCESS) {
        return refuse_compile(reader, error);
    }
    hs_free_database(database);
    return true;
}

/* ---- Parts ---- */

static bool add_part(struct ids_reader *reader, struct ids_rule *rule, const struct writer *writer,
                     bool is_negated) {
    struct ids_rules *rules = reader->rules;
    if (writer->is_full) {
        return ids_refuse(reader, "the contents and expressions make more than %u characters",
                          IDS_EXPRESSION_SIZE_MAX);
    }
    if (!writer->is_plain && !check_compiles(reader, writer)) {
        return false;
    }
    struct ids_part *part = ids_grow((void **)&rules->parts, &rules->part_count, &rules->part_room,
                                     sizeof(struct ids_part), 1);
    if (part == NULL) {
        return ids_refuse(reader, "there is no memory for more rules");
    }
    part->rule = rules->rule_count;
    part->is_negated = is_negated;
    part->is_anchored = writer->is_anchored;
    rule->parts.count++;
    rule->positive_count += !is_negated;
    return ids_keep_text(reader, writer->text, writer->length, &part->expression);
}

static void writer_start(struct writer *writer, const struct ids_item *item) {
    writer->length = writer->gaps = 0;
    writer->is_full = writer->is_anchored = false;
    writer->is_plain = true;
    put_first(writer, item);
}

static bool build_chain(struct ids_reader *reader, struct ids_draft *draft, uint32_t first,
                        struct writer *writer) {
    writer_start(writer, &draft->items[first]);
    for (uint32_t index = first + 1; index < draft->item_count; index++) {
        const struct ids_item *item = &draft->items[index];
        if (item->is_relative) {
            put_next(writer, item);
        } else if (!item->is_negated) {
            break; /* another chain begins; what is negated stands alone */
        }
    }
    return add_part(reader, &draft->rule, writer, false);
}

static bool build_items(struct ids_reader *reader, struct ids_draft *draft, struct writer *writer) {
    bool has_chain = false;
    for (uint32_t index = 0; index < draft->item_count; index++) {
        const struct ids_item *item = &draft->items[index];
        if (item->is_expression && !check_expression(reader, item)) {
            return false;
        }
        if (item->is_relative && has_chain) {
            continue; /* is in the chain that it belongs to */
        }
        if (item->is_relative && item->is_expression) {
            return ids_refuse(reader, "an expression with R has nothing before it");
        }
        if (item->is_negated) {
            writer_start(writer, item);
            if (!add_part(reader, &draft->rule, writer, true)) {
                return false;
            }
            continue;
        }
        has_chain = true;
        if (!build_chain(reader, draft, index, writer)) {
            return false;
        }
    }
    return true;
}

/* ---- Where they are looked for ---- */

static bool is_placed(const struct ids_draft *draft) {
    for (uint32_t index = 0; index < draft->item_count; index++) {
        const struct ids_item *item = &draft->items[index];
        if (item->has_offset || item->has_depth || item->starts) {
            return true;
        }
    }
    return false;
}

static bool has_end(const struct ids_draft *draft) {
    for (uint32_t index = 0; index < draft->item_count; index++) {
        if (draft->items[index].ends) {
            return true;
        }
    }
    return false;
}

/* As Suricata does: what asks of a packet's header or end, or for none of a stream, is looked for
 * in packets; what has a place in its payload in both; all else in the stream. */
static bool choose_places(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_rule *rule = &draft->rule;
    bool is_plain_flow = (rule->flow & ~(IDS_FLOW_TO_SERVER | IDS_FLOW_TO_CLIENT)) == 0;
    bool asks_of_packet = rule->size.is_set || rule->flags_mode != IDS_FLAGS_ANY ||
                          (rule->flow & IDS_FLOW_NO_STREAM) != 0 || has_end(draft);
    bool has_stream = rule->protocol == IDS_PROTOCOL_TCP || rule->protocol == IDS_PROTOCOL_IP;
    if ((rule->flow & IDS_FLOW_ONLY_STREAM) != 0) {
        if (asks_of_packet || draft->item_count == 0 || !has_stream) {
            return ids_refuse(reader, "only_stream needs tcp or ip and a content, and excludes "
                                      "dsize, flags and endswith");
        }
        rule->places = IDS_IN_STREAM;
        return true;
    }
    if (draft->item_count != 0) {
        bool in_packets = asks_of_packet || !has_stream || is_placed(draft);
        rule->places |= in_packets ? IDS_IN_PACKET : 0;
        rule->places |= !asks_of_packet && has_stream ? IDS_IN_STREAM : 0;
        return true;
    }
    bool is_of_ends = !asks_of_packet && is_plain_flow && !rule->type.is_set && !rule->code.is_set;
    rule->places = is_of_ends ? IDS_FIRST_PACKETS : IDS_IN_PACKET;
    return true;
}

bool ids_build_parts(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_rule *rule = &draft->rule;
    struct writer *writer = malloc(sizeof(struct writer));
    if (writer == NULL) {
        return ids_refuse(reader, "there is no memory for more rules");
    }
    rule->parts.first = reader->rules->part_count;
    bool is_built = choose_places(reader, draft) && build_items(reader, draft, writer);
    free(writer);
    for (uint32_t index = 0; is_built && index < rule->parts.count; index++) {
        reader->rules->parts[rule->parts.first + index].is_kept = rule->parts.count > 1;
    }
    char json[IDS_JSON_RULE_SIZE_MAX];
    uint32_t size = is_built ? ids_json_rule(draft, json) : 0;
    return is_built && ids_keep_text(reader, json, size, &rule->alert);
}

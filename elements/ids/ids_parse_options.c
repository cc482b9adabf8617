/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a canonical rule that speak of the rule and of packets' headers. */
#include <stdio.h>
#include <string.h>

#include "ids/ids_rules.h"

#define NAME_MAX_LENGTH 32U

/* ---- Quoted texts ---- */

/* Bytes of the UTF-8 character at `at`, 0 if it is none. */
static uint32_t character_size(const char *text) {
    const uint8_t *at = (const uint8_t *)text;
    uint32_t size = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : 4;
    uint32_t value = size == 1 ? at[0] : at[0] & (0x7fU >> size);
    static const uint32_t minimum[] = {0, 0, 0x80, 0x800, 0x10000};
    if (size == 4 && at[0] >> 3 != 30) {
        return 0;
    }
    for (uint32_t index = 1; index < size; index++) {
        if (at[index] >> 6 != 2) {
            return 0;
        }
        value = value << 6 | (at[index] & 0x3fU);
    }
    bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    return value < minimum[size] || value > 0x10ffff || is_surrogate ? 0 : size;
}

/* "text", in which a backslash stands before quotes, semicolons and backslashes. */
static bool parse_quoted(struct ids_reader *reader, char *text, uint32_t size_max) {
    uint32_t length = 0;
    if (!ids_take(reader, "\"")) {
        return ids_refuse_here(reader, "a text in quotes");
    }
    while (*reader->at != '"') {
        if (*reader->at == '\\' && strchr("\"\\;", reader->at[1]) != NULL) {
            reader->at++;
        } else if (*reader->at == '\\' || *reader->at == ';') {
            return ids_refuse_here(reader, "\\\\, \\\" or \\;");
        }
        uint32_t size = character_size(reader->at);
        if ((uint8_t)*reader->at < 0x20 || *reader->at == 0x7f || size == 0) {
            return ids_refuse_here(reader, "UTF-8 without control characters, then \",");
        }
        if (length + size > size_max) {
            return ids_refuse(reader, "a text in quotes is longer than %u bytes", size_max);
        }
        memcpy(text + length, reader->at, size);
        length += size;
        reader->at += size;
    }
    reader->at++;
    text[length] = '\0';
    return true;
}

static bool parse_message(struct ids_reader *reader, struct ids_draft *draft) {
    return parse_quoted(reader, draft->message, IDS_MESSAGE_SIZE_MAX);
}

static bool parse_category(struct ids_reader *reader, struct ids_draft *draft) {
    return parse_quoted(reader, draft->category, IDS_CATEGORY_SIZE_MAX);
}

static bool parse_classtype(struct ids_reader *reader, struct ids_draft *draft) {
    size_t length = strspn(reader->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_.-");
    (void)draft;
    reader->at += length;
    return length != 0 || ids_refuse_here(reader, "a name");
}

/* ---- Numbers ---- */

static bool parse_sid(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_take_number(reader, 1, UINT32_MAX, "a number", &draft->rule.sid);
}

static bool parse_gid(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_take_number(reader, 0, UINT32_MAX, "a number", &draft->rule.gid);
}

static bool parse_revision(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_take_number(reader, 0, UINT32_MAX, "a number", &draft->rule.revision);
}

static bool parse_priority(struct ids_reader *reader, struct ids_draft *draft) {
    uint32_t priority;
    if (!ids_take_number(reader, 1, UINT8_MAX, "a number", &priority)) {
        return false;
    }
    draft->rule.priority = (uint8_t)priority;
    return true;
}

/* N, !N, <N, <=N, >N, >=N, or N<>M: between, without both ends. */
static bool parse_bounds(struct ids_reader *reader, uint32_t maximum, struct ids_bounds *bounds) {
    uint32_t number;
    *bounds = (struct ids_bounds){.maximum = maximum, .is_set = true};
    bool or_more = ids_take(reader, ">=");
    bool or_less = !or_more && ids_take(reader, "<=");
    bool more = !or_more && !or_less && ids_take(reader, ">");
    bool less = !or_more && !or_less && !more && ids_take(reader, "<");
    bool is_plain = !or_more && !or_less && !more && !less;
    bounds->is_negated = is_plain && ids_take(reader, "!");
    if (!ids_take_number(reader, 0, maximum, "a number", &number)) {
        return false;
    }
    if (or_more || more) {
        bounds->minimum = more ? number + 1 : number;
    } else if (or_less || (less && number > 0)) {
        bounds->maximum = less ? number - 1 : number;
    } else if (less) {
        return ids_refuse(reader, "nothing is less than 0");
    } else if (!bounds->is_negated && ids_take(reader, "<>")) {
        bounds->minimum = number + 1;
        if (!ids_take_number(reader, number + 2, maximum, "a number", &number)) {
            return false;
        }
        bounds->maximum = number - 1;
    } else {
        bounds->minimum = bounds->maximum = number;
    }
    return true;
}

static bool parse_size(struct ids_reader *reader, struct ids_draft *draft) {
    return parse_bounds(reader, UINT16_MAX, &draft->rule.size);
}

static bool parse_type(struct ids_reader *reader, struct ids_draft *draft) {
    if (draft->rule.protocol != IDS_PROTOCOL_ICMP) {
        return ids_refuse(reader, "itype is of icmp only");
    }
    return parse_bounds(reader, UINT8_MAX, &draft->rule.type);
}

static bool parse_code(struct ids_reader *reader, struct ids_draft *draft) {
    if (draft->rule.protocol != IDS_PROTOCOL_ICMP) {
        return ids_refuse(reader, "icode is of icmp only");
    }
    return parse_bounds(reader, UINT8_MAX, &draft->rule.code);
}

/* ---- TCP flags ---- */

static bool parse_letters(struct ids_reader *reader, uint8_t *bits) {
    static const char letters[] = "FSRPAUEC"; /* from the lowest bit */
    *bits = 0;
    if (ids_take(reader, "0")) {
        return true;
    }
    const char *letter;
    while (*reader->at != '\0' && (letter = strchr(letters, *reader->at)) != NULL) {
        uint8_t bit = (uint8_t)(1U << (letter - letters));
        if ((*bits & bit) != 0) {
            return ids_refuse_here(reader, "each letter once");
        }
        *bits |= bit;
        reader->at++;
    }
    return *bits != 0 || ids_refuse_here(reader, "letters of FSRPAUEC, or 0");
}

static bool parse_flags(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_rule *rule = &draft->rule;
    uint8_t ignored = 0;
    if (rule->protocol != IDS_PROTOCOL_TCP) {
        return ids_refuse(reader, "flags is of tcp only");
    }
    rule->flags_mode = ids_take(reader, "+")   ? IDS_FLAGS_ALL
                       : ids_take(reader, "*") ? IDS_FLAGS_SOME
                       : ids_take(reader, "!") ? IDS_FLAGS_NOT
                                               : IDS_FLAGS_EXACT;
    if (!parse_letters(reader, &rule->flags_wanted) ||
        (ids_take(reader, ",") && !parse_letters(reader, &ignored))) {
        return false;
    }
    rule->flags_mask = (uint8_t)~ignored;
    return true;
}

/* ---- Options that others read ---- */

static bool parse_flow(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_parse_flow(reader, &draft->rule);
}

static bool parse_flowbits(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_parse_flowbits(reader, &draft->rule);
}

static bool parse_threshold(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_parse_threshold(reader, &draft->rule);
}

static bool parse_detection_filter(struct ids_reader *reader, struct ids_draft *draft) {
    return ids_parse_detection_filter(reader, &draft->rule);
}

/* ---- All options ---- */

static const struct {
    const char *name;
    bool (*parse)(struct ids_reader *reader, struct ids_draft *draft);
    bool is_many; /* may stand more than once */
} options[] = {
    {"sid", parse_sid, false},
    {"gid", parse_gid, false},
    {"rev", parse_revision, false},
    {"msg", parse_message, false},
    {"classtype", parse_classtype, false},
    {"category", parse_category, false},
    {"priority", parse_priority, false},
    {"content", ids_parse_content, true},
    {"pcre", ids_parse_expression, true},
    {"flow", parse_flow, false},
    {"flowbits", parse_flowbits, true},
    {"threshold", parse_threshold, false},
    {"detection_filter", parse_detection_filter, false},
    {"dsize", parse_size, false},
    {"itype", parse_type, false},
    {"icode", parse_code, false},
    {"flags", parse_flags, false},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))
_Static_assert(OPTION_COUNT <= 32, "a bit for each option");

static bool parse_option(struct ids_reader *reader, struct ids_draft *draft, const char *name) {
    bool is_known = false;
    for (uint32_t index = 0; index < OPTION_COUNT; index++) {
        if (strcmp(name, options[index].name) != 0) {
            continue;
        }
        if (!options[index].is_many && (draft->seen & 1U << index) != 0) {
            return ids_refuse(reader, "%s stands there twice", name);
        }
        draft->seen |= 1U << index;
        return ids_take(reader, ":") ? options[index].parse(reader, draft)
                                     : ids_refuse_here(reader, "\":\"");
    }
    if (strcmp(name, "noalert") == 0) {
        draft->rule.is_silent = true;
        return true;
    }
    if (!ids_parse_modifier(reader, draft, name, &is_known)) {
        return false;
    }
    return is_known || ids_refuse(reader, "\"%s\" is no option of a canonical rule", name);
}

static bool parse_name(struct ids_reader *reader, char *name) {
    size_t length = strspn(reader->at, "abcdefghijklmnopqrstuvwxyz_");
    if (length == 0 || length > NAME_MAX_LENGTH) {
        return ids_refuse_here(reader, "the name of an option");
    }
    memcpy(name, reader->at, length);
    name[length] = '\0';
    reader->at += length;
    return true;
}

bool ids_parse_options(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_rule *rule = &draft->rule;
    rule->gid = 1;
    rule->priority = 3;
    do {
        char name[NAME_MAX_LENGTH + 1];
        if (!parse_name(reader, name) || !parse_option(reader, draft, name)) {
            return false;
        }
        if (!ids_take(reader, ";")) {
            return ids_refuse_here(reader, "\";\"");
        }
    } while (ids_take(reader, " "));
    if (!ids_take(reader, ")")) {
        return ids_refuse_here(reader, "a space and an option, or \")\",");
    }
    if (*reader->at != '\0') {
        return ids_refuse_here(reader, "the end");
    }
    if (rule->sid == 0) {
        return ids_refuse(reader, "there is no sid");
    }
    return ids_check_items(reader, draft);
}

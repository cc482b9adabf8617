/* SPDX-License-Identifier: BSD-3-Clause */
/* content, pcre, and the words that modify the content before them. */
#include <string.h>

#include "ids/ids_rules.h"

static struct ids_item *new_item(struct ids_reader *reader, struct ids_draft *draft) {
    if (draft->item_count == IDS_ITEMS_MAX) {
        ids_refuse(reader, "more than %u contents and expressions", IDS_ITEMS_MAX);
        return NULL;
    }
    struct ids_item *item = &draft->items[draft->item_count++];
    item->is_negated = ids_take(reader, "!");
    return item;
}

/* ---- content ---- */

static int digit_of(char character) {
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    char lower = (char)(character | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool add_byte(struct ids_reader *reader, struct ids_item *item, uint32_t byte) {
    if (item->length == IDS_CONTENT_SIZE_MAX) {
        return ids_refuse(reader, "a content is longer than %u bytes", IDS_CONTENT_SIZE_MAX);
    }
    item->bytes[item->length++] = (uint8_t)byte;
    return true;
}

/* Pairs of digits between bars, with single spaces between them if at all. */
static bool parse_hex(struct ids_reader *reader, struct ids_item *item) {
    do {
        int high = digit_of(reader->at[0]);
        int low = high < 0 ? -1 : digit_of(reader->at[1]);
        if (low < 0) {
            return ids_refuse_here(reader, "two hexadecimal digits");
        }
        if (!add_byte(reader, item, (uint32_t)(high << 4 | low))) {
            return false;
        }
        reader->at += 2;
        if (*reader->at == ' ') {
            reader->at++;
        }
    } while (*reader->at != '|');
    reader->at++;
    return true;
}

bool ids_parse_content(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_item *item = new_item(reader, draft);
    if (item == NULL) {
        return false;
    }
    if (!ids_take(reader, "\"")) {
        return ids_refuse_here(reader, "a content in quotes");
    }
    while (*reader->at != '"') {
        char character = *reader->at;
        if (character < 0x20 || character > 0x7e || character == '\\' || character == ';') {
            return ids_refuse_here(reader, "a printable character (others in hex), or \",");
        }
        reader->at++;
        if (character == '|' ? !parse_hex(reader, item)
                             : !add_byte(reader, item, (uint8_t)character)) {
            return false;
        }
    }
    reader->at++;
    return item->length != 0 || ids_refuse(reader, "a content is empty");
}

/* ---- pcre ---- */

/* The end of the text in quotes: a backslash takes the character behind it along. */
static const char *find_quote(const char *at) {
    while (*at != '"' && *at != '\0') {
        at += *at == '\\' && at[1] != '\0' ? 2 : 1;
    }
    return *at == '"' ? at : NULL;
}

static bool has_anchor(const char *at, const char *end) {
    bool is_in_class = false;
    for (; at < end; at++) {
        if (*at == '\\' && at + 1 < end) {
            at++;
            if (*at == 'A' && !is_in_class) {
                return true;
            }
        } else if (is_in_class) {
            is_in_class = *at != ']';
        } else if (*at == '[') {
            is_in_class = true;
            at += at + 1 < end && at[1] == '^';
            at += at + 1 < end && at[1] == ']';
        } else if (*at == '^') {
            return true;
        }
    }
    return false;
}

static bool parse_flags(struct ids_reader *reader, struct ids_item *item, const char *at,
                        const char *end) {
    uint32_t count = 0;
    for (; at < end; at++) {
        bool is_known = strchr("ismx", *at) != NULL;
        bool is_twice = *at == 'R' ? item->is_relative : strchr(item->flags, *at) != NULL;
        if (is_twice || (!is_known && *at != 'R')) {
            reader->at = at;
            return ids_refuse_here(reader, "flags of i, s, m, x and R, each once,");
        }
        if (*at == 'R') {
            item->is_relative = true;
        } else {
            item->flags[count++] = *at;
        }
    }
    return true;
}

static bool check_relative(struct ids_reader *reader, const struct ids_item *item) {
    const char *end = item->expression + item->length;
    bool is_anchored = *item->expression == '^';
    if (has_anchor(item->expression + is_anchored, end) ||
        (is_anchored && memchr(item->expression, '|', item->length) != NULL)) {
        return ids_refuse(reader, "an expression with R may have ^ only as its first character, "
                                  "and then no | in it");
    }
    return !item->is_negated || ids_refuse(reader, "a negated expression cannot have R");
}

bool ids_parse_expression(struct ids_reader *reader, struct ids_draft *draft) {
    struct ids_item *item = new_item(reader, draft);
    if (item == NULL) {
        return false;
    }
    if (!ids_take(reader, "\"/")) {
        return ids_refuse_here(reader, "an expression such as \"/x/i\"");
    }
    const char *quote = find_quote(reader->at);
    const char *end = quote;
    while (end != NULL && *end != '/' && end > reader->at) {
        end--;
    }
    if (end == NULL || *end != '/' || end == reader->at) {
        return ids_refuse_here(reader, "an expression, / and flags in quotes");
    }
    item->is_expression = true;
    item->expression = reader->at;
    item->length = (uint32_t)(end - reader->at);
    item->has_anchor = has_anchor(item->expression, end);
    if (!parse_flags(reader, item, end + 1, quote) ||
        (item->is_relative && !check_relative(reader, item))) {
        return false;
    }
    reader->at = quote + 1;
    return true;
}

/* ---- What modifies a content ---- */

static bool parse_distance_word(struct ids_reader *reader, const char *name, uint32_t minimum,
                                bool *has, uint32_t *value) {
    if (*has) {
        return ids_refuse(reader, "%s stands twice behind a content", name);
    }
    *has = true;
    if (!ids_take(reader, ":")) {
        return ids_refuse_here(reader, "\":\"");
    }
    return ids_take_number(reader, minimum, IDS_GAP_MAX, "a number", value);
}

static bool set_once(struct ids_reader *reader, const char *name, bool *flag) {
    if (*flag) {
        return ids_refuse(reader, "%s stands twice behind a content", name);
    }
    *flag = true;
    return true;
}

bool ids_parse_modifier(struct ids_reader *reader, struct ids_draft *draft, const char *name,
                        bool *is_known) {
    static const char *const names[] = {"nocase", "fast_pattern", "startswith", "endswith",
                                        "offset", "depth",        "distance",   "within"};
    uint32_t index = 0;
    while (index < sizeof(names) / sizeof(names[0]) && strcmp(name, names[index]) != 0) {
        index++;
    }
    *is_known = index < sizeof(names) / sizeof(names[0]);
    if (!*is_known) {
        return true;
    }
    struct ids_item *item = draft->item_count == 0 ? NULL : &draft->items[draft->item_count - 1];
    if (item == NULL || item->is_expression) {
        return ids_refuse(reader, "%s does not stand behind a content", name);
    }
    bool is_fast = false;
    switch (index) {
    case 0:
        return set_once(reader, name, &item->is_nocase);
    case 1:
        return set_once(reader, name, &is_fast);
    case 2:
        return set_once(reader, name, &item->starts);
    case 3:
        return set_once(reader, name, &item->ends);
    case 4:
        return parse_distance_word(reader, name, 0, &item->has_offset, &item->offset);
    case 5:
        return parse_distance_word(reader, name, 1, &item->has_depth, &item->depth);
    case 6:
        return parse_distance_word(reader, name, 0, &item->has_distance, &item->distance);
    default:
        return parse_distance_word(reader, name, 1, &item->has_within, &item->within);
    }
}

/* ---- What goes together ---- */

static bool is_letter(uint8_t byte) {
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool check_item(struct ids_reader *reader, struct ids_item *item) {
    bool is_placed = item->has_offset || item->has_depth || item->starts;
    if (item->is_expression) {
        return true;
    }
    item->is_relative = item->has_distance || item->has_within;
    if (item->is_relative && is_placed) {
        return ids_refuse(reader, "a content has distance or within, and offset, depth or "
                                  "startswith");
    }
    if (item->starts && (item->offset != 0 || item->has_depth)) {
        return ids_refuse(reader, "a content has startswith, and offset or depth");
    }
    if ((item->has_depth && item->depth < item->length) ||
        (item->has_within && item->within < item->length)) {
        return ids_refuse(reader, "depth or within is less than the content's length");
    }
    if (item->is_negated && item->is_relative &&
        (item->length != 1 || !item->has_within || item->ends ||
         (item->is_nocase && is_letter(item->bytes[0])))) {
        return ids_refuse(reader, "a negated content with distance or within must be of one byte "
                                  "(with nocase no letter), have within, and no endswith");
    }
    return true;
}

bool ids_check_items(struct ids_reader *reader, struct ids_draft *draft) {
    bool has_end = false; /* of what a relative item would follow */
    for (uint32_t index = 0; index < draft->item_count; index++) {
        struct ids_item *item = &draft->items[index];
        if (!check_item(reader, item)) {
            return false;
        }
        if (item->is_relative && has_end) {
            return ids_refuse(reader, "nothing relative may follow endswith or a negated content "
                                      "that is relative");
        }
        if (!item->is_negated || item->is_relative) {
            has_end = item->ends || (item->is_negated && item->is_relative);
        }
    }
    return true;
}

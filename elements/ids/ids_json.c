/* SPDX-License-Identifier: BSD-3-Clause */
#include "ids/ids_json.h"

#include <stdio.h>

/* The texts hold no control characters and are whole UTF-8 (ids_parse_options.c). */
static uint32_t put_string(char *json, const char *text) {
    uint32_t length = 0;
    json[length++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            json[length++] = '\\';
        }
        json[length++] = *text;
    }
    json[length++] = '"';
    return length;
}

uint32_t ids_json_rule(const struct ids_draft *draft, char *json) {
    const struct ids_rule *rule = &draft->rule;
    size_t room = IDS_JSON_RULE_SIZE_MAX;
    uint32_t length = (uint32_t)snprintf(
        json, room, "\"gid\":%u,\"signature_id\":%u,\"rev\":%u,\"signature\":", rule->gid,
        rule->sid, rule->revision);
    length += put_string(json + length, draft->message);
    length += (uint32_t)snprintf(json + length, room - length, ",\"category\":");
    length += put_string(json + length, draft->category);
    return length +
           (uint32_t)snprintf(json + length, room - length, ",\"severity\":%u", rule->priority);
}

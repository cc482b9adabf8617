/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alerts: noted in a ring in the arena, sent as lines of EVE JSON as there is room.
 *
 * A line is sent without its beginning, which the journal port makes of the eight bytes of time
 * that stand before it.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ids/ids_json.h"
#include "ids/ids_state.h"

#define TIME_SIZE sizeof(uint64_t)
#define OWN_SIZE_MAX 400U /* of a line, but for what the rule says */
_Static_assert(TIME_SIZE + OWN_SIZE_MAX + IDS_JSON_RULE_SIZE_MAX <= 2048U, "a line is a frame");

void ids_alert_add(struct ids_work *work, uint32_t rule) {
    struct ids_state *state = work->state;
    const struct ids_view *view = work->view;
    uint32_t capacity = work->config->alerts_max;
    bool is_icmp = ids_is_icmp(view->key.protocol);
    if (state->alert_count == capacity) {
        state->totals.alerts_refused++;
        return;
    }
    uint32_t place = state->alert_first + state->alert_count++;
    struct ids_alert *alert = ids_at(state, state->alerts);
    alert += place >= capacity ? place - capacity : place;
    *alert = (struct ids_alert){
        .time_ns = view->packet->time_ns,
        .flow_id = work->flow == NULL ? 0 : work->flow->id,
        .has_flow = work->flow != NULL,
        .source = view->key.ends[view->sender],
        .destination = view->key.ends[view->sender ^ 1],
        .source_port = is_icmp ? view->type : view->key.ports[view->sender],
        .destination_port = is_icmp ? view->code : view->key.ports[view->sender ^ 1],
        .rule = rule,
        .protocol = view->key.protocol,
        .version = view->key.version,
    };
}

/* ---- Lines ---- */

struct line {
    char text[OWN_SIZE_MAX + IDS_JSON_RULE_SIZE_MAX];
    uint32_t length;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line->length += (uint32_t)vsnprintf(line->text + line->length,
                                        sizeof(line->text) - line->length, format, arguments);
    va_end(arguments);
}

static void put_address(struct line *line, const char *name, const struct ids_address *address,
                        uint8_t version) {
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    for (uint32_t index = 0; index < 8; index++) {
        bytes[index] = (uint8_t)(address->high >> (56 - 8 * index));
        bytes[8 + index] = (uint8_t)(address->low >> (56 - 8 * index));
    }
    inet_ntop(version == 4 ? AF_INET : AF_INET6, version == 4 ? bytes + 12 : bytes, text,
              sizeof(text));
    put(line, "\"%s\":\"%s\",", name, text);
}

static void put_protocol(struct line *line, const struct ids_alert *alert) {
    switch (alert->protocol) {
    case FTMB_PROTOCOL_TCP:
        put(line, "\"proto\":\"TCP\"");
        return;
    case FTMB_PROTOCOL_UDP:
        put(line, "\"proto\":\"UDP\"");
        return;
    case FTMB_PROTOCOL_ICMP:
    case FTMB_PROTOCOL_ICMPV6:
        put(line, "\"proto\":\"%s\",\"icmp_type\":%u,\"icmp_code\":%u",
            alert->version == 4 ? "ICMP" : "IPv6-ICMP", alert->source_port,
            alert->destination_port);
        return;
    default:
        put(line, "\"proto\":\"%03u\"", alert->protocol);
    }
}

static void put_alert(struct line *line, const struct ids_rules *rules,
                      const struct ids_alert *alert) {
    const struct ids_rule *rule = &rules->rules[alert->rule];
    bool has_ports = alert->protocol == FTMB_PROTOCOL_TCP || alert->protocol == FTMB_PROTOCOL_UDP;
    put(line, "\"event_type\":\"alert\",");
    if (alert->has_flow) {
        put(line, "\"flow_id\":%llu,", (unsigned long long)alert->flow_id);
    }
    put_address(line, "src_ip", &alert->source, alert->version);
    if (has_ports) {
        put(line, "\"src_port\":%u,", alert->source_port);
    }
    put_address(line, "dest_ip", &alert->destination, alert->version);
    if (has_ports) {
        put(line, "\"dest_port\":%u,", alert->destination_port);
    }
    put_protocol(line, alert);
    put(line, ",\"alert\":{\"action\":\"%s\",%s}}",
        rule->action == IDS_ACTION_DROP ? "blocked" : "allowed", ids_text(rules, rule->alert));
}

void ids_alerts_send(struct ftmb_context *context) {
    const struct ids_config *config = context->config;
    struct ids_state *state = context->state;
    const struct ids_alert *alerts = ids_at(state, state->alerts);
    for (uint32_t room = state->alert_count == 0 ? 0 : ftmb_emit_room(context);
         room != 0 && state->alert_count != 0; room--) {
        const struct ids_alert *alert = &alerts[state->alert_first];
        struct line line = {.length = 0};
        put_alert(&line, config->rules, alert);
        struct ftmb_packet *packet =
            ftmb_emit(context, (uint16_t)(TIME_SIZE + line.length), config->alerts);
        if (packet == NULL) {
            return;
        }
        memcpy(packet->data, &alert->time_ns, TIME_SIZE);
        memcpy(packet->data + TIME_SIZE, line.text, line.length);
        state->alert_first =
            state->alert_first + 1 == config->alerts_max ? 0 : state->alert_first + 1;
        state->alert_count--;
        state->totals.alerts++;
    }
}

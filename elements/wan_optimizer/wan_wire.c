/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of any bytes come in here: nothing is read or written beyond what was compared first. */
#include "wan_wire.h"

#define IS_REFERENCE 0x8000U

static bool is_special(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_ENCODED_TCP || protocol == FTMB_PROTOCOL_ENCODED_UDP;
}

static bool is_tcp(uint8_t protocol) {
    return protocol == FTMB_PROTOCOL_TCP || protocol == FTMB_PROTOCOL_ENCODED_TCP;
}

static uint32_t header_sum(const uint8_t *frame, const struct ftmb_ip *ip) {
    return ftmb_checksum_sum(frame + ip->network, (size_t)ip->transport - ip->network);
}

/* A checksum that is wrong stays wrong by being left alone, and 0xffff, which is another way to
 * write 0, would come back as 0. */
static bool has_plain_header(const uint8_t *frame, const struct ftmb_ip *ip) {
    if (ip->version == 6) {
        return ip->transport == ip->network + FTMB_IPV6_SIZE;
    }
    return header_sum(frame, ip) == 0xffffU && ftmb_load16(frame + ip->network + 10) != 0xffffU;
}

/* Offset of the payload, or 0: the transport header is not whole. */
static uint16_t payload_of(const uint8_t *frame, const struct ftmb_ip *ip) {
    uint32_t room = (uint32_t)ip->end - ip->transport;
    if (!is_tcp(ip->protocol)) {
        return room < FTMB_UDP_SIZE ? 0 : (uint16_t)(ip->transport + FTMB_UDP_SIZE);
    }
    if (room < FTMB_TCP_SIZE_MIN) {
        return 0;
    }
    uint32_t size = (frame[ip->transport + 12] >> 4) * 4U;
    return size < FTMB_TCP_SIZE_MIN || size > room ? 0 : (uint16_t)(ip->transport + size);
}

static bool has_udp_length(const uint8_t *frame, const struct ftmb_ip *ip, uint32_t payload) {
    return is_tcp(ip->protocol) ||
           ftmb_load16(frame + ip->transport + 4) == payload + FTMB_UDP_SIZE;
}

static enum wan_content read_shim(const uint8_t *frame, const struct ftmb_ip *ip,
                                  struct wan_view *view) {
    bool is_flat = ip->version == 4 || ip->transport == ip->network + FTMB_IPV6_SIZE;
    view->payload = ip->fragment || !is_flat ? 0 : payload_of(frame, ip);
    if (view->payload == 0 || ip->end < view->payload + WAN_SHIM_SIZE) {
        return WAN_UNREADABLE;
    }
    const uint8_t *shim = frame + view->payload;
    if (shim[0] >> 4 != WAN_VERSION) {
        return WAN_OTHER_VERSION;
    }
    view->kind = shim[0] & 0x0fU;
    view->hops = shim[1];
    view->length = ftmb_load16(shim + 2);
    view->generation = ftmb_load32(shim + 4);
    view->digest = wan_digest_load(shim + 8);
    bool is_known = view->kind == WAN_ENCODED || view->kind == WAN_REQUEST;
    bool is_sized = view->length > 0 && view->payload + view->length <= FTMB_FRAME_SIZE_MAX &&
                    has_udp_length(frame, ip, view->length);
    return is_known && is_sized ? WAN_SPECIAL : WAN_UNREADABLE;
}

static enum wan_content read_raw(const uint8_t *frame, uint16_t length, uint32_t payload_min,
                                 const struct ftmb_ip *ip, struct wan_view *view) {
    bool is_known = ip->protocol == FTMB_PROTOCOL_TCP || ip->protocol == FTMB_PROTOCOL_UDP;
    if (!is_known || ip->fragment || ip->end != length || !has_plain_header(frame, ip)) {
        return WAN_LEFT_ALONE;
    }
    view->payload = payload_of(frame, ip);
    if (view->payload == 0 || ip->end < view->payload + payload_min) {
        return WAN_LEFT_ALONE;
    }
    view->length = (uint16_t)(ip->end - view->payload);
    view->hops = frame[ip->network + (ip->version == 4 ? 8 : 7)];
    return has_udp_length(frame, ip, view->length) ? WAN_RAW : WAN_LEFT_ALONE;
}

/* What a frame calls itself that is not whole: no host takes it, but it must not look like ours. */
static bool claims_special(const uint8_t *frame, uint16_t length) {
    const uint8_t *header = frame + FTMB_ETHERNET_SIZE;
    if (length < FTMB_ETHERNET_SIZE + FTMB_IPV4_SIZE_MIN) {
        return false;
    }
    uint16_t type = ftmb_load16(frame + 12);
    return (type == FTMB_ETHER_TYPE_IPV4 && is_special(header[9])) ||
           (type == FTMB_ETHER_TYPE_IPV6 && is_special(header[6]));
}

void wan_parse(const uint8_t *frame, uint16_t length, uint32_t payload_min, struct wan_view *view) {
    struct ftmb_ip ip;
    *view = (struct wan_view){.content = WAN_LEFT_ALONE};
    if (ftmb_parse_ip(frame, length, &ip) != FTMB_IP_WHOLE) {
        view->content = claims_special(frame, length) ? WAN_UNREADABLE : WAN_LEFT_ALONE;
        return;
    }
    view->network = ip.network;
    view->transport = ip.transport;
    view->end = ip.end;
    view->version = ip.version;
    view->content =
        (uint8_t)(is_special(ip.protocol) ? read_shim(frame, &ip, view)
                                          : read_raw(frame, length, payload_min, &ip, view));
}

void wan_write_shim(uint8_t *frame, const struct wan_view *view, enum wan_kind kind,
                    uint32_t generation) {
    uint8_t *shim = frame + view->payload;
    shim[0] = (uint8_t)(WAN_VERSION << 4 | (uint8_t)kind);
    shim[1] = view->hops;
    ftmb_store16(shim + 2, view->length);
    ftmb_store32(shim + 4, generation);
    wan_digest_store(shim + 8, view->digest);
}

static uint8_t marked(uint8_t protocol, bool special) {
    if (is_tcp(protocol)) {
        return special ? FTMB_PROTOCOL_ENCODED_TCP : FTMB_PROTOCOL_TCP;
    }
    return special ? FTMB_PROTOCOL_ENCODED_UDP : FTMB_PROTOCOL_UDP;
}

void wan_mark(uint8_t *frame, const struct wan_view *view, bool special, uint16_t end) {
    uint8_t *header = frame + view->network;
    if (view->version == 6) {
        header[6] = marked(header[6], special);
        ftmb_store16(header + 4, (uint16_t)(end - view->network - FTMB_IPV6_SIZE));
        return;
    }
    uint16_t length = ftmb_load16(header + 2);
    uint16_t protocol = ftmb_load16(header + 8);
    header[9] = marked(header[9], special);
    ftmb_store16(header + 2, (uint16_t)(end - view->network));
    ftmb_checksum_apply(header + 10, ftmb_checksum_delta16(length, ftmb_load16(header + 2)) +
                                         ftmb_checksum_delta16(protocol, ftmb_load16(header + 8)));
}

static void change_over(uint8_t *one, uint8_t *other, size_t size) {
    uint8_t kept[16];
    memcpy(kept, one, size);
    memcpy(one, other, size);
    memcpy(other, kept, size);
}

void wan_turn_round(uint8_t *frame, const struct wan_view *view) {
    uint8_t *header = frame + view->network;
    change_over(frame, frame + 6, 6);
    if (view->version == 4) {
        change_over(header + 12, header + 16, 4);
    } else {
        change_over(header + 8, header + 24, 16);
    }
    change_over(frame + view->transport, frame + view->transport + 2, 2);
}

void wan_set_hops(uint8_t *frame, const struct wan_view *view, uint8_t hops) {
    uint8_t *header = frame + view->network;
    if (view->version == 6) {
        header[7] = hops;
        return;
    }
    header[8] = hops;
    ftmb_store16(header + 10, 0);
    size_t size = (size_t)view->transport - view->network;
    ftmb_store16(header + 10, (uint16_t)~ftmb_checksum_sum(header, size));
}

int wan_read_tokens(const uint8_t *frame, const struct wan_view *view, uint8_t *payload,
                    struct wan_reference references[WAN_REFERENCES_MAX]) {
    uint32_t at = view->payload + WAN_SHIM_SIZE;
    uint32_t done = 0, count = 0;
    while (at < view->end) {
        uint32_t left = view->end - at;
        if (left < WAN_LITERAL_SIZE) {
            return -1;
        }
        uint32_t head = ftmb_load16(frame + at);
        uint32_t length = head & ~IS_REFERENCE;
        bool is_reference = (head & IS_REFERENCE) != 0;
        uint32_t size = is_reference ? WAN_REFERENCE_SIZE : WAN_LITERAL_SIZE + length;
        if (length == 0 || size > left || length > view->length - done) {
            return -1;
        }
        if (!is_reference) {
            memcpy(payload + done, frame + at + WAN_LITERAL_SIZE, length);
        } else if (count == WAN_REFERENCES_MAX) {
            return -1;
        } else {
            references[count++] = (struct wan_reference){.id = wan_load64(frame + at + 4),
                                                         .place = ftmb_load16(frame + at + 2),
                                                         .target = (uint16_t)done,
                                                         .length = (uint16_t)length};
        }
        done += length;
        at += size;
    }
    return done == view->length ? (int)count : -1;
}

static uint32_t write_literal(uint8_t *at, const uint8_t *payload, uint32_t first, uint32_t end) {
    if (first == end) {
        return 0;
    }
    ftmb_store16(at, (uint16_t)(end - first));
    memcpy(at + WAN_LITERAL_SIZE, payload + first, end - first);
    return WAN_LITERAL_SIZE + end - first;
}

static uint32_t tokens_size(uint32_t length, const struct wan_reference *references,
                            uint32_t count) {
    uint32_t size = 0, done = 0;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t gap = references[index].target - done;
        size += (gap == 0 ? 0 : WAN_LITERAL_SIZE + gap) + WAN_REFERENCE_SIZE;
        done = (uint32_t)references[index].target + references[index].length;
    }
    return size + (done == length ? 0 : WAN_LITERAL_SIZE + length - done);
}

uint32_t wan_write_tokens(uint8_t *tokens, uint32_t size_max, const uint8_t *payload,
                          uint32_t length, const struct wan_reference *references, uint32_t count) {
    if (tokens_size(length, references, count) >= size_max) {
        return 0;
    }
    uint8_t *at = tokens;
    uint32_t done = 0;
    for (uint32_t index = 0; index < count; index++) {
        const struct wan_reference *reference = &references[index];
        at += write_literal(at, payload, done, reference->target);
        ftmb_store16(at, (uint16_t)(IS_REFERENCE | reference->length));
        ftmb_store16(at + 2, reference->place);
        wan_store64(at + 4, reference->id);
        at += WAN_REFERENCE_SIZE;
        done = (uint32_t)reference->target + reference->length;
    }
    at += write_literal(at, payload, done, length);
    return (uint32_t)(at - tokens);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Choosing a worker for any frame: nothing beyond the frame is read, the hash is the same in both
 * directions of a flow, and every element's rule names a worker that there is.
 */
#include "fuzz_traffic.h"

#include "elements.h"
#include "ftmb_packet.h"
#include "input_logger/steering.h"
#include "nat/nat_config.h"

extern const struct ftmb_element_class nat_class;

static void check_symmetry(const uint8_t *bytes, uint16_t length) {
    struct ftmb_ip ip;
    if (ftmb_parse_ipv4(bytes, length, &ip) != FTMB_IP_WHOLE || ip.fragment ||
        ip.protocol == FTMB_PROTOCOL_ICMP || ip.transport + 4U > length) {
        return;
    }
    uint8_t *turned = malloc(length);
    memcpy(turned, bytes, length);
    fuzz_turn_round(turned, length);
    if (ip.transport + 8U <= length) {
        MUST(steering_hash(turned, length) == steering_hash(bytes, length));
    }
    free(turned);
}

static void steer_by_elements(const struct nat_config *config, const uint8_t *bytes,
                              uint16_t length, uint8_t port, uint32_t workers) {
    const struct ftmb_element_class *element;
    for (uint32_t index = 0; (element = elements_at(index)) != NULL; index++) {
        uint32_t hash = steering_hash(bytes, length);
        if (element->steer != NULL && strcmp(element->name, "nat") == 0) {
            MUST(element->steer(config, workers, bytes, length, port, hash) < workers);
        } else if (element->steer != NULL) { /* these need no more than the names of their ports */
            void *empty = calloc(1, element->config_size);
            MUST(element->steer(empty, workers, bytes, length, port & 1, hash) < workers);
            free(empty);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct nat_config config;
    if (config.external_count == 0) {
        config.outside = 1;
        config.port_first = 1024;
        config.port_last = 65535;
        element_config_set_text(&nat_class, &config, "external", "198.51.100.0/30");
        element_config_set_text(&nat_class, &config, "static",
                                "tcp 198.51.100.1:80 -> 10.0.0.5:8080");
    }
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    uint16_t length = (uint16_t)(data.left < FTMB_FRAME_SIZE_MAX ? data.left : FTMB_FRAME_SIZE_MAX);
    uint8_t *frame = malloc(length == 0 ? 1 : length);
    memcpy(frame, data.at, length);
    if ((choices & 2) != 0) {
        fuzz_repair(frame, length);
    }
    steering_hash(frame, length);
    check_symmetry(frame, length);
    steer_by_elements(&config, frame, length, choices & 1, 1 + (choices >> 2));
    free(frame);
    return 0;
}

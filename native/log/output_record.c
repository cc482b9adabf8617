/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checking what a master wrote, perhaps while dying. Every field that later steers a read or a
 * release is bounded here; what is not checked can only make this record wait for ever (a vector
 * entry that is too high), which the cut at the failover resolves.
 */
#include "log/output_record.h"

static bool port_is_valid(uint8_t port, uint32_t ports) {
    if (port == FTMB_PORT_NONE) {
        return true;
    }
    return (port & ~FTMB_PORT_AGAIN) < ports;
}

/* Walks the slots; returns the bytes they take, or 0 if one of them cannot be. */
static uint64_t check_slots(const uint8_t *start, const struct output_record *header,
                            uint32_t ports) {
    uint64_t offset = OUTPUT_RECORD_HEADER_SIZE;
    for (uint32_t index = 0; index < header->slot_count; index++) {
        if (offset + sizeof(struct output_slot) > header->pals_offset) {
            return 0;
        }
        struct output_slot slot;
        ring_copy(&slot, start + offset, sizeof(slot));
        if (slot.length > FTMB_FRAME_SIZE_MAX || !port_is_valid(slot.port, ports) ||
            slot.stride < output_slot_size(slot.length) || slot.stride > OUTPUT_SLOT_SIZE_MAX) {
            return 0;
        }
        offset += slot.stride;
    }
    return offset;
}

static bool pals_are_valid(const uint8_t *start, const struct output_record *header,
                           uint32_t workers) {
    uint32_t next_access = 0;
    for (uint32_t index = 0; index < header->pal_count; index++) {
        struct pal pal;
        ring_copy(&pal, start + header->pals_offset + index * sizeof(pal), sizeof(pal));
        bool owner_is_valid = pal.previous_owner < workers || pal.previous_owner == PAL_OWNER_NONE;
        if (!owner_is_valid || pal.access < next_access) {
            return false;
        }
        next_access = pal.access + 1;
    }
    return true;
}

/* No packet depends on more than its record does. */
static bool packet_vectors_are_valid(const uint8_t *start, uint32_t slot_count, uint32_t workers,
                                     const uint64_t *vector) {
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        uint64_t of_packet[FTMB_WORKERS_MAX];
        ring_copy(of_packet, start + (size_t)slot * workers * sizeof(uint64_t),
                  workers * sizeof(uint64_t));
        for (uint32_t worker = 0; worker < workers; worker++) {
            if (of_packet[worker] > vector[worker]) {
                return false;
            }
        }
    }
    return true;
}

/* Entries never shrink, and a record's own entry is its own number. */
static bool vector_is_valid(const uint64_t *vector, const struct output_record *header,
                            const struct record_expectation *expected) {
    for (uint32_t worker = 0; worker < expected->workers; worker++) {
        if (vector[worker] < expected->previous_vector[worker] ||
            (worker == expected->worker && vector[worker] != header->number)) {
            return false;
        }
    }
    return true;
}

/* Copies the record's vector, which is the last one, and checks all of them. */
static enum record_fault take_vectors(const struct output_record *header, const uint8_t *start,
                                      const struct record_expectation *expected, uint64_t *vector) {
    if (header->vector_count == 0) {
        return RECORD_FINE;
    }
    const uint8_t *first =
        start + header->pals_offset + (size_t)header->pal_count * sizeof(struct pal);
    const uint8_t *last =
        first + (size_t)(header->vector_count - expected->workers) * sizeof(uint64_t);
    ring_copy(vector, last, expected->workers * sizeof(uint64_t));
    bool is_valid = vector_is_valid(vector, header, expected);
    if (is_valid && expected->pals == PAL_EVERY_ACCESS) {
        is_valid = packet_vectors_are_valid(first, header->slot_count, expected->workers, vector);
    }
    return is_valid ? RECORD_FINE : RECORD_BAD_VECTOR;
}

enum record_fault output_record_check(const struct output_record *header, const uint8_t *start,
                                      const struct record_expectation *expected, uint64_t *vector) {
    if (header->size < OUTPUT_RECORD_HEADER_SIZE || header->size > expected->available ||
        header->size > OUTPUT_RECORD_SIZE_MAX || header->slot_count > RECORD_SLOTS_MAX ||
        header->pal_count > RECORD_PALS_MAX || header->pals_offset > header->size) {
        return RECORD_BAD_SIZE;
    }
    if (header->epoch != expected->epoch) {
        return RECORD_BAD_EPOCH;
    }
    if (header->number != expected->number) {
        return RECORD_BAD_NUMBER;
    }
    if (header->input_count == 0 || header->input_count > FTMB_BURST_MAX ||
        header->input_count > expected->input_available) {
        return RECORD_BAD_INPUT;
    }
    uint32_t vector_count =
        expected->is_logged
            ? output_record_vector_count(expected->workers, header->slot_count, expected->pals)
            : 0;
    uint64_t tail = (uint64_t)header->pal_count * sizeof(struct pal) +
                    (uint64_t)vector_count * sizeof(uint64_t);
    if (header->vector_count != vector_count ||
        header->size != ring_align(header->pals_offset + tail)) {
        return RECORD_BAD_SIZE;
    }
    if (check_slots(start, header, expected->ports) != header->pals_offset) {
        return RECORD_BAD_SLOT;
    }
    if (!pals_are_valid(start, header, expected->workers)) {
        return RECORD_BAD_PAL;
    }
    return take_vectors(header, start, expected, vector);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checking what a master wrote, perhaps while dying. Every field that later steers a read or a
 * release is bounded here; what is not checked can only make this record wait for ever (a
 * dependency on too high a record), which the cut at the failover resolves.
 */
#include "log/output_record.h"

#include <string.h>

#include "log/digest.h"

static bool port_is_valid(uint8_t port, uint32_t ports) {
    if (port == FTMB_PORT_NONE) {
        return true;
    }
    return (port & ~FTMB_PORT_AGAIN) < ports;
}

/* `room`: bytes of the record from the slot on that are slots. */
static bool slot_is_valid(const struct output_slot *slot, uint64_t room, uint32_t ports) {
    return slot->length <= FTMB_FRAME_SIZE_MAX && port_is_valid(slot->port, ports) &&
           slot->stride >= output_slot_size(slot->length) && slot->stride <= OUTPUT_SLOT_SIZE_MAX &&
           slot->stride <= room;
}

/* Walks the slots, once, and takes the digest of those that leave. False: one of them cannot be,
 * or they are not what the header says. */
static bool take_slots(const uint8_t *start, const struct output_record *header,
                       const struct record_expectation *expected, struct record_outputs *outputs) {
    uint64_t offset = OUTPUT_RECORD_HEADER_SIZE;
    *outputs = (struct record_outputs){0};
    for (uint32_t index = 0; index < header->slot_count; index++) {
        if (offset + sizeof(struct output_slot) > header->pals_offset) {
            return false;
        }
        struct output_slot slot;
        ring_copy(&slot, start + offset, sizeof(slot));
        if (!slot_is_valid(&slot, header->pals_offset - offset, expected->ports)) {
            return false;
        }
        if (expected->is_logged && slot.port != FTMB_PORT_NONE) {
            const uint8_t *bytes = start + offset + sizeof(slot);
            outputs->digest =
                digest_add(outputs->digest, outputs->count++, slot.port, bytes, slot.length);
        }
        offset += slot.stride;
    }
    return offset == header->pals_offset;
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

/* Copies them. On other workers, each once. */
static bool take_dependencies(const uint8_t *start, const struct output_record *header,
                              const struct record_expectation *expected,
                              struct dependency *dependencies) {
    uint32_t next_worker = 0;
    ring_copy(dependencies, start, header->dependency_count * sizeof(*dependencies));
    for (uint32_t index = 0; index < header->dependency_count; index++) {
        uint32_t worker = dependencies[index].worker;
        if (worker < next_worker || worker >= expected->workers || worker == expected->worker) {
            return false;
        }
        next_worker = worker + 1;
    }
    return true;
}

/* No packet depends on more than its record does. */
static bool packet_vectors_are_valid(const uint8_t *start, const struct output_record *header,
                                     const struct record_expectation *expected,
                                     const struct dependency *dependencies) {
    size_t size = expected->workers * sizeof(uint64_t);
    uint64_t of_record[FTMB_WORKERS_MAX];
    memcpy(of_record, expected->vector, size);
    of_record[expected->worker] = header->number;
    for (uint32_t index = 0; index < header->dependency_count; index++) {
        of_record[dependencies[index].worker] = dependencies[index].record;
    }
    for (uint32_t slot = 0; slot < header->slot_count; slot++) {
        uint64_t of_packet[FTMB_WORKERS_MAX];
        ring_copy(of_packet, start + slot * size, size);
        for (uint32_t worker = 0; worker < expected->workers; worker++) {
            if (of_packet[worker] > of_record[worker]) {
                return false;
            }
        }
    }
    return true;
}

enum record_fault output_record_check(const struct output_record *header, const uint8_t *start,
                                      const struct record_expectation *expected,
                                      struct dependency *dependencies,
                                      struct record_outputs *outputs) {
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
    uint32_t dependency_count_max = expected->is_logged ? expected->workers - 1 : 0;
    uint64_t pals = (uint64_t)header->pal_count * sizeof(struct pal);
    uint64_t tail = pals + (uint64_t)vector_count * sizeof(uint64_t) +
                    (uint64_t)header->dependency_count * sizeof(struct dependency);
    if (header->vector_count != vector_count || header->dependency_count > dependency_count_max ||
        header->size != ring_align(header->pals_offset + tail)) {
        return RECORD_BAD_SIZE;
    }
    if (!take_slots(start, header, expected, outputs)) {
        return RECORD_BAD_SLOT;
    }
    if (!pals_are_valid(start, header, expected->workers)) {
        return RECORD_BAD_PAL;
    }
    const uint8_t *first = start + header->pals_offset + pals;
    const uint8_t *last = first + (size_t)vector_count * sizeof(uint64_t);
    if (!take_dependencies(last, header, expected, dependencies) ||
        (vector_count > 0 && !packet_vectors_are_valid(first, header, expected, dependencies))) {
        return RECORD_BAD_VECTOR;
    }
    return RECORD_FINE;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "standby/replay.h"

#include "host/crash_point.h"
#include "host/cycles.h"
#include "host/process.h"
#include "log/digest.h"
#include "master/worker.h"
#include "shared_state/shared_variable.h"
#include "simulator/points.h"

const struct pal *replay_next_pal(struct replay *replay, uint32_t access) {
    if (replay->next_pal < replay->record->pal_count) {
        const struct pal *pal = &access_record_pals(replay->record)[replay->next_pal];
        if (pal->access == access) {
            replay->next_pal++;
            return pal;
        }
    }
    return NULL;
}

bool replay_may_access(const struct pal *pal, const struct ftmb_shared *variable, uint32_t worker) {
    if (pal == NULL) {
        return variable->owner == worker;
    }
    return pal->variable == variable->number && pal->previous_owner == variable->owner &&
           (pal->previous_count == variable->count || PLANTED(REPLAY_IGNORES_COUNT)) &&
           (pal->ownership_epoch == variable->ownership_epoch + 1 ||
            PLANTED(REPLAY_IGNORES_OWNERSHIP_EPOCH));
}

static bool outputs_match(const struct worker *worker, const struct access_record *record) {
    uint64_t digest = 0;
    uint32_t output_count = 0;
    const struct record_builder *builder = &worker->builder;
    for (uint32_t index = 0; index < builder->slot_count; index++) {
        const struct output_slot *slot = builder->slots[index];
        if (slot->port != FTMB_PORT_NONE) {
            digest = digest_add(digest, output_count++, slot->port, (const uint8_t *)(slot + 1),
                                slot->length);
        }
    }
    bool is_same = digest == record->digest && output_count == record->output_count;
    return (is_same || PLANTED(DIGEST_NOT_COMPARED)) &&
           worker->state->input_position == record->input_end;
}

/* Skips what a snapshot holds already; returns the record to replay, or NULL. */
static const struct access_record *next_record(struct worker *worker) {
    struct replay *replay = &worker->replay;
    uint64_t written = ring_written(&replay->access);
    while (replay->position < written) {
        const struct access_record *record = ring_at(&replay->access, replay->position);
        if (record->number > worker->state->record_number) {
            return record;
        }
        replay->position += access_record_size(record->pal_count);
        atomic_store_explicit(&worker->status->access_consumed, replay->position,
                              memory_order_release);
    }
    return NULL;
}

uint64_t replay_lag(const struct worker *worker) {
    return ring_written(&worker->replay.access) - worker->replay.position;
}

int replay_step(struct worker *worker) {
    struct replay *replay = &worker->replay;
    uint64_t start = cycles_now();
    const struct access_record *record = next_record(worker);
    if (record == NULL) {
        return WORKER_IDLE;
    }
    if (record->number != worker->state->record_number + 1 || !access_record_is_sane(record)) {
        worker_diverge(worker);
    }
    POINT(REPLAY_BEGUN, worker->context.worker, record->number);
    replay->record = record;
    replay->next_pal = 0;
    worker_build(worker, worker->scratch, record->input_count);
    CRASH_POINT(STANDBY_IN_REPLAY);
    worker_advance_record(worker);
    POINT(REPLAY_BUILT, worker->context.worker, record->number);

    struct worker_status *status = worker->status;
    status_add(&status->digests_compared, 1);
    if (!outputs_match(worker, record) || replay->next_pal != record->pal_count) {
        status_add(&status->digests_mismatched, 1);
        worker_diverge(worker);
    }
    replay->position += access_record_size(record->pal_count);
    /* W1: release; the logger frees the logs behind these positions. */
    atomic_store_explicit(&status->access_consumed, replay->position, memory_order_release);
    atomic_store_explicit(&status->replayed, worker->state->record_number, memory_order_release);
    POINT(REPLAYED, worker->context.worker, worker->state->record_number);
    status_add(&status->busy_cycles, cycles_now() - start);
    return WORKER_BUSY;
}

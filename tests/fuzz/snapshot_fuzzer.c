/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots that are torn or made up. From a right one the input changes bytes, cuts the file
 * short, punches holes or makes it longer; or the file is the input itself. What is refused leaves
 * a process that can be ended; what is taken has exactly this process's layout, and a standby that
 * goes on from it diverges, waits or replays. Only what the runtime itself keeps is changed
 * (header, worker states): elements trust their own state, and one that finds it broken ends the
 * standby, which is one process.
 */
#include "fuzz_box.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/snapshot.h"

static void on_sent(struct fuzz_box *box, uint32_t port, const struct frame *frame) {
    (void)box;
    (void)port;
    (void)frame;
}

/* As the child of snapshot_begin() writes it, without the fork. */
static void write_arena(int descriptor, const struct ftmb_arena *arena) {
    MUST(ftruncate(descriptor, (off_t)arena->size) == 0);
    uint64_t used = ARENA_HEADER_SIZE + sizeof(struct worker_state);
    MUST(pwrite(descriptor, arena->base, used, 0) == (ssize_t)used);
    for (uint32_t worker = 0; worker < 2; worker++) {
        uint64_t at = arena_header(arena)->worker_state[worker];
        if (at != 0) {
            MUST(pwrite(descriptor, arena->base + at, sizeof(struct worker_state), (off_t)at) ==
                 (ssize_t)sizeof(struct worker_state));
        }
    }
}

/* Where a change is worth most: the header's fields and the workers' own states. */
static off_t place_of(const struct ftmb_arena *arena, struct fuzz_data *data) {
    uint8_t choice = fuzz_take8(data);
    uint64_t offset = fuzz_take16(data);
    if ((choice & 1) == 0) {
        return (off_t)(offset % sizeof(struct arena_header));
    }
    return (off_t)(arena_header(arena)->worker_state[0] + offset % sizeof(struct worker_state));
}

static void change(int descriptor, const struct ftmb_arena *arena, struct fuzz_data *data) {
    uint8_t operation = fuzz_take8(data);
    size_t length = 1 + (operation >> 3);
    off_t place = place_of(arena, data);
    const uint8_t *bytes;
    switch (operation & 7) {
    case 0:
        MUST(ftruncate(descriptor, (off_t)(fuzz_take64(data) % (2 * arena->size))) == 0);
        break;
    case 1:
        fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place & ~4095L, 4096);
        break;
    case 2:
        place = (off_t)(fuzz_take64(data) % (2 * arena->size));
        /* fall through */
    default:
        bytes = fuzz_take(data, &length);
        MUST(pwrite(descriptor, bytes, length, place) == (ssize_t)length);
    }
}

/* A standby goes on from it: a few records of the logs, with whatever it takes for its place. */
static void go_on(struct fuzz_box *box) {
    struct process *process = box->standby.process;
    for (uint32_t step = 0; step < 8; step++) {
        process_step(process, step % box->workers);
    }
}

static void load(struct fuzz_box *box, int descriptor) {
    struct process *process = box->standby.process;
    struct arena_header own;
    memcpy(&own, process->arena.base, sizeof(own));
    int error = snapshot_load(process, descriptor);
    MUST(error <= 0);
    if (error != 0) {
        return;
    }
    MUST(memcmp(&own, process->arena.base, sizeof(own)) == 0);
    go_on(box);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct pipeline pipeline;
    static struct fuzz_box box;
    uint8_t frame[60] = {0};
    struct fuzz_data data = {.at = bytes, .left = size};
    uint8_t choices = fuzz_take8(&data);
    pipeline = (struct pipeline){0};
    fuzz_add_forward(&pipeline);
    fuzz_box_open(&box, &pipeline, 1 + (choices & 1), on_sent);
    for (uint32_t count = 0; count < 40; count++) {
        fuzz_box_arrive(&box, count, frame, sizeof(frame));
    }
    fuzz_box_round(&box);
    fuzz_replica_close(&box.standby);
    fuzz_replica_open(&box, &box.standby, 3);
    int descriptor = memfd_create("fuzz-snapshot", MFD_CLOEXEC);
    MUST(descriptor >= 0);
    if ((choices & 2) != 0) {
        MUST(pwrite(descriptor, data.at, data.left, 0) == (ssize_t)data.left);
    } else {
        write_arena(descriptor, &box.master.process->arena);
        for (uint32_t count = 0; count < 16 && data.left > 0; count++) {
            change(descriptor, &box.master.process->arena, &data);
        }
    }
    load(&box, descriptor);
    close(descriptor);
    fuzz_replica_close(&box.standby);
    fuzz_replica_close(&box.master);
    fuzz_box_free(&box);
    return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/crash_point.h"
#include "host/cycles.h"

#define PAGE_SIZE 4096U
#define RUN_SIZE_MAX (1U << 20) /* bytes written at once */

static bool is_zero_page(const uint8_t *page) {
    const uint64_t *words = (const uint64_t *)page;
    uint64_t any = 0;
    for (uint32_t word = 0; word < PAGE_SIZE / sizeof(uint64_t); word += 8) {
        any |= words[word] | words[word + 1] | words[word + 2] | words[word + 3] | words[word + 4] |
               words[word + 5] | words[word + 6] | words[word + 7];
        if (any != 0) {
            return false;
        }
    }
    return true;
}

static int write_all(int descriptor, const uint8_t *bytes, size_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t written = pwrite(descriptor, bytes, size, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written == 0 ? -EIO : -errno;
        }
        bytes += written;
        size -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

/* Writes the pages of [start, end) that are not all zero. */
static int write_range(const struct ftmb_arena *arena, int descriptor, uint64_t start,
                       uint64_t end) {
    while (start < end) {
        if (is_zero_page(arena->base + start)) {
            start += PAGE_SIZE;
            continue;
        }
        uint64_t stop = start + PAGE_SIZE;
        while (stop < end && stop - start < RUN_SIZE_MAX && !is_zero_page(arena->base + stop)) {
            stop += PAGE_SIZE;
        }
        int error = write_all(descriptor, arena->base + start, stop - start, start);
        if (error != 0) {
            return error;
        }
        start = stop;
    }
    return 0;
}

int snapshot_write(const struct ftmb_arena *arena, int descriptor) {
    const struct arena_header *header = arena_header(arena);
    int error = ftruncate(descriptor, (off_t)arena->size) == 0 ? 0 : -errno;
    for (uint32_t part = 0; part <= header->workers && error == 0; part++) {
        if (part == (header->workers + 1) / 2) { /* the parts of half of the workers are written */
            CRASH_POINT(MASTER_SNAPSHOT_CHILD);
            CRASH_POINT(MASTER_SNAPSHOT_WRITING);
        }
        uint64_t start = ARENA_HEADER_SIZE + part * header->part_size;
        uint64_t used = (header->used[part] + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
        error = write_range(arena, descriptor, start, start + used);
    }
    /* The header last: without its magic this is no snapshot. */
    return error == 0 ? write_range(arena, descriptor, 0, ARENA_HEADER_SIZE) : error;
}

/* In the child: only calls that are safe after a fork of a process with threads. */
_Noreturn static void run_child(const struct process *process, int descriptor, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpriority(PRIO_PROCESS, 0, 0); /* live traffic comes first */
    if (getppid() != parent) {
        _exit(1);
    }
    /* Above all the master's socket: a copy here would hide the master's death. */
    if (descriptor > 0) {
        syscall(SYS_close_range, 0U, (unsigned)descriptor - 1, 0U);
    }
    syscall(SYS_close_range, (unsigned)descriptor + 1, ~0U, 0U);
    _exit(snapshot_write(&process->arena, descriptor) == 0 ? 0 : 1);
}

/* The workers are held by now. */
static pid_t fork_and_release(struct process *process, int descriptor, uint64_t *records) {
    pid_t parent = getpid();
    CRASH_POINT(MASTER_SNAPSHOT_HELD);
    pid_t child = _Fork();
    if (child == 0) {
        run_child(process, descriptor, parent);
    }
    int error = errno;
    CRASH_POINT(MASTER_SNAPSHOT_FORKED);
    for (uint32_t worker = 0; worker < process->worker_count; worker++) {
        records[worker] = process_replayed(process, worker);
    }
    crash_forget(CRASH_MASTER_SNAPSHOT_CHILD);
    process_release_workers(process);
    return child < 0 ? -error : child;
}

pid_t snapshot_begin(struct process *process, int descriptor, uint64_t *pause_ns,
                     uint64_t *records) {
    uint64_t start = monotonic_ns();
    process_hold_workers(process);
    pid_t child = fork_and_release(process, descriptor, records);
    *pause_ns = monotonic_ns() - start;
    return child;
}

pid_t snapshot_begin_in_replay(struct process *process, int descriptor, uint64_t *pause_ns,
                               uint64_t *records) {
    uint64_t start = monotonic_ns();
    if (!process_hold_replay(process, SNAPSHOT_REPLAY_PATIENCE_NS)) {
        return -EAGAIN;
    }
    pid_t child = fork_and_release(process, descriptor, records);
    *pause_ns = monotonic_ns() - start;
    return child;
}

static int read_all(int descriptor, uint8_t *bytes, uint64_t size, uint64_t offset) {
    while (size > 0) {
        ssize_t taken = pread(descriptor, bytes, size, (off_t)offset);
        if (taken < 0 && errno == EINTR) {
            continue;
        }
        if (taken <= 0) {
            return taken == 0 ? -EPROTO : -errno;
        }
        bytes += taken;
        size -= (uint64_t)taken;
        offset += (uint64_t)taken;
    }
    return 0;
}

/* Whether it was taken of the same layout as this process has before it loads: the header says
 * nothing else, so all of it must be the same. */
static int check_header(const struct arena_header *own, const struct arena_header *header) {
    if (header->magic != ARENA_MAGIC || header->version != ARENA_VERSION) {
        return -EPROTO;
    }
    return memcmp(header, own, sizeof(*own)) == 0 ? 0 : -EINVAL;
}

/* Everything in the file that is no hole. */
static int read_arena(struct ftmb_arena *arena, int descriptor) {
    uint64_t offset = 0;
    while (true) {
        off_t data = lseek(descriptor, (off_t)offset, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            CRASH_POINT(SPARE_LOADED);
            return 0;
        }
        if (data < 0) {
            return -errno;
        }
        off_t hole = lseek(descriptor, data, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole > arena->size) {
            return -EPROTO;
        }
        int error =
            read_all(descriptor, arena->base + data, (uint64_t)(hole - data), (uint64_t)data);
        if (error != 0) {
            return error;
        }
        CRASH_POINT(SPARE_LOADING);
        offset = (uint64_t)hole;
    }
}

/* What replay relies on to stay within the logs; where in them it begins it cannot know. */
static int check_worker_states(const struct process *process) {
    for (uint32_t worker = 0; worker < process->worker_count; worker++) {
        const struct worker_state *state = pipeline_worker_state(&process->arena, worker);
        if (state->input_position % RING_ALIGNMENT != 0) {
            return -EPROTO;
        }
    }
    return 0;
}

int snapshot_load(struct process *process, int descriptor) {
    struct arena_header own, header;
    memcpy(&own, arena_header(&process->arena), sizeof(own));
    int error = read_all(descriptor, (uint8_t *)&header, sizeof(header), 0);
    if (error == 0) {
        error = check_header(&own, &header);
    }
    /* The holes of the sparse file are pages of zeros; what fresh state put there must go. */
    if (error == 0 && madvise(process->arena.base, process->arena.size, MADV_DONTNEED) != 0) {
        error = -errno;
    }
    if (error == 0) {
        error = read_arena(&process->arena, descriptor);
    }
    /* Again: the file may be the master's to write still, and it is this copy that is used. */
    if (error == 0) {
        error = check_header(&own, arena_header(&process->arena));
    }
    return error == 0 ? check_worker_states(process) : error;
}

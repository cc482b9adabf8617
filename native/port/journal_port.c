/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/journal_port.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/idle.h"

#define LINE_SIZE_MAX (FTMB_FRAME_SIZE_MAX + 64U)
#define BATCH_SIZE (64U << 10) /* bytes of one write */
#define RETRY_NS 100000000L
#define SECOND_NS 1000000000ULL

/* One thread puts frames in, the other takes them out; positions only grow. */
struct journal_port {
    struct port base;
    char *path;
    int file, wake;
    dev_t device;
    ino_t inode;
    uint8_t *buffer;
    uint64_t size;
    _Atomic uint64_t written; /* J1: released behind the frame's bytes, acquired by the thread */
    _Atomic uint64_t taken;   /* J2: likewise, when their place may be used again */
    bool has_news;            /* since the last flush */
    _Atomic bool must_stop;
    _Atomic int fault;
    uint64_t looked_ns; /* when the file was last looked for under its name */
    pthread_t thread;
    bool has_thread;
};

static struct journal_port *port_of(struct port *port) {
    return (struct journal_port *)port;
}

/* ---- The packet thread's side ---- */

static uint32_t journal_receive(struct port *base, uint64_t now_ns, struct frame *frames) {
    (void)base;
    (void)now_ns;
    (void)frames;
    return 0;
}

static void journal_receive_done(struct port *base) {
    (void)base;
}

static void copy_in(struct journal_port *port, uint64_t position, const void *bytes, size_t size) {
    size_t place = position % port->size;
    size_t first = size < port->size - place ? size : port->size - place;
    memcpy(port->buffer + place, bytes, first);
    memcpy(port->buffer, (const uint8_t *)bytes + first, size - first);
}

static void copy_out(const struct journal_port *port, uint64_t position, void *bytes, size_t size) {
    size_t place = position % port->size;
    size_t first = size < port->size - place ? size : port->size - place;
    memcpy(bytes, port->buffer + place, first);
    memcpy((uint8_t *)bytes + first, port->buffer, size - first);
}

static uint32_t journal_send(struct port *base, const struct frame *frames, uint32_t count) {
    struct journal_port *port = port_of(base);
    uint64_t taken = atomic_load_explicit(&port->taken, memory_order_acquire);
    uint64_t written = atomic_load_explicit(&port->written, memory_order_relaxed);
    uint32_t place = 0;
    for (; place < count; place++) {
        uint16_t length = frames[place].length;
        if (length < JOURNAL_TIME_SIZE) {
            counter_add(&base->counters.drops[PORT_DROP_SEND_SHORT], 1);
            continue;
        }
        if (port->size - (written - taken) < sizeof(length) + length) {
            break;
        }
        copy_in(port, written, &length, sizeof(length));
        copy_in(port, written + sizeof(length), frames[place].bytes, length);
        written += sizeof(length) + length;
        counter_add(&base->counters.sent, 1);
        counter_add(&base->counters.sent_bytes, length);
        port->has_news = true;
    }
    atomic_store_explicit(&port->written, written, memory_order_release);
    return place;
}

static void journal_flush(struct port *base) {
    struct journal_port *port = port_of(base);
    if (port->has_news) {
        port->has_news = false;
        eventfd_write(port->wake, 1);
    }
}

static uint64_t journal_missed(struct port *base) {
    (void)base;
    return 0;
}

static const struct port_class journal_port_class = {.receive = journal_receive,
                                                     .receive_done = journal_receive_done,
                                                     .send = journal_send,
                                                     .flush = journal_flush,
                                                     .missed = journal_missed};

/* ---- The thread that writes ---- */

static int open_file(struct journal_port *port) {
    int file = open(port->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    struct stat found;
    if (file < 0 || fstat(file, &found) != 0) {
        int error = -errno;
        if (file >= 0) {
            close(file);
        }
        return error;
    }
    if (port->file >= 0) {
        close(port->file);
    }
    port->file = file;
    port->device = found.st_dev;
    port->inode = found.st_ino;
    return 0;
}

/* Whether the file still has its name; if not, it is made anew. */
static void follow_rotation(struct journal_port *port) {
    uint64_t now = monotonic_ns();
    struct stat found;
    if (now - port->looked_ns < SECOND_NS) {
        return;
    }
    port->looked_ns = now;
    if (stat(port->path, &found) != 0 || found.st_ino != port->inode ||
        found.st_dev != port->device) {
        int error = open_file(port);
        atomic_store_explicit(&port->fault, -error, memory_order_relaxed);
    }
}

static size_t format_time(uint64_t input_ns, char *line, size_t size) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t now_ns = (uint64_t)wall.tv_sec * SECOND_NS + (uint64_t)wall.tv_nsec;
    uint64_t then_ns = now_ns - (monotonic_ns() - input_ns);
    time_t seconds = (time_t)(then_ns / SECOND_NS);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char date[32];
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    return (size_t)snprintf(line, size, "{\"timestamp\": \"%s.%06u+0000\", ", date,
                            (unsigned)(then_ns % SECOND_NS / 1000));
}

/* The frame at `position` as a line; its size in the buffer goes to *size. */
static size_t format_line(const struct journal_port *port, uint64_t position, char *line,
                          uint64_t *size) {
    uint16_t length;
    uint64_t time_ns;
    copy_out(port, position, &length, sizeof(length));
    copy_out(port, position + sizeof(length), &time_ns, sizeof(time_ns));
    size_t used = format_time(time_ns, line, LINE_SIZE_MAX);
    size_t text = length - JOURNAL_TIME_SIZE;
    copy_out(port, position + sizeof(length) + JOURNAL_TIME_SIZE, line + used, text);
    line[used + text] = '\n';
    *size = sizeof(length) + length;
    return used + text + 1;
}

/* All of it, however often that takes; false: told to stop while the file takes nothing. */
static bool write_out(struct journal_port *port, const char *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t count = write(port->file, bytes + done, size - done);
        if (count >= 0) {
            done += (size_t)count;
            atomic_store_explicit(&port->fault, 0, memory_order_relaxed);
        } else if (errno != EINTR) {
            atomic_store_explicit(&port->fault, errno, memory_order_relaxed);
            if (atomic_load_explicit(&port->must_stop, memory_order_acquire)) {
                return false;
            }
            nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
        }
    }
    return true;
}

/* What is in the buffer, in writes of many lines. False: the file took nothing to the end. */
static bool drain(struct journal_port *port, char *batch) {
    uint64_t position = atomic_load_explicit(&port->taken, memory_order_relaxed);
    uint64_t end = atomic_load_explicit(&port->written, memory_order_acquire);
    while (position < end) {
        size_t used = 0;
        while (position < end && used + LINE_SIZE_MAX <= BATCH_SIZE) {
            uint64_t size;
            used += format_line(port, position, batch + used, &size);
            position += size;
        }
        if (!write_out(port, batch, used)) {
            return false;
        }
        atomic_store_explicit(&port->taken, position, memory_order_release);
    }
    return true;
}

static void *run(void *argument) {
    struct journal_port *port = argument;
    char *batch = malloc(BATCH_SIZE);
    pthread_setname_np(pthread_self(), "journal");
    while (batch != NULL) {
        bool must_stop = atomic_load_explicit(&port->must_stop, memory_order_acquire);
        follow_rotation(port);
        if (!drain(port, batch) || must_stop) {
            break;
        }
        eventfd_t news;
        eventfd_read(port->wake, &news);
    }
    free(batch);
    return NULL;
}

/* ---- Its life ---- */

static int begin(struct journal_port *port, const char *path, uint64_t buffer_size) {
    port->base.class = &journal_port_class;
    port->size = buffer_size;
    port->path = strdup(path);
    port->buffer = malloc(buffer_size);
    port->wake = eventfd(0, EFD_CLOEXEC);
    if (port->path == NULL || port->buffer == NULL || port->wake < 0) {
        return -ENOMEM;
    }
    int error = open_file(port);
    if (error == 0) {
        error = -pthread_create(&port->thread, NULL, run, port);
        port->has_thread = error == 0;
    }
    return error;
}

struct journal_port *journal_port_create(const char *path, uint64_t buffer_size, int *error) {
    struct journal_port *port = calloc(1, sizeof(*port));
    if (port == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    port->file = port->wake = -1;
    *error = begin(port, path, buffer_size);
    if (*error != 0) {
        journal_port_destroy(port);
        return NULL;
    }
    return port;
}

void journal_port_destroy(struct journal_port *port) {
    if (port == NULL) {
        return;
    }
    if (port->has_thread) {
        atomic_store_explicit(&port->must_stop, true, memory_order_release);
        eventfd_write(port->wake, 1);
        pthread_join(port->thread, NULL);
    }
    if (port->file >= 0) {
        close(port->file);
    }
    if (port->wake >= 0) {
        close(port->wake);
    }
    free(port->buffer);
    free(port->path);
    free(port);
}

struct port *journal_port_base(struct journal_port *port) {
    return &port->base;
}

int journal_port_fault(const struct journal_port *port) {
    return atomic_load_explicit(&port->fault, memory_order_relaxed);
}

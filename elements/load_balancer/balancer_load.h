/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared part of the state, with the algorithm least_connections. */
#ifndef BALANCER_LOAD_H
#define BALANCER_LOAD_H

#include <stdint.h>

/* Of a backend's place; under the variable of its service. */
struct balancer_load {
    uint64_t connections_ever;
    uint32_t connections;
    uint32_t generation; /* of the backend that this is about */
    uint32_t place;
    uint32_t padding;
};

struct balancer_shared {
    uint32_t places; /* 0 with Maglev, which shares nothing */
    uint32_t padding;
    uint64_t variables; /* offset from here, as the arena holds no pointers */
    struct balancer_load loads[];
};

#endif

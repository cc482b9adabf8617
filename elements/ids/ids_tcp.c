/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP: which bytes come next in a direction's stream.
 *
 * Bytes are looked at as they arrive, once, in order. What was looked at stands: a segment that
 * brings the same sequence numbers again brings nothing new. A segment that comes early waits
 * (ids_early.c); if there is no place for it, it is looked at alone. What the receiver acknowledges
 * and we never saw is a gap: there the stream begins anew, without a beginning.
 */
#include "ids/ids_state.h"

#define ACKNOWLEDGED_MAX (1U << 30) /* ahead of us; anything else is of the past */
#define WINDOW_MAX 65535U

static struct ids_direction *direction_of(struct ids_work *work) {
    return &work->flow->directions[work->view->sender];
}

static void set_next(struct ids_direction *direction, uint32_t next) {
    direction->next = next;
    direction->flags |= IDS_HAS_NEXT;
}

static void look_alone(struct ids_work *work) {
    const struct ids_view *view = work->view;
    if (view->size != 0) {
        ids_packet_scan_alone(work->scanner, work->database, view->payload, view->size);
        work->is_alone = true;
        work->state->totals.alone++;
    }
}

/* ---- The connection ---- */

static bool is_syn(const struct ids_view *view) {
    return (view->tcp_flags & IDS_TCP_SYN) != 0;
}

static bool has_acknowledgement(const struct ids_view *view) {
    return (view->tcp_flags & IDS_TCP_ACKNOWLEDGE) != 0;
}

/* The first packet of a flow. */
static void begin_connection(struct ids_work *work) {
    struct ids_flow *flow = work->flow;
    bool is_answer = is_syn(work->view) && has_acknowledgement(work->view);
    if (is_answer) { /* whoever sends it is the server */
        flow->flags ^= IDS_CLIENT_IS_SECOND;
        work->by_client = false;
    }
    if (!is_syn(work->view) || is_answer) {
        flow->flags |=
            work->config->picks_up ? IDS_IS_FOLLOWED | IDS_SYN_ANSWERED | IDS_ESTABLISHED : 0;
    } else {
        flow->flags |= IDS_IS_FOLLOWED;
    }
    if (is_syn(work->view) && (flow->flags & IDS_IS_FOLLOWED) != 0) {
        set_next(direction_of(work), work->view->sequence + 1);
    }
}

static bool is_over(const struct ids_flow *flow) {
    return (flow->flags & IDS_RESET) != 0 || (flow->flags & IDS_IS_FOLLOWED) == 0 ||
           (flow->directions[0].flags & flow->directions[1].flags & IDS_HAS_FIN) != 0;
}

static void follow_syn(struct ids_work *work) {
    struct ids_flow *flow = work->flow;
    const struct ids_view *view = work->view;
    struct ids_direction *direction = direction_of(work);
    if ((flow->flags & IDS_SYN_ANSWERED) != 0) {
        return;
    }
    if (!has_acknowledgement(view)) { /* again, perhaps with another number */
        if (work->by_client && direction->memory_size == 0) {
            set_next(direction, view->sequence + 1);
        }
        return;
    }
    const struct ids_direction *client = &flow->directions[view->sender ^ 1];
    if (!work->by_client && client->next - view->acknowledged <= WINDOW_MAX) {
        set_next(direction, view->sequence + 1);
        flow->flags |= IDS_SYN_ANSWERED;
    }
}

static void follow_connection(struct ids_work *work) {
    const struct ids_view *view = work->view;
    bool is_new_syn = is_syn(view) && !has_acknowledgement(view);
    bool is_beginning = work->is_first && (work->flow->flags & IDS_HAS_ANSWER) == 0;
    if (!is_beginning && is_new_syn && is_over(work->flow)) {
        ids_flow_restart(work);
        is_beginning = true;
    }
    if (work->flow == NULL) {
        return;
    }
    work->was_established = (work->flow->flags & IDS_ESTABLISHED) != 0;
    if (is_beginning) {
        begin_connection(work);
    } else if (is_syn(view)) {
        follow_syn(work);
    } else if (work->by_client && has_acknowledgement(view) &&
               (work->flow->flags & IDS_SYN_ANSWERED) != 0) {
        work->flow->flags |= IDS_ESTABLISHED;
    }
    if ((view->tcp_flags & IDS_TCP_RESET) != 0) {
        work->flow->flags |= IDS_RESET;
    }
}

/* What the sender has of the other direction. */
static void note_acknowledged(struct ids_work *work) {
    struct ids_direction *other = &work->flow->directions[work->view->sender ^ 1];
    uint32_t ahead = work->view->acknowledged - other->next;
    bool is_open = (other->flags & (IDS_HAS_NEXT | IDS_FINISHED | IDS_IS_DEEP)) == IDS_HAS_NEXT;
    if (has_acknowledgement(work->view) && is_open && ahead != 0 && ahead < ACKNOWLEDGED_MAX &&
        (work->flow->flags & IDS_ESTABLISHED) != 0) {
        other->skip = work->view->acknowledged;
        other->flags |= IDS_SKIPS;
    }
}

/* ---- Bytes ---- */

static void load(struct ids_work *work, const struct ids_direction *direction) {
    const struct ids_blocks *blocks = ids_blocks(work->state);
    const uint8_t *memory = work->scanner->memory;
    if (work->is_loaded) {
        return;
    }
    if (direction->memory_size != 0 && direction->memory_size <= IDS_BLOCK_BYTES) {
        memory = blocks->blocks[direction->memory].bytes;
    } else {
        ids_chain_read(blocks, direction->memory, work->scanner->memory, direction->memory_size);
    }
    ids_stream_load(work->scanner, work->database, memory, direction->memory_size);
    work->is_loaded = true;
}

static void look_at(struct ids_work *work, struct ids_direction *direction, const uint8_t *bytes,
                    uint32_t size) {
    uint32_t looked_at = size;
    uint32_t depth_max = work->config->stream_depth;
    load(work, direction);
    if (depth_max != 0) {
        uint32_t room = depth_max - direction->depth;
        looked_at = size < room ? size : room;
        direction->depth += looked_at;
        direction->flags |= size > room ? IDS_IS_DEEP : 0;
    }
    ids_stream_scan(work->scanner, work->database, bytes, looked_at,
                    (direction->flags & IDS_RESUMED) != 0);
    direction->next += size;
    work->in_stream = true;
    work->state->totals.stream_bytes += looked_at;
    work->state->totals.beyond_depth += size - looked_at;
}

/* Segments that waited for what has come now. */
static void look_at_early(struct ids_work *work, struct ids_direction *direction) {
    uint8_t *bytes = work->scanner->bytes;
    uint32_t first, size;
    while ((direction->flags & IDS_IS_DEEP) == 0 &&
           (size = ids_early_take(work->state, direction, direction->next, &first, bytes)) != 0) {
        uint32_t known = direction->next - first;
        if (known < size) {
            look_at(work, direction, bytes + known, size - known);
        }
    }
}

/* One gap for each packet, and before its own bytes: so what is found belongs to one stream. */
static void skip_gap(struct ids_work *work, struct ids_direction *direction) {
    uint32_t target = direction->skip;
    uint32_t early;
    if (ids_early_first(work->state, direction, &early) && (int32_t)(early - target) < 0) {
        target = early;
    }
    if ((int32_t)(target - direction->next) > 0) {
        work->state->totals.gaps++;
        work->state->totals.gap_bytes += target - direction->next;
        ids_chain_free(ids_blocks(work->state), &direction->memory);
        direction->memory_size = 0;
        direction->next = target;
        direction->flags |= IDS_RESUMED;
        look_at_early(work, direction);
    }
    if ((int32_t)(direction->skip - direction->next) <= 0) {
        direction->flags &= (uint16_t)~IDS_SKIPS;
    }
}

/* ---- A segment ---- */

static void wait_early(struct ids_work *work, struct ids_direction *direction, uint32_t first) {
    const struct ids_view *view = work->view;
    uint64_t reach = (uint64_t)(first - direction->next) + view->size;
    if (view->size == 0) {
        return;
    }
    if (reach <= work->config->reorder_max &&
        ids_early_add(work->state, direction, first, view->payload, view->size)) {
        work->state->totals.early++;
        return;
    }
    work->state->totals.early_refused++;
    look_alone(work);
}

static void note_fin(struct ids_work *work, struct ids_direction *direction, uint32_t end) {
    bool is_near = end - direction->next <= work->config->reorder_max;
    if ((work->view->tcp_flags & IDS_TCP_FIN) != 0 && is_near &&
        (direction->flags & IDS_HAS_FIN) == 0) {
        direction->end = end;
        direction->flags |= IDS_HAS_FIN;
    }
}

static void place_segment(struct ids_work *work, struct ids_direction *direction) {
    const struct ids_view *view = work->view;
    uint32_t first = view->sequence + is_syn(view);
    if ((direction->flags & IDS_SKIPS) != 0) {
        skip_gap(work, direction);
    }
    note_fin(work, direction, first + view->size);
    int32_t ahead = (int32_t)(first - direction->next);
    if (ahead > 0) {
        wait_early(work, direction, first);
        return;
    }
    uint32_t known = 0U - (uint32_t)ahead;
    if (known < view->size) {
        look_at(work, direction, view->payload + known, view->size - known);
        look_at_early(work, direction);
    } else {
        work->state->totals.repeated += view->size != 0;
    }
    if ((direction->flags & IDS_HAS_FIN) != 0 && direction->next == direction->end) {
        load(work, direction);
        ids_stream_end(work->scanner, work->database, (direction->flags & IDS_RESUMED) != 0);
        work->in_stream = true;
        direction->next++;
        direction->flags |= IDS_FINISHED;
    }
}

void ids_tcp_begin(struct ids_work *work) {
    const struct ids_view *view = work->view;
    if (work->flow != NULL) {
        follow_connection(work);
    }
    work->database = work->by_client ? IDS_TO_SERVER : IDS_TO_CLIENT;
    if (work->flow == NULL) {
        look_alone(work);
        return;
    }
    note_acknowledged(work);
    if (view->size == 0 && (view->tcp_flags & IDS_TCP_FIN) == 0) {
        return;
    }
    struct ids_direction *direction = direction_of(work);
    if ((direction->flags & IDS_HAS_NEXT) == 0 && work->config->picks_up &&
        (work->flow->flags & IDS_IS_FOLLOWED) != 0) {
        set_next(direction, view->sequence + is_syn(view));
        direction->flags |= IDS_RESUMED;
    }
    if ((direction->flags & IDS_HAS_NEXT) == 0 || (direction->flags & IDS_FINISHED) != 0) {
        look_alone(work);
    } else if ((direction->flags & IDS_IS_DEEP) != 0) {
        work->state->totals.beyond_depth += view->size;
    } else {
        place_segment(work, direction);
    }
}

void ids_tcp_end(struct ids_work *work) {
    if (work->flow == NULL) {
        return;
    }
    struct ids_direction *direction = direction_of(work);
    if ((work->flow->flags & (IDS_PASSED | IDS_DROPPED)) != 0) {
        ids_direction_clear(work->state, &work->flow->directions[0]);
        ids_direction_clear(work->state, &work->flow->directions[1]);
        return;
    }
    if (!work->is_loaded) {
        return;
    }
    if ((direction->flags & (IDS_FINISHED | IDS_IS_DEEP)) != 0) {
        ids_direction_clear(work->state, direction);
        return;
    }
    direction->memory_size = ids_stream_pack(work->scanner, work->database);
    if (!ids_chain_write(ids_blocks(work->state), &direction->memory, work->scanner->memory,
                         direction->memory_size)) {
        direction->memory_size = 0;
        direction->flags |= IDS_RESUMED;
        work->state->totals.memories_refused++;
    }
}

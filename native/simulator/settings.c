/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/settings.h"

#include "simulator/pipelines.h"
#include "simulator/simulation.h"

static uint32_t smaller(uint32_t one, uint32_t other) {
    return one < other ? one : other;
}

/* Small frames in a large input log, and a standby that is behind: it is the access log that is
 * full then, where elsewhere the input log comes first. */
static void fill_access_log(struct settings *settings) {
    settings->workers = 2 + chance(2);
    settings->access_size = RING_SIZE_MIN;
    settings->input_size = RING_SIZE_MIN << 4;
    settings->frames = 200 + chance(200);
    settings->arrivals = 8 + chance(16);
    settings->has_large_frames = false;
    settings->failures = 1 + chance(3);
    settings->slow = SLOW_STANDBY;
    settings->opens_late = true;
}

/* By numbers of its own: runs that keep all promises are the same with and without the others. */
static enum release_mode draw_release(void) {
    struct random own = {.state = simulation.seed * 0xd1342543de82ef95ULL + 7};
    return random_one_in(&own, 8) ? RELEASE_NONE : RELEASE_PARALLEL;
}

void settings_draw(struct settings *settings, struct pipeline *pipeline) {
    uint32_t few = chance(FTMB_WORKERS_MAX);
    *settings = (struct settings){
        .workers = 1 + smaller(few, chance(FTMB_WORKERS_MAX)),
        .input_size = RING_SIZE_MIN << chance(4),
        .access_size = RING_SIZE_MIN << chance(3),
        .output_size = (uint64_t)(2 * RING_SIZE_MIN) << chance(2),
        .frames = 4 + (chance(8) == 0 ? chance(400) : smaller(chance(120), chance(120))),
        .arrivals = 1 + chance(4),
        .calm = chance(4) == 0 ? 8 + chance(8) : 64,
        .opens_late = chance(4) == 0,
        .has_large_frames = chance(4) == 0,
        .slow = chance(4) == 0 ? TASK_LOGGERS : chance(2 * TASK_KINDS),
        .stay = 1 + smaller(chance(12), chance(12)),
        .failures = chance(FAILURES_MAX),
        .busy_port = chance(2) == 0 ? 0 : 2 + chance(10),
        .spawn_delay = chance(2) == 0 ? 0 : chance(60),
    };
    uint32_t place = chance(100);
    if (chance(6) == 0) {
        fill_access_log(settings);
        place = 0;
    }
    settings->release = draw_release();
    if (settings->release == RELEASE_NONE) { /* what leaves too early depends on other workers */
        settings->workers += settings->workers == 1;
        place %= 60;
    }
    settings->pipeline_name = pipelines_draw(pipeline, settings->workers, place);
    settings->is_armed = chance(2) == 0;
    settings->pals = chance(16) == 0 ? PAL_EVERY_ACCESS : PAL_HAND_OVERS;
}

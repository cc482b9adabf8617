/* SPDX-License-Identifier: BSD-3-Clause */
#include "simulator/settings.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elements.h"
#include "host/element_config.h"
#include "simulator/probe.h"

#define CONFIG_SIZE_MAX 65536U

static _Alignas(64) uint8_t configs[FTMB_PIPELINE_MAX][CONFIG_SIZE_MAX];

static const struct ftmb_element_class *element_named(const char *name) {
    uint32_t index = 0;
    while (strcmp(elements_at(index)->name, name) != 0) {
        index++;
    }
    return elements_at(index);
}

static void *add(struct pipeline *pipeline, const struct ftmb_element_class *element) {
    void *config = configs[pipeline->count];
    if (element->config_size > CONFIG_SIZE_MAX || pipeline_add(pipeline, element, config) != 0) {
        abort();
    }
    element_config_init(element, config);
    return config;
}

static const char *const probe_commands[] = {"mix one", "mix two", "mix three", NULL};

static void add_probe(struct pipeline *pipeline) {
    struct probe_config *config = add(pipeline, &probe_class);
    config->variables = 1 + chance(PROBE_VARIABLES_MAX);
}

static void add_monitor(struct pipeline *pipeline) {
    const struct ftmb_element_class *element = element_named("monitor");
    void *config = add(pipeline, element);
    element_config_set(element, config, "first", 0);
    element_config_set(element, config, "second", 1);
    element_config_set(element, config, "hosts_max", 1024);
    element_config_set(element, config, "stamp", 1);
}

static void add_forward(struct pipeline *pipeline) {
    const struct ftmb_element_class *element = element_named("forward");
    void *config = add(pipeline, element);
    element_config_set(element, config, "first", 0);
    element_config_set(element, config, "second", 1);
}

static void add_nat(struct pipeline *pipeline, uint32_t workers) {
    const struct ftmb_element_class *element = element_named("nat");
    void *config = add(pipeline, element);
    char error[256];
    element_config_set(element, config, "inside", 0);
    element_config_set(element, config, "outside", 1);
    element_config_set_text(element, config, "external", "203.0.113.1");
    element_config_set_text(element, config, "inside_address", "10.0.0.1");
    element_config_set(element, config, "filtering", chance(3));
    element_config_set(element, config, "sessions_max", 16 + chance(16));
    element_config_set(element, config, "port_first", 2048);
    element_config_set(element, config, "port_last", 2048 + workers * (8 + chance(60)) - 1);
    element_config_set(element, config, "udp_timeout", 1);
    element_config_set(element, config, "icmp_timeout", 1);
    element_config_set(element, config, "tcp_established_timeout", 2);
    element_config_set(element, config, "tcp_transitory_timeout", 1);
    element_config_set(element, config, "check_checksum", 1);
    element_config_set(element, config, "icmp_errors_max", 1000);
    if (element->check(config, workers, error, sizeof(error)) != 0) {
        simulation_fail("the NAT's configuration: %s", error);
    }
}

static void add_firewall(struct pipeline *pipeline, uint32_t workers) {
    const struct ftmb_element_class *element = element_named("firewall");
    void *config = add(pipeline, element);
    char error[256];
    uint32_t flows = 16 + chance(16);
    element_config_set(element, config, "trusted", 0);
    element_config_set(element, config, "untrusted", 1);
    element_config_set_text(element, config, "rules", "drop tcp any -> 198.51.100.8 port 81");
    element_config_set_text(element, config, "rules", "allow any 10.0.0.0/8 -> any");
    element_config_set_text(element, config, "rules", "allow from untrusted udp any -> any");
    element_config_set(element, config, "policy", chance(3));
    element_config_set(element, config, "flows_max", flows);
    element_config_set(element, config, "pending_max", 1 + chance(flows));
    element_config_set(element, config, "pending_timeout", 1);
    element_config_set(element, config, "udp_timeout", 1);
    element_config_set(element, config, "icmp_timeout", 1);
    element_config_set(element, config, "tcp_established_timeout", 2);
    element_config_set(element, config, "tcp_transitory_timeout", 1);
    element_config_set(element, config, "tcp_closing_timeout", 1);
    if (element->check(config, workers, error, sizeof(error)) != 0) {
        simulation_fail("the firewall's configuration: %s", error);
    }
}

/* By numbers of its own. Both elements by one port and the other way round by the other, TCP by
 * less; or in their order, without any path. */
static bool draw_paths(struct pipeline *pipeline) {
    static const struct bpf_insn is_tcp[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 0)};
    struct random own = {.state = simulation.seed * 0xc2b2ae3d27d4eb4fULL + 13};
    if (random_one_in(&own, 2)) {
        return false;
    }
    int error = pipeline_add_path(pipeline, 1, is_tcp, 4, (const uint8_t[]){0}, 1);
    error |= pipeline_add_path(pipeline, 1, NULL, 0, (const uint8_t[]){1, 0}, 2);
    error |= pipeline_add_path(pipeline, 2, NULL, 0, (const uint8_t[]){0, 1}, 2);
    simulation_expect(error == 0, "the paths cannot be added");
    return true;
}

static const char *const balancer_commands[] = {
    "add tcp 198.51.100.7:80 192.0.2.3:8000 weight 2",
    "drain tcp 198.51.100.7:80 192.0.2.1:8000",
    "remove tcp 198.51.100.7:80 192.0.2.2:8000",
    "add tcp 198.51.100.7:80 192.0.2.2:8000",
    "add udp 198.51.100.7:80 192.0.2.3:8001",
    "remove udp 198.51.100.7:80 192.0.2.1:8001",
    "add udp 198.51.100.7:80 192.0.2.1:8001",
    "remove udp 198.51.100.8:81 192.0.2.2:8002",
    NULL,
};

static void add_load_balancer(struct pipeline *pipeline, uint32_t workers) {
    static const char *const services[] = {"tcp 198.51.100.7:80", "udp 198.51.100.7:80",
                                           "udp 198.51.100.8:81"};
    const struct ftmb_element_class *element = element_named("load_balancer");
    void *config = add(pipeline, element);
    char text[256];
    element_config_set(element, config, "clients", 0);
    element_config_set(element, config, "servers", 1);
    element_config_set(element, config, "algorithm", chance(2));
    element_config_set(element, config, "backends_max", 3);
    element_config_set(element, config, "table_size", 13);
    element_config_set(element, config, "connections_max", 16 + chance(16));
    for (uint32_t service = 0; service < 3; service++) {
        element_config_set_text(element, config, "services", services[service]);
        for (uint32_t backend = 1; backend < 3; backend++) {
            snprintf(text, sizeof(text), "%s -> 192.0.2.%u:%u", services[service], backend,
                     8000 + service);
            element_config_set_text(element, config, "backends", text);
        }
    }
    element_config_set(element, config, "udp_timeout", 1);
    element_config_set(element, config, "tcp_established_timeout", 2);
    element_config_set(element, config, "tcp_transitory_timeout", 1);
    element_config_set(element, config, "tcp_closing_timeout", 1);
    if (element->check(config, workers, text, sizeof(text)) != 0) {
        simulation_fail("the load balancer's configuration: %s", text);
    }
}

/* Frames alike that leave, and as answers what nobody here sent: both ways of the line are busy. */
static void add_wan_optimizer(struct pipeline *pipeline) {
    const struct ftmb_element_class *element = element_named("wan_optimizer");
    void *config = add(pipeline, element);
    element_config_set(element, config, "lan", 0);
    element_config_set(element, config, "wan", 1);
    element_config_set(element, config, "cache_kib", 2 + chance(8));
    element_config_set(element, config, "settle_ms", chance(2) * 5);
    element_config_set_text(element, config, "key", "000102030405060708090a0b0c0d0e0f");
}

static const char *draw_pipeline(struct pipeline *pipeline, uint32_t workers, uint32_t place) {
    pipeline->count = pipeline->path_count = 0;
    if (place < 50) {
        add_probe(pipeline);
        simulation.settings.commands = probe_commands;
        return "probe";
    }
    if (place < 60) {
        add_monitor(pipeline);
        return "monitor";
    }
    if (place < 64) {
        add_wan_optimizer(pipeline);
        return "wan_optimizer";
    }
    if (place < 77) {
        add_nat(pipeline, workers);
        return "nat";
    }
    if (place < 85) {
        add_load_balancer(pipeline, workers);
        simulation.settings.commands = balancer_commands;
        return "load_balancer";
    }
    if (place < 92) {
        add_nat(pipeline, workers);
        add_monitor(pipeline);
        return draw_paths(pipeline) ? "nat, monitor by paths" : "nat, monitor";
    }
    if (place < 98) {
        add_firewall(pipeline, workers);
        return "firewall";
    }
    add_forward(pipeline);
    return "forward";
}

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
    settings->pipeline_name = draw_pipeline(pipeline, settings->workers, place);
    settings->is_armed = chance(2) == 0;
    settings->pals = chance(16) == 0 ? PAL_EVERY_ACCESS : PAL_HAND_OVERS;
}

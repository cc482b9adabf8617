/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The elements that runs are of, with bounds so small that runs meet them.
 */
#include "simulator/pipelines.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elements.h"
#include "host/element_config.h"
#include "simulator/probe.h"
#include "simulator/simulation.h"

#define CONFIG_SIZE_MAX 262144U

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

static const char *const limiter_commands[] = {
    "total upload 30k burst 900", "prefix 10.0.0.0/30 upload 50k", "host 10.0.0.1 upload 1k",
    "host 10.0.0.1 default",      "total upload unlimited",        NULL};
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

/* Rates at which some of a run's few frames are refused, whatever its pace. */
static void add_limiter(struct pipeline *pipeline, uint32_t workers) {
    const struct ftmb_element_class *element = element_named("limiter");
    void *config = add(pipeline, element);
    char error[256];
    element_config_set(element, config, "inside", 0);
    element_config_set(element, config, "outside", 1);
    element_config_set_text(element, config, "total",
                            "upload 100k burst 1500 download 1M burst 900");
    element_config_set_text(element, config, "host", "upload 20k burst 600 download 2k burst 600");
    element_config_set_text(element, config, "prefixes", "10.0.0.0/30 upload 9k burst 700");
    element_config_set_text(element, config, "classes", "first keeps 20% mark ef");
    element_config_set_text(element, config, "classes", "second");
    element_config_set_text(element, config, "rules", "first tcp any -> any");
    element_config_set(element, config, "hosts_max", 256);
    if (element->check(config, workers, error, sizeof(error)) != 0) {
        simulation_fail("the limiter's configuration: %s", error);
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

const char *pipelines_draw(struct pipeline *pipeline, uint32_t workers, uint32_t place) {
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
    if (place < 94) {
        add_limiter(pipeline, workers);
        simulation.settings.commands = limiter_commands;
        return "limiter";
    }
    if (place < 98) {
        add_firewall(pipeline, workers);
        return "firewall";
    }
    add_forward(pipeline);
    return "forward";
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator as a program, which `ftmb simulate` starts: FIRST LAST [MISTAKE] [trace]. One line
 * of JSON for each seed that failed and one with the sums at the end. A crash is a failure too, and
 * ends the program with status 3; who started it goes on behind that seed.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulator/run.h"

#define EXIT_FAILURES 1
#define EXIT_USAGE 2
#define EXIT_CRASHED 3

struct mistake_text {
    const char *name, *rule;
};

#define X(name, rule) {#name, rule},
static const struct mistake_text mistakes[] = {{"NONE", "no mistake"}, SIMULATION_MISTAKES(X)};
#undef X

static void print_failure(uint64_t seed, const char *failure) {
    printf("{\"seed\": %" PRIu64 ", \"failure\": \"", seed);
    for (const char *at = failure; *at != '\0'; at++) {
        putchar(*at == '"' || *at == '\\' ? '\'' : *at);
    }
    printf("\"}\n");
    fflush(stdout);
}

static void crashed(int number) {
    char line[128];
    int size = snprintf(line, sizeof(line),
                        "{\"seed\": %" PRIu64 ", \"failure\": \"crashed by signal %d\"}\n",
                        simulation.seed, number);
    ssize_t written = write(STDOUT_FILENO, line, (size_t)size);
    _exit(written == size ? EXIT_CRASHED : EXIT_USAGE);
}

static void catch_crashes(void) {
    static uint8_t stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK};
    const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (uint32_t index = 0; index < sizeof(numbers) / sizeof(numbers[0]); index++) {
        sigaction(numbers[index], &action, NULL);
    }
}

static bool choose_mistake(const char *name) {
    for (uint32_t index = 0; index < MISTAKES; index++) {
        if (strcmp(mistakes[index].name, name) == 0) {
            simulation_mistake = (enum simulation_mistake)index;
            return true;
        }
    }
    return false;
}

static int list_mistakes(void) {
    for (uint32_t index = 1; index < MISTAKES; index++) {
        printf("%s\t%s\n", mistakes[index].name, mistakes[index].rule);
    }
    return 0;
}

static int run_seeds(uint64_t first, uint64_t last, bool is_tracing) {
    uint64_t steps = 0, records = 0, failovers = 0, state_losses = 0, failures = 0, digest = 0;
    uint64_t doubled = 0;
    struct run_result result;
    for (uint64_t seed = first; seed < last; seed++) {
        run_seed(seed, is_tracing, &result);
        if (result.has_failed) {
            failures++;
            print_failure(seed, result.failure);
        }
        steps += result.steps;
        records += result.records;
        failovers += result.failovers;
        state_losses += result.state_losses;
        doubled += result.doubled;
        digest = digest * 31 + result.digest;
    }
    printf("{\"runs\": %" PRIu64 ", \"failures\": %" PRIu64 ", \"steps\": %" PRIu64
           ", \"records\": %" PRIu64 ", \"failovers\": %" PRIu64 ", \"state_losses\": %" PRIu64
           ", \"doubled\": %" PRIu64 ", \"digest\": \"%016" PRIx64 "\"}\n",
           last - first, failures, steps, records, failovers, state_losses, doubled, digest);
    return failures == 0 ? 0 : EXIT_FAILURES;
}

int main(int count, char **arguments) {
    bool is_tracing = false;
    if (count == 2 && strcmp(arguments[1], "mistakes") == 0) {
        return list_mistakes();
    }
    for (int index = 3; index < count; index++) {
        if (strcmp(arguments[index], "trace") == 0) {
            is_tracing = true;
        } else if (!choose_mistake(arguments[index])) {
            fprintf(stderr, "no mistake is called %s\n", arguments[index]);
            return EXIT_USAGE;
        }
    }
    if (count < 3) {
        fprintf(stderr, "usage: %s FIRST LAST [MISTAKE] [trace] | mistakes\n", arguments[0]);
        return EXIT_USAGE;
    }
    catch_crashes();
    return run_seeds(strtoull(arguments[1], NULL, 10), strtoull(arguments[2], NULL, 10),
                     is_tracing);
}

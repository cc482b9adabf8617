/* SPDX-License-Identifier: BSD-3-Clause */
#include "master/packet_filter.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ftmb_limits.h"

static struct bpf_insn *copy_of(const struct bpf_program *program) {
    struct bpf_insn *instructions = calloc(program->bf_len, sizeof(*instructions));
    if (instructions != NULL) {
        memcpy(instructions, program->bf_insns, program->bf_len * sizeof(*instructions));
    }
    return instructions;
}

struct bpf_insn *packet_filter_compile(const char *text, uint32_t *count, char *error,
                                       size_t error_size) {
    struct bpf_program program;
    pcap_t *handle = pcap_open_dead(DLT_EN10MB, FTMB_FRAME_SIZE_MAX);
    struct bpf_insn *instructions = NULL;
    if (handle == NULL) {
        snprintf(error, error_size, "no memory");
        return NULL;
    }
    if (pcap_compile(handle, &program, text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        snprintf(error, error_size, "%s", pcap_geterr(handle));
    } else {
        if (program.bf_len > PACKET_FILTER_SIZE_MAX) {
            snprintf(error, error_size, "needs %u instructions, more than %u", program.bf_len,
                     PACKET_FILTER_SIZE_MAX);
        } else if ((instructions = copy_of(&program)) == NULL) {
            snprintf(error, error_size, "no memory");
        }
        *count = program.bf_len;
        pcap_freecode(&program);
    }
    pcap_close(handle);
    return instructions;
}

void packet_filter_free(struct bpf_insn *instructions) {
    free(instructions);
}

bool packet_filter_is_valid(const struct bpf_insn *instructions, uint32_t count) {
    return count > 0 && count <= PACKET_FILTER_SIZE_MAX &&
           bpf_validate(instructions, (int)count) != 0;
}

bool packet_filter_matches(const struct bpf_insn *instructions, const uint8_t *frame,
                           uint16_t length) {
    return bpf_filter(instructions, frame, length, length) != 0;
}

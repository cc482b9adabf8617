/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of the WAN optimizer: their table, and what is checked that a table cannot say. */
#include "wan_config.h"

#include <stdio.h>
#include <string.h>

#define KEY_DIGITS 32U

int wan_check(const void *config_pointer, uint32_t workers, char *error, size_t error_size) {
    const struct wan_config *config = config_pointer;
    (void)workers;
    if (config->lan == config->wan) {
        snprintf(error, error_size, "lan and wan are the same port");
        return -1;
    }
    return 0;
}

static int digit_of(char character) {
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    return -1;
}

/* 16 bytes, the first of them the lowest of key[0], as SipHash's authors write keys. */
static int parse_key(void *config_pointer, const char *text, char *error, size_t error_size) {
    struct wan_config *config = config_pointer;
    uint64_t key[2] = {0, 0};
    bool is_whole = strlen(text) == KEY_DIGITS;
    for (uint32_t place = 0; place < KEY_DIGITS && is_whole; place++) {
        int digit = digit_of(text[place]);
        uint32_t byte = place / 2;
        uint32_t shift = byte % 8 * 8 + (place % 2 == 0 ? 4 : 0);
        is_whole = digit >= 0;
        key[byte / 8] |= is_whole ? (uint64_t)digit << shift : 0;
    }
    if (!is_whole) {
        snprintf(error, error_size,
                 "\"%s\" is not 32 digits of 0-9 and a-f; `openssl rand -hex 16` makes a key",
                 text);
        return -1;
    }
    memcpy(config->key, key, sizeof(key));
    return 0;
}

static const char *const role_choices[] = {
    [WAN_BOTH] = "both",
    [WAN_ENCODER] = "encoder",
    [WAN_DECODER] = "decoder",
    NULL,
};

#define AT(member) .offset = offsetof(struct wan_config, member)

const struct ftmb_option wan_options[] = {
    {.name = "lan", .help = "port of the site", .type = FTMB_OPTION_PORT, AT(lan)},
    {.name = "wan",
     .help = "port of the line, at the other end of which is the other box",
     .type = FTMB_OPTION_PORT,
     AT(wan)},
    {.name = "role",
     .help = "encodes what goes to the WAN (encoder), decodes what comes (decoder), or both",
     .type = FTMB_OPTION_CHOICE,
     AT(role),
     .initial = "\"both\"",
     .choices = role_choices},
    {.name = "cache_kib",
     .help = "KiB of payload kept, for each direction; the same at both ends",
     .type = FTMB_OPTION_UNSIGNED,
     AT(cache_kib),
     .minimum = 64,
     .maximum = 1U << 30,
     .initial = "65536"},
    {.name = "payload_min",
     .help = "bytes of payload below which a packet is left alone; the same at both ends",
     .type = FTMB_OPTION_UNSIGNED,
     AT(payload_min),
     .minimum = 48,
     .maximum = 1500,
     .initial = "64"},
    {.name = "settle_ms",
     .help = "milliseconds before another flow's packet may be referred to, so that it is there",
     .type = FTMB_OPTION_UNSIGNED,
     AT(settle_ms),
     .minimum = 0,
     .maximum = 60000,
     .initial = "5"},
    {.name = "key",
     .help = "32 hexadecimal digits for the digests, the same at both ends and nobody else's",
     .type = FTMB_OPTION_TEXT,
     AT(key),
     .parse = parse_key},
    {.name = NULL},
};

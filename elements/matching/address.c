/* SPDX-License-Identifier: BSD-3-Clause */
#include "matching/address.h"

#include <arpa/inet.h>

#include "matching/reader.h"

bool ip_prefix_read(const char *text, size_t length, struct ip_prefix *prefix) {
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[16] = {0};
    size_t before = 0;
    while (before < length && text[before] != '/') {
        ++before;
    }
    if (before >= sizeof(address)) {
        return false;
    }
    memcpy(address, text, before);
    address[before] = '\0';
    bool is_ipv6 = strchr(address, ':') != NULL;
    uint32_t bits = is_ipv6 ? 128 : 32;
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address, bytes) != 1) {
        return false;
    }
    const char *at = text + before + 1;
    if (before < length &&
        (!reader_number(&at, text + length, bits, &bits) || at != text + length)) {
        return false;
    }
    prefix->version = is_ipv6 ? 6 : 4;
    prefix->bits = is_ipv6 ? bits : bits + 96;
    prefix->address = ip_address_load(bytes, prefix->version);
    prefix->mask = ip_address_mask(prefix->bits);
    return ip_address_equal(ip_address_and(prefix->address, prefix->mask), prefix->address);
}

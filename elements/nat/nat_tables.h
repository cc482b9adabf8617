/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NAT_TABLES_H
#define NAT_TABLES_H

#include "ftmb_table.h"

extern const struct ftmb_table nat_tables[]; /* sessions and mappings, of each worker */

#endif

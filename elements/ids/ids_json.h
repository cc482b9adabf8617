/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EVE JSON: what an alert says of its rule, written once when the rule is parsed.
 */
#ifndef IDS_JSON_H
#define IDS_JSON_H

#include "ids/ids_rules.h"

/* A quote or a backslash takes two bytes; nothing else in these texts takes more than it has. */
#define IDS_JSON_RULE_SIZE_MAX (2U * (IDS_MESSAGE_SIZE_MAX + IDS_CATEGORY_SIZE_MAX) + 160U)

/* `"gid":1,...,"severity":3`: the members of "alert" but for "action"; bytes written. */
uint32_t ids_json_rule(const struct ids_draft *draft, char *json);

#endif

/* What the files of the configuration share among themselves. */
#ifndef FLIPSIDE_UPDATER_CONFIG_INTERNAL_H
#define FLIPSIDE_UPDATER_CONFIG_INTERNAL_H

#include "updater/config.h"

#define CONFIG_DURATION_MAX_MS (24u * 60 * 60 * 1000)
#define CONFIG_BLANKS " " /* between URLs */
#define CONFIG_URL_MAX_BYTES 2048
#define CONFIG_SIZE_MAX_BYTES (UINT64_C(1) << 40)

/**
 * config_value_set() - check @text by the rule of @k and put it into @c
 * Return: NULL; else the rule it breaks ("true or false"), or config_out_of_memory; @c is then unchanged
 */
const char *config_value_set(struct config *c, const struct config_key *k, const char *text);
extern const char config_out_of_memory[];

/* Position of a key in config_keys, by section and name; CONFIG_N_KEYS if there is none. */
size_t config_key_find(const char *section, const char *name);

/* Settles the types from the texts in c->origins: the preset, then the single GUIDs over it. */
void config_settle_types(struct config *c);

#endif

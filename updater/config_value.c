/* One function for each type of value. A rule that is broken is told as the rule, so that the message says what
 * would be right. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tuf/fetch.h"
#include "tuf/mirror.h"
#include "base/workers.h"
#include "updater/config_internal.h"

const char config_out_of_memory[] = "out of memory";

static const char *set_string(void *dest, const char *text)
{
	char *copy = strdup(text), *old;

	if (!copy)
		return config_out_of_memory;
	memcpy(&old, dest, sizeof(old));
	free(old);
	memcpy(dest, &copy, sizeof(copy));
	return NULL;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* A scheme of ours with something behind it. */
static bool is_url(const char *p, size_t n)
{
	static const char *const schemes[] = { "https://", "http://", "file://" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (n > strlen(schemes[i]) && has_prefix(p, schemes[i]))
			return n <= CONFIG_URL_MAX_BYTES;
	return false;
}

static const char *set_urls(void *dest, const char *text)
{
	size_t n_urls = 0;

	for (const char *p = text; *p; p += strspn(p, CONFIG_BLANKS)) {
		const size_t n = strcspn(p, CONFIG_BLANKS);

		if (!is_url(p, n) || ++n_urls > TUF_MIRRORS_MAX)
			return "https, http or file URLs, at most 16 of at most 2048 bytes, separated by blanks";
		p += n;
	}
	return set_string(dest, text);
}

static const char *set_path(void *dest, const char *text)
{
	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return "an absolute path";
	return set_string(dest, text);
}

static const char *set_bool(bool *dest, const char *text)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*dest = i % 2 == 1;
			return NULL;
		}
	return "true or false";
}

static const char *set_seed(struct config *c, const char *text)
{
	uint64_t v = 0;

	if (text[0] && !num_parse_u64(text, 0, UINT32_MAX, &v))
		return "a number below 4294967296";
	c->has_seed = text[0] != '\0';
	c->seed = (uint32_t)v; /* at most UINT32_MAX */
	return NULL;
}

static const char *set_workers(unsigned int *dest, const char *text)
{
	uint64_t v = 0;

	if (text[0] && !num_parse_u64(text, 1, WORKERS_MAX, &v))
		return "a number from 1 to 16";
	*dest = (unsigned int)v; /* at most WORKERS_MAX */
	return NULL;
}

static const char *set_duration(uint32_t *dest, const char *text)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "min", 60000 }, { "h", 3600000 } };
	const size_t n = strspn(text, "0123456789");
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + n, units[i].unit) != 0 ||
		    !num_parse_u64_n(text, n, 1, CONFIG_DURATION_MAX_MS / units[i].ms, &v))
			continue;
		*dest = (uint32_t)(v * units[i].ms); /* at most CONFIG_DURATION_MAX_MS */
		return NULL;
	}
	return "a time such as 500ms, 30s or 2m, at most 24h";
}

static const char *set_size(uint64_t *dest, const char *text)
{
	static const char units[] = "KMG";
	const size_t n = strspn(text, "0123456789");
	const char *unit = text[n] ? strchr(units, text[n]) : NULL;
	const unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	uint64_t v;

	if ((text[n] && (!unit || text[n + 1])) || !num_parse_u64_n(text, n, 0, CONFIG_SIZE_MAX_BYTES >> shift, &v) ||
	    (v && v << shift < TUF_FETCH_RATE_MIN))
		return "0, or a size such as 500K or 2M, at least 1K";
	*dest = v << shift;
	return NULL;
}

static const char *set_lock(struct config *c, const char *text)
{
	struct err why;

	if (version_lock_parse(text, &c->version_lock, &why) < 0)
		return "latest, current, a version, or a range such as 1.2.x";
	return NULL;
}

static const char *set_active(struct config *c, const char *text)
{
	static const char *const words[] = { [PART_ACTIVE_AUTO] = "auto", [PART_ACTIVE_A] = "A", [PART_ACTIVE_B] = "B" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			c->active_set = (enum part_active)i;
			return NULL;
		}
	return "auto, A or B";
}

static const char *check_types(const char *text)
{
	if (strcmp(text, "bottlerocket") != 0 && strcmp(text, "discoverable") != 0)
		return "bottlerocket or discoverable";
	return NULL;
}

static const char *check_guid(const char *text)
{
	uint8_t guid[GPT_GUID_BYTES];

	return part_guid_parse(text, guid) ? NULL : "a GUID such as 5526016a-1a97-4ea4-b39a-b7c8c6ca4502";
}

/* No key takes control characters: a value ends up in messages, and in paths. */
static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

const char *config_value_set(struct config *c, const struct config_key *k, const char *text)
{
	void *dest = (char *)c + k->offset;

	if (has_control(text))
		return "text without control characters";
	if (!text[0] && !k->may_be_empty)
		return "not empty";
	if (!text[0] && k->type != CONFIG_SEED && k->type != CONFIG_WORKERS)
		return k->type == CONFIG_GUID ? NULL : set_string(dest, text);
	switch (k->type) {
	case CONFIG_STRING:
		return set_string(dest, text);
	case CONFIG_URLS:
		return set_urls(dest, text);
	case CONFIG_SIZE:
		return set_size(dest, text);
	case CONFIG_PATH:
		return set_path(dest, text);
	case CONFIG_BOOL:
		return set_bool(dest, text);
	case CONFIG_SEED:
		return set_seed(c, text);
	case CONFIG_DURATION:
		return set_duration(dest, text);
	case CONFIG_LOCK:
		return set_lock(c, text);
	case CONFIG_ACTIVE:
		return set_active(c, text);
	case CONFIG_TYPES:
		return check_types(text);
	case CONFIG_WORKERS:
		return set_workers(dest, text);
	case CONFIG_GUID:
		return check_guid(text);
	}
	return NULL;
}

void config_settle_types(struct config *c)
{
	const struct {
		const char *name;
		uint8_t *guid;
	} single[] = {
		{ "boot_type", c->types.role[PART_BOOT] },
		{ "root_type", c->types.role[PART_ROOT] },
		{ "hash_type", c->types.role[PART_HASH] },
		{ "private_type", c->types.private_data },
	};
	const char *preset = c->origins[config_key_find("host", "partition_types")].text;

	c->types = strcmp(preset, "discoverable") == 0 ? part_types_discoverable : part_types_bottlerocket;
	for (size_t i = 0; i < ARRAY_LEN(single); i++) {
		const char *text = c->origins[config_key_find("host", single[i].name)].text;

		if (text[0])
			(void)part_guid_parse(text, single[i].guid); /* checked when it was read */
	}
}

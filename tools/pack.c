/* The table of formats, and the format that changes nothing. */
#include "tools/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* xz -9 is left out: its readers need 65 MiB, more than UNPACK_XZ_MEMORY_BYTES. */
static const struct {
	enum unpack_format format;
	const char *name, *suffix;
	int min, max, standard;
} formats[] = {
	{ UNPACK_NONE, "none", "", 0, 0, 0 },	   { UNPACK_GZIP, "gzip", ".gz", 1, 9, 9 },
	{ UNPACK_XZ, "xz", ".xz", 0, 8, 6 },	   { UNPACK_ZSTD, "zstd", ".zst", 1, 22, 12 },
	{ UNPACK_LZ4, "lz4", ".lz4", 1, 12, 9 },
};

static size_t format_index(enum unpack_format f)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i].format == f)
			return i;
	return 0;
}

bool pack_parse_format(const char *s, enum unpack_format *out)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (strcmp(formats[i].name, s) == 0) {
			*out = formats[i].format;
			return true;
		}
	return false;
}

const char *pack_suffix(enum unpack_format f)
{
	return formats[format_index(f)].suffix;
}

int pack_options_check(const struct pack_options *o, struct err *e)
{
	const size_t i = format_index(o->format);

	if (o->level == PACK_LEVEL_DEFAULT || (o->level >= formats[i].min && o->level <= formats[i].max))
		return 0;
	if (o->format == UNPACK_NONE)
		return err_set(e, ERR_USAGE, PACK_E_LEVEL, "level %d: nothing is compressed, so there are no levels", o->level);
	return err_set(e, ERR_USAGE, PACK_E_LEVEL, "level %d: %s has levels %d to %d", o->level, formats[i].name,
		       formats[i].min, formats[i].max);
}

struct plain {
	struct sink base;
	struct sink *below;
};

static int plain_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	return sink_write(((struct plain *)s)->below, p, n, e);
}

static int plain_finish(struct sink *s, struct err *e)
{
	return sink_finish(((struct plain *)s)->below, e);
}

static void plain_free(struct sink *s)
{
	free(s);
}

static const struct sink_ops plain_ops = { plain_write, plain_finish, plain_free };

static int plain_new(struct sink *below, struct sink **out, struct err *e)
{
	struct plain *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return err_sys(e, "an output stage");
	}
	s->base.ops = &plain_ops;
	s->below = below;
	*out = &s->base;
	return 0;
}

int pack_new(const struct pack_options *o, struct sink *below, struct sink **out, struct err *e)
{
	const int level = o->level == PACK_LEVEL_DEFAULT ? formats[format_index(o->format)].standard : o->level;
	unsigned int threads = o->threads ? o->threads : 1;

	if (pack_options_check(o, e) < 0)
		return -1;
	if (threads > PACK_THREADS_MAX)
		threads = PACK_THREADS_MAX;
	switch (o->format) {
	case UNPACK_NONE:
		return plain_new(below, out, e);
	case UNPACK_GZIP:
		return pack_gzip_new(level, below, out, e);
	case UNPACK_XZ:
		return pack_xz_new(level, threads, below, out, e);
	case UNPACK_ZSTD:
		return pack_zstd_new(level, threads, below, out, e);
	case UNPACK_LZ4:
		return pack_lz4_new(level, below, out, e);
	}
	return err_set(e, ERR_BUG, NULL, "compression format %d", (int)o->format);
}

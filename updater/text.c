/* A message may quote a file name of any bytes, or be cut within a character. */
#include "updater/text.h"

#include <stddef.h>

/* Bytes of the well-formed sequence at @p (which ends with a NUL); 0 if there is none. */
static size_t sequence(const unsigned char *p)
{
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* shorter forms exist */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

void text_clean_utf8(char *s)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		const size_t n = sequence(p);

		if (n == 0)
			*p = '?';
		p += n ? n : 1;
	}
}

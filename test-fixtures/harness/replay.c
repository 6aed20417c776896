/*
 * Runs a fuzz target without an engine: each file of the directories given, whole, cut at each length and with
 * each byte changed; with "-n N" before the directories at N places of a file only, for targets that take long.
 * Every input is a block of exactly its size, so that the address sanitizer and valgrind see a read beyond it.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1 << 20)
#define PLACES_MAX 4096 /* of cuts and changes in one file; those of a larger file are spread evenly */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* @flip_at beyond @n: nothing is changed. */
static void run(const uint8_t *p, size_t n, size_t flip_at, uint8_t flip)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		die("memory");
	if (n)
		memcpy(copy, p, n);
	if (flip_at < n)
		copy[flip_at] ^= flip;
	/* For an empty input any pointer is right, also one that must not be read. */
	if (LLVMFuzzerTestOneInput(n ? copy : copy + 1, n) != 0)
		die("fuzz target refused to run");
	free(copy);
}

static void replay(const char *path, size_t places)
{
	static const uint8_t flips[] = { 0x01, 0x20, 0x80, 0xff };
	static uint8_t content[FILE_MAX_BYTES];
	FILE *f = fopen(path, "rb");

	if (!f)
		die(path);
	const size_t n = fread(content, 1, sizeof(content), f);
	if (ferror(f) || fgetc(f) != EOF) {
		fprintf(stderr, "%s: not readable, or larger than %d bytes\n", path, FILE_MAX_BYTES);
		exit(1);
	}
	fclose(f);
	const size_t step = n / places + 1;
	run(content, n, SIZE_MAX, 0);
	for (size_t at = 0; at < n; at += step) {
		run(content, at, SIZE_MAX, 0);
		for (size_t i = 0; i < sizeof(flips); i++)
			run(content, n, at, flips[i]);
	}
}

static bool is_file(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static unsigned int replay_dir(const char *dir, size_t places)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	if (!d)
		die(dir);
	for (const struct dirent *entry; (entry = readdir(d));) {
		char path[4096];

		if (!is_file(entry))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		replay(path, places);
		n++;
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	const bool few = argc > 2 && strcmp(argv[1], "-n") == 0;
	const size_t places = few ? strtoul(argv[2], NULL, 10) : PLACES_MAX;
	unsigned int n = 0;

	for (int i = few ? 3 : 1; i < argc && places > 0; i++)
		n += replay_dir(argv[i], places);
	printf("%u files\n", n);
	return n > 0 ? 0 : 1; /* a corpus that is not found tests nothing */
}

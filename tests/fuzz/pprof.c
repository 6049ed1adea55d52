/* pprof.c: hostile pprof files. The first byte chooses: a file of the input's own bytes, or a good message with bytes of it overwritten
 * (offset, value). What is accepted must survive every format, flattening and subtraction. */
/* LINK: inspect/format/pprof_read.c inspect/format/pprof.c inspect/format/folded.c inspect/format/json.c inspect/format/text.c inspect/format/html.c inspect/format/whole.c inspect/format/formats.c inspect/model/profile.c inspect/model/profile_store.c inspect/model/profile_flat.c inspect/model/profile_subtract.c inspect/model/plain.c inspect/model/units.c inspect/target/err.c inspect/target/proc.c inspect/target/xalloc.c build/inspect/format/profile.pb-c.c */
/* LDLIBS: -lprotobuf-c -lz -ljansson -lm */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "inspect/format/format.h"
#include "inspect/model/profile.h"
#include "inspect/target/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(int good)
{
	if (!good) abort();
}

static void write_all(const struct profile *p)
{
	struct format_options o = { .type = -1, .limit = 5 };
	struct err e;
	for (const struct format *const *f = formats; *f; f++) {
		char *text = NULL;
		size_t n;
		FILE *out = open_memstream(&text, &n);
		require(out && !(*f)->write(*f, out, p, &o, &e));
		fclose(out);
		require(!memchr(text, '\033', n) || !strcmp((*f)->name, "pprof"));
		free(text);
	}
}

static int read_bytes(const void *bytes, size_t n, struct profile **p)
{
	char path[64];
	struct err e = { 0 };
	int fd = memfd_create("pprof", MFD_CLOEXEC);
	require(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int status = pprof_read(path, p, &e);
	close(fd);
	require(!status || (e.kind != ERR_NONE && *e.text));
	return status;
}

/* A good message, not compressed. */
static size_t good(uint8_t *buf, size_t room)
{
	struct profile *p = profile_new();
	struct err e;
	struct format_options o = { .type = -1 };
	char *packed = NULL;
	size_t n;
	p->ntypes = 2;
	p->type[0] = (struct profile_type){ "inuse_objects", "count" };
	p->type[1] = (struct profile_type){ "inuse_space", "bytes" };
	uint32_t m = profile_mapping(p, 0x1000, 0x9000, 0, "/x", "ab"), loc[3];
	for (uint32_t i = 0; i < 3; i++) {
		char name[] = { (char)('f' + (int)i), 0 };
		struct profile_line line[2] = { { profile_function(p, name, name, "x.c", 3), 5 }, { profile_function(p, "g", "g", "", 0), 0 } };
		loc[i] = profile_location(p, 0x1000 + i, i ? m : 0);
		if (i < 2) profile_lines(p, loc[i], line, 1 + i);
	}
	struct profile_label label = { "thread", "t", NULL, 0 };
	profile_add(p, loc, 3, &label, 1, (double[]){ 3, 300 }, NULL);
	profile_add(p, loc, 2, NULL, 0, (double[]){ 4, 400 }, NULL);
	FILE *out = open_memstream(&packed, &n);
	require(out && !format_find("pprof")->write(format_find("pprof"), out, p, &o, &e));
	fclose(out);
	profile_free(p);
	z_stream z = { .next_in = (Bytef *)packed, .avail_in = (uInt)n, .next_out = buf, .avail_out = (uInt)room };
	require(inflateInit2(&z, 15 + 16) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END);
	inflateEnd(&z);
	free(packed);
	return z.total_out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t base[4096];
	static size_t base_size;
	uint8_t copy[4096];
	struct profile *p = NULL, *d = NULL;
	struct err e;
	if (!base_size) base_size = good(base, sizeof base);
	if (!n) return 0;
	int mutate = data[0] & 1;
	memcpy(copy, base, base_size);
	for (size_t i = 1; mutate && i + 3 <= n; i += 3) copy[(data[i] | data[i + 1] << 8) % base_size] = data[i + 2];
	if (read_bytes(mutate ? copy : data + 1, mutate ? base_size : n - 1, &p)) return 0;
	write_all(p);
	for (unsigned t = 0; t < p->ntypes; t++) free(profile_flatten(p, t, &n));
	require(!profile_subtract(p, p, &d, &e));
	write_all(d);
	profile_free(d);
	profile_free(p);
	return 0;
}

/* find.c: the search order. See find.h. */
#include "inspect/symbol/find.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "inspect/symbol/debuginfod.h"
#include "inspect/symbol/image.h"
#include "inspect/symbol/root.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"

static const char program[] = "/proc/self/exe";         /* how an agent names the program itself */

/* Takes fd over; keeps it when it is what is wanted. */
static int take(int fd, const uint8_t *id, unsigned size, struct vetted *out)
{
	if (vet(fd, out)) return -1;
	if (vet_is(out, id, size)) return 0;
	vet_close(out);
	return -1;
}

static int by_path(int root, const char *path, const uint8_t *id, unsigned size, struct vetted *out)
{
	if (root < 0 || take(root_file(root, path), id, size, out)) return -1;
	size_t n = strlen(path);
	if (n < sizeof out->path) memcpy(out->path, path, n + 1);
	return 0;
}

/* What a loader writes of a file that was deleted. */
static int without_deleted(const char *path, char *buf, size_t n)
{
	static const char gone[] = " (deleted)";
	size_t len = strlen(path), cut = sizeof gone - 1;
	int deleted = len > cut && !strcmp(path + len - cut, gone);
	snprintf(buf, n, "%.*s", (int)(deleted ? len - cut : len), path);
	return deleted;
}

static int vdso(const struct find *f, const struct symbol_module *m, struct vetted *out)
{
	if (f->mem && !take(image_fd(f->mem, m), m->build_id, m->build_id_size, out)) return 0;
	/* of a process that is gone: ours, if it is the same */
	unsigned long start = m->build_id_size ? getauxval(AT_SYSINFO_EHDR) : 0;
	if (!start) return -1;
	struct symbol_module ours = {.path = "[vdso]", .start = start, .end = start + (m->end - m->start)};
	struct err e;
	struct mem *self = mem_open_pid(getpid(), &e);
	int r = self ? take(image_fd(self, &ours), m->build_id, m->build_id_size, out) : -1;
	mem_close(self);
	return r;
}

/* By the kernel's own reference to the mapped file. `map`: where the module's first byte is. */
static int by_kernel(const struct find *f, const struct symbol_module *m, const struct map *map, struct vetted *out)
{
	char link[96], exe[PATH_MAX], path[PATH_MAX];
	if (map) {
		snprintf(link, sizeof link, "/proc/%d/map_files/%llx-%llx", (int)f->pid, (unsigned long long)map->start,
		         (unsigned long long)map->end);
		if (!take(root_magic(link), m->build_id, m->build_id_size, out)) return 0;
	}
	snprintf(link, sizeof link, "/proc/%d/exe", (int)f->pid);
	ssize_t n = readlink(link, exe, sizeof exe - 1);
	if (n < 0) return -1;
	exe[n] = 0;
	without_deleted(exe, path, sizeof path);
	if (strcmp(m->path, program) && strcmp(path, map ? map->path : m->path)) return -1;
	return take(root_magic(link), m->build_id, m->build_id_size, out);
}

int find_file(const struct find *f, const struct symbol_module *m, struct vetted *out)
{
	char path[PATH_MAX];
	*out = (struct vetted){.fd = -1};
	if (!strcmp(m->path, "[vdso]")) return vdso(f, m, out);
	const struct map *map = f->maps ? maps_find(f->maps, m->start) : NULL;
	int deleted = without_deleted(m->path, path, sizeof path) || (map && map->deleted);
	/* without a build ID there is nothing to tell a replaced file by but the kernel's word */
	int by_name = *path == '/' && strcmp(path, program) && (m->build_id_size || !deleted);
	if (by_name && !by_path(f->root, path, m->build_id, m->build_id_size, out)) return 0;
	if (!f->pid) return -1;
	if (!by_kernel(f, m, map && map->inode ? map : NULL, out)) return 0;
	return f->mem ? take(image_fd(f->mem, m), m->build_id, m->build_id_size, out) : -1;
}

static int by_build_id(const struct find *f, const uint8_t *id, unsigned size, struct vetted *out)
{
	char path[128] = "/usr/lib/debug/.build-id/";
	if (size < 2) return -1;
	size_t n = strlen(path);
	for (unsigned i = 0; i < size; i++) n += (size_t)snprintf(path + n, sizeof path - n, i == 0 ? "%02x/" : "%02x", id[i]);
	snprintf(path + n, sizeof path - n, ".debug");
	return by_path(f->root, path, id, size, out) && by_path(f->host, path, id, size, out) ? -1 : 0;
}

static int by_link(const struct find *f, const struct vetted *file, struct vetted *out)
{
	static const char *const places[] = {"%.*s/%s", "%.*s/.debug/%s", "/usr/lib/debug%.*s/%s"};
	const char *slash = strrchr(file->path, '/');
	if (!*file->link || !slash) return -1;
	int roots[] = {f->root, f->host};
	for (int r = 0; r < 2; r++)
		for (int i = 0; i < 3; i++) {
			char path[PATH_MAX + 300];
			uint32_t crc;
			snprintf(path, sizeof path, places[i], (int)(slash - file->path), file->path, file->link);
			if (by_path(roots[r], path, NULL, 0, out)) continue;
			/* where both have a build ID it says more than the checksum, and at once */
			if (file->build_id_size && out->build_id_size) {
				if (out->has_dwarf && vet_is(out, file->build_id, file->build_id_size)) return 0;
			} else if (!vet_crc(out, &crc) && crc == file->link_crc) {
				return 0;
			}
			vet_close(out);
		}
	return -1;
}

int find_debug(const struct find *f, const struct vetted *file, struct vetted *out)
{
	*out = (struct vetted){.fd = -1};
	if (!by_build_id(f, file->build_id, file->build_id_size, out)) return 0;
	if (!by_link(f, file, out)) return 0;
	return take(debuginfod_debug(file->build_id, file->build_id_size), file->build_id, file->build_id_size, out);
}

int find_supplement(const struct find *f, const char *debug_path, const char *name, const uint8_t *id, unsigned size,
                    struct vetted *out)
{
	char path[PATH_MAX + 1024];
	*out = (struct vetted){.fd = -1};
	const char *slash = strrchr(debug_path, '/');
	if (!by_build_id(f, id, size, out)) return 0;
	if (*name == '/') snprintf(path, sizeof path, "%.4000s", name);
	else snprintf(path, sizeof path, "%.*s/%.4000s", slash ? (int)(slash - debug_path) : 0, debug_path, name);
	return by_path(f->root, path, id, size, out) && by_path(f->host, path, id, size, out) ? -1 : 0;
}

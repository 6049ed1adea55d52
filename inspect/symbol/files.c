/* files.c: see files.h. */
#include "inspect/symbol/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/symbol/find.h"
#include "inspect/symbol/modules.h"
#include "inspect/symbol/root.h"
#include "inspect/target/xalloc.h"

enum { FILES_MAX = 4096 };

struct pair { struct vetted file, debug; };

/* What the list points into. */
struct files_found { struct modules modules; struct pair *pair; };

static int is_piece(const struct modules *all, const struct symbol_module *m)
{
	for (size_t k = 0; k < all->n && m->file_offset; k++) {
		const struct symbol_module *other = &all->module[k]->m;
		if (other != m && !other->file_offset && !strcmp(other->path, m->path)) return 1;
	}
	return 0;
}

static void add(struct module_files *f, const struct find *find, const struct symbol_module *m)
{
	struct pair *p = &f->found->pair[f->n];

	p->file.fd = p->debug.fd = -1;
	if (!strcmp(m->path, "[jit]") || is_piece(&f->found->modules, m) || find_file(find, m, &p->file)) return;
	if (find_debug(find, &p->file, &p->debug)) p->debug.fd = -1;
	f->file[f->n++] = (struct module_file){ m->path, m->bias, p->file.fd, p->debug.fd };
}

void files_open(struct module_files *f, pid_t pid, const struct maps *maps, struct mem *mem)
{
	struct files_found *found = xcalloc(1, sizeof *found);
	char root[64];

	snprintf(root, sizeof root, "/proc/%d/root", (int)pid);
	struct find find = { .pid = pid, .root = root_open(root), .host = root_open("/"), .maps = maps, .mem = mem };
	modules_add_maps(&found->modules, maps, mem);
	size_t n = found->modules.n < FILES_MAX ? found->modules.n : FILES_MAX;
	found->pair = xcalloc(n + 1, sizeof *found->pair);
	*f = (struct module_files){ .file = xcalloc(n + 1, sizeof *f->file), .found = found };
	for (size_t i = 0; i < n; i++) add(f, &find, &found->modules.module[i]->m);
	if (find.root >= 0) close(find.root);
	if (find.host >= 0) close(find.host);
}

void files_close(struct module_files *f)
{
	if (!f->found) return;
	for (size_t i = 0; i < f->n; i++) {
		vet_close(&f->found->pair[i].file);
		if (f->file[i].debug >= 0) vet_close(&f->found->pair[i].debug);
	}
	modules_free(&f->found->modules);
	free(f->found->pair);
	free(f->found);
	free(f->file);
	*f = (struct module_files){ 0 };
}

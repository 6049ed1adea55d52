/* block_attach.c: the block that alloctop fills in (attach.h), and what of the image is in it: the hooks' table and the tables of modules. */
#include "attach.h"
#include "attach_block.h"
#include "real.h"
#include "sys.h"

_Static_assert((int)ATTACH_MODULES_MAX <= (int)MODULES_MAX, "modules.c takes them all");

#define HOOKED(name) extern void hook_##name(void) __asm__(#name) __attribute__((visibility("default")));
#define ALLOC(name, params, args, size, fallback) HOOKED(name)
#define THROWS(name, params, args, size, fallback) HOOKED(name)
#define REALLOC(name, params, args, size, fallback) HOOKED(name)
#define RETHROWS(name, params, args, size, fallback)
#define FREES(name, params, args, fallback) HOOKED(name)
#define POSIX(name) HOOKED(name)
HOOKED(malloc)
HOOKED(free)
HOOKED(xallocx)
HOOKED(prctl)
HOOKED(syscall)
#include "entries.h"
#undef ALLOC
#undef THROWS
#undef REALLOC
#undef RETHROWS
#undef FREES
#undef POSIX
#undef HOOKED

static struct attach_module modules[2][ATTACH_MODULES_MAX];

#define HOOKED(entry_point) { .name = #entry_point, .hook = (uintptr_t)hook_##entry_point },
#define ALLOC(name, params, args, size, fallback) HOOKED(name)
#define THROWS(entry_point, params, args, size, fallback) { .name = #entry_point, .hook = (uintptr_t)hook_##entry_point, .throws = 1 },
#define REALLOC(name, params, args, size, fallback) HOOKED(name)
#define RETHROWS(entry_point, params, args, size, fallback) { .name = #entry_point, .throws = 1 },     /* not hooked: no plain function does its work */
#define FREES(name, params, args, fallback) HOOKED(name)
#define POSIX(name) HOOKED(name)
EXPORT struct attach_block alloctop_attach ALIGNED(64) = {
	.magic = ATTACH_MAGIC, .version = ATTACH_VERSION, .size = sizeof alloctop_attach,
	.modules = { (uintptr_t)modules[0], (uintptr_t)modules[1] },
	.passed_by = { (uintptr_t)&real_malloc, (uintptr_t)&real_free },
	.entry = {
		HOOKED(malloc)
		HOOKED(free)
		HOOKED(xallocx)
		HOOKED(prctl)
		HOOKED(syscall)
#include "entries.h"
		{ .name = "malloc_usable_size" },       /* not hooked, but called where it is known */
	},
};
